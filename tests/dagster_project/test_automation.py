"""The automation that re-runs by itself: when it fires, and when it does not."""

import dagster as dg
import pytest

from dagster_project.automation import outdated, rerun_when_stale

CHAIN = ["up", "middle", "down"]


def definitions(code: str) -> dg.Definitions:
    """A chain of three, the first with a code version."""
    assets = []
    for number, name in enumerate(CHAIN):

        @dg.asset(
            name=name,
            deps=CHAIN[number - 1 : number] if number else [],
            code_version=code if number == 0 else "1",
            automation_condition=outdated(),
        )
        def one() -> None: ...

        assets.append(one)
    return dg.Definitions(assets=assets)


class World:
    """An instance whose automation is asked again and again."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor = None

    def requested(self, code: str = "1") -> list[str]:
        """What the automation would run now."""
        told = dg.evaluate_automation_conditions(
            definitions(code), instance=self.instance, cursor=self.cursor
        )
        self.cursor = told.cursor
        return [
            name for name in CHAIN if told.get_requested_partitions(dg.AssetKey(name)) == {None}
        ]

    def made(self, name: str, version: str) -> None:
        """A stage wrote these bytes."""
        tags = {"dagster/data_version": version, "dagster/data_version_is_user_provided": "true"}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(name, tags=tags))


@pytest.fixture
def world():
    with dg.DagsterInstance.ephemeral() as instance:
        one = World(instance)
        for name in CHAIN:
            one.made(name, "a")
        one.requested()  # what it finds when it is switched on is its beginning
        assert one.requested() == []
        yield one


def test_the_same_bytes_again_fire_nothing(world):
    world.made("up", "a")
    assert world.requested() == []


def test_new_code_fires_once_and_runs_to_the_end_of_the_chain(world):
    assert world.requested("2") == ["up"]
    assert world.requested("2") == []
    for name, reader in (("up", "middle"), ("middle", "down")):
        world.made(name, "b")
        assert world.requested("2") == [reader]
        assert world.requested("2") == []
    world.made("down", "b")
    assert world.requested("2") == []


def test_new_code_that_writes_the_same_bytes_ends_there(world):
    assert world.requested("2") == ["up"]
    world.made("up", "a")
    assert world.requested("2") == []


def test_it_is_off_until_somebody_switches_it_on():
    assert rerun_when_stale(CHAIN).default_status is dg.DefaultSensorStatus.STOPPED
