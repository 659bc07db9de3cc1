"""`hornbook train plan`: numbers as by hand count, remedies that hold, refusals that help."""

import json
import re

import pytest
import yaml
from pydantic import TypeAdapter

from hornbook.__main__ import main
from hornbook.train.config import Train
from hornbook.train.hardware import device_name
from tests.made_run import CONF

ROOT = CONF.parent
# 24 x (4 x 2048^2 + 2 x 2048 x 8192) + 51200 x 2048 weights, and half of the attention square
OPERATIONS = 6 * 1_312_817_152 + 6 * 24 * 2048 * 2048
PAPER = ("model=phi-1_5", "scale=paper")


@pytest.fixture
def planned(capsys, monkeypatch):
    """What `hornbook train plan ... --json` prints; in the repository."""
    monkeypatch.chdir(ROOT)

    def run(*arguments, ok=True):
        status = main(["train", "plan", *arguments, *(["--json"] if ok else [])])
        told = capsys.readouterr()
        assert status == (0 if ok else 2), told.err
        return json.loads(told.out) if ok else told.err

    return run


def test_the_papers_run_by_hand(planned):
    plan = planned(*PAPER, "devices=32xA100-80G")
    assert plan["parameters"]["all"] == 1_418_270_720
    assert plan["steps"] == 150_000_000_000 // (2048 * 2048)
    assert plan["device"] == {"name": "A100-80G", "count": 32, "peak_flops": 312e12,
                              "memory_gib": 79.1}  # fmt: skip
    assert plan["fits"]
    slow, fast = plan["paces"]
    flops = 6 * (1_418_270_720 - 51200 * 2048) * plan["tokens"]
    share = 6 * 1.3e9 * 51e9 / (770 * 3600 * 312e12)  # phi-1's
    assert slow["device_hours"] == pytest.approx(flops / (share * 312e12) / 3600)
    assert slow["seconds"] == pytest.approx(slow["device_hours"] * 3600 / 32)
    assert 2000 < fast["device_hours"] < slow["device_hours"] < 2400
    assert plan["checkpoint_bytes"] == 12 * 1_418_270_720


def test_checkpoints_of_a_large_model_are_farther_apart(planned, monkeypatch, capsys):
    def said(*arguments):
        assert main(["train", "plan", *arguments]) == 0
        return re.search(
            r"([\d.]+) (MB|GB|TB) written .* every ([\d,]+) s", capsys.readouterr().out
        )

    paper = said(*PAPER, "devices=32xA100-80G")
    assert paper[3] == "1,702"  # 12 x 1,418,270,720 bytes at 10 MB/s
    assert (paper[2], float(paper[1]) < 3) == ("TB", True)
    small = said("scale=smoke", "devices=cpu", "--tokens-per-second", "1000")
    assert small[3] == "60"
    monkeypatch.setenv("HORNBOOK_CHECKPOINT_SECONDS", "300")
    assert said(*PAPER, "devices=32xA100-80G")[3] == "300"


