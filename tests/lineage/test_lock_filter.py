import re

from hornbook.lineage.lock_filter import clean


def lock(toy) -> str:
    return (toy.root / "dvc.lock").read_text("utf-8")


def with_out(text: str, path: str, digest: str) -> str:
    """The lock with another hash wherever `path` occurs."""
    pattern = rf"(- path: {re.escape(path)}\n\s+hash: md5\n\s+md5: )\S+"
    changed, count = re.subn(pattern, rf"\g<1>{digest}", text)
    assert count, path
    return changed


def test_other_bytes_of_a_trained_model_are_not_a_change(ran):
    text = with_out(lock(ran), "artifacts/branch/one", "0" * 32 + ".dir")
    text = with_out(text, "artifacts/end", "1" * 32 + ".dir")
    assert clean(ran.root, text) == lock(ran)


def test_other_bytes_of_a_portable_stage_are_a_change(ran):
    text = with_out(lock(ran), "artifacts/base", "0" * 32 + ".dir")
    assert clean(ran.root, text) == text


def test_another_parameter_is_a_change_with_all_its_hashes(ran):
    text = lock(ran).replace("level: 1", "level: 2")
    assert clean(ran.root, text) == text


def test_a_lock_that_git_does_not_have_passes_through(toy):
    assert clean(toy.root, "schema: '2.0'\nstages: {}\n") == "schema: '2.0'\nstages: {}\n"