def test_table_1_and_what_it_implies_stand_below_every_plan(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["train", "plan", *PAPER, "devices=8xH100"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"phi-1.5 +150B tokens +1,500 GPU-hours +69% of peak +Table 1", told)
    assert re.search(r"phi-1 .* 770 GPU-hours +46%", told)
    assert re.search(r"phi-2 .* 32,256 GPU-hours +63%", told)
    assert "Table 1 implies 69% of peak" in told
    assert "41.8% of 989 TFLOP/s" in told


@pytest.mark.parametrize(
    ("given", "rate"),
    [(("--mfu", "0.5"), 0.5 * 8 * 989e12 / OPERATIONS), (("--tokens-per-second", "1e6"), 1e6)],
    ids=["mfu", "rate"],
)
def test_a_given_pace_is_taken(planned, given, rate):
    (pace,) = planned(*PAPER, "devices=8xH200", *given)["paces"]
    assert pace["tokens_per_second"] == pytest.approx(rate, rel=1e-6)
    assert pace["peak_share"] == pytest.approx(rate * OPERATIONS / (8 * 989e12), rel=1e-6)


@pytest.mark.parametrize(
    ("devices", "micro"), [("16xA100-40G", 64), ("1xH200", 128), ("32xV100-16G", 4)]
)
def test_what_does_not_fit_has_a_remedy_that_fits(planned, devices, micro):
    asked = (*PAPER, f"devices={devices}", f"train.micro_sequences={micro}")
    plan = planned(*asked)
    assert plan["fits"] is False
    overrides = plan["remedy"].split()
    better = planned(*asked[:-1], f"train.micro_sequences={micro}", *overrides)
    assert better["fits"]
    assert better["passes"] > plan["passes"] or "checkpointing=true" in plan["remedy"]


def test_where_one_device_is_too_small_more_of_them_are_the_remedy(planned):
    plan = planned(*PAPER, "devices=1xV100-16G")
    assert plan["fits"] is False
    assert re.match(r"\d+ devices with train\.engine=deepspeed", plan["remedy"])
    more = plan["remedy"].split()[0]
    rest = plan["remedy"].split(" with ")[1].split()
    assert planned(*PAPER, f"devices={more}xV100-16G", *rest)["fits"]


def test_other_devices_change_the_settings_and_say_so(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["train", "plan", "scale=laptop", "devices=4xA100-80G",
                 "train.micro_sequences=2"]) == 0  # fmt: skip
    told = capsys.readouterr().out
    assert "planned with train.device=cuda train.ranks=4 train.engine=deepspeed" in told
    assert main(["train", "plan", *PAPER, "devices=2xcpu"]) == 0
    assert "train.dtype=bfloat16" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["devices=24xA100-80G"], r"batch_sequences=2048 is not a multiple of 96"),
        (["devices=8xB200"], r"'B200' is not known.*--peak-tflops"),
        (["devices=8xA100"], r"A100 is A100-40G or A100-80G"),
        (["devices=1xH100", "devices=2xH100"], r"devices= is given 2 times"),
        (["devices=1xH100", "--mfu", "1.5"], r"--mfu=1.5: expected a share of 1"),
        (["devices=1xH100", "--variant", "phi-3"], r"--variant phi-3: the mixtures are phi-1_5"),
        (["devices=8xH100", "train.micro=3"], r"no key 'train.micro'"),
    ],
    ids=["batch", "device", "several", "twice", "share", "variant", "setting"],
)
def test_an_impossible_plan_names_the_remedy(planned, arguments, message):
    assert re.search(message, planned(*PAPER, *arguments, ok=False))


def test_an_unknown_device_is_planned_with_what_the_user_says_of_it(planned):
    plan = planned(*PAPER, "devices=8xB200", "--peak-tflops", "2250", "--memory-gib", "178")
    assert plan["device"]["peak_flops"] == 2250e12
    assert (plan["fits"], plan["paces"]) == (True, [])  # nothing was published for it


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A workspace whose experiment is the laptop's, with what a run there has left."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "runtime").symlink_to(CONF / "runtime")
    (tmp_path / ".hornbook" / "measurements").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path, params


def test_this_machine_is_unknown_until_it_was_measured(machine, capsys):
    root, params = machine
    assert main(["train", "plan"]) == 0
    assert re.search(r"time +unknown .*--tokens-per-second", capsys.readouterr().out)
    settings = TypeAdapter(Train).validate_python(params["train"])
    name = device_name(settings)
    measured = root / ".hornbook" / "measurements"
    (measured / "machine.json").write_text(json.dumps({f"{name} {settings.dtype}": 4e11}))
    assert main(["train", "plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["device"]["peak_flops"] == 4e11
    assert plan["paces"] == []
    run = {"device": name, "mfu": 0.25}
    (measured / "train@phi-1_5.json").write_text(json.dumps(run))
    lock = {"stages": {"train@phi-1_5": {
        "cmd": "x", "params": {"params.yaml": {"model": params["model"]}}}}}  # fmt: skip
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert main(["train", "plan", "--json"]) == 0
    (pace,) = json.loads(capsys.readouterr().out)["paces"]
    assert (pace["peak_share"], pace["origin"]) == (0.25, "the last train@phi-1_5 here")
    params["model"]["width"] *= 2  # another model: what was measured says nothing of it
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    assert main(["train", "plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["paces"] == []


def test_a_gpu_experiment_on_a_machine_without_one_asks_for_devices(planned, monkeypatch):
    monkeypatch.setattr("hornbook.train.resolve.has_cuda", lambda: False)
    assert re.search(r"no GPU is here.*devices=32xA100-80G", planned(*PAPER, ok=False))
