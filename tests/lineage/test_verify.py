"""Artifacts made again: what is the same, where something differs, what cannot be said."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.errors import ConfigError
from hornbook.lineage.cache import cached_file
from hornbook.lineage.clean_copy import CleanCopy, environment, recorded_files
from hornbook.lineage.explain import provenance, tree
from hornbook.lineage.manifest import LockEntry, load_graph, load_lock
from hornbook.lineage.receipts import receipt_file
from hornbook.lineage.replay import replay
from hornbook.lineage.reproduction import Asked
from hornbook.lineage.verify import Verified, chosen, main, verify
from hornbook.lineage.workspace import Hasher
from hornbook.teacher.store import AnswerStore
from tests.made_run import CONF

WHOLE = Asked(None, 1e-3)


def verified(toy, *names: str, asked: Asked = WHOLE) -> Verified:
    said: list[str] = []
    return verify(toy.root, names, asked, said.append)


def file_of(toy, stage: str) -> Path:
    """The cache's copy of a stage's only file."""
    entry = load_lock(toy.root)[stage]
    files = recorded_files(toy.root, next(iter(entry.outs)), entry.out_hash)
    assert files is not None
    return files["value.txt"]


def overwrite(file: Path, text: str) -> None:
    file.chmod(0o644)
    file.write_text(text)


def everything(root: Path) -> dict[str, bytes]:
    """Every file but those that verifying writes."""
    files = (file for file in root.rglob("*") if file.is_file())
    return {str(file): file.read_bytes() for file in files if ".hornbook" not in file.parts}


def test_what_is_made_again_is_equal_and_nothing_else_changes(ran):
    before = everything(ran.root)
    names = list(load_graph(ran.root).stages)
    found = verified(ran, *names)
    assert (found.status, found.errors, found.before) == (0, {}, [])
    lock = load_lock(ran.root)
    for name in names:
        receipt = json.loads(receipt_file(ran.root, name, is_sample=False).read_text())
        assert receipt == found.receipts[name]
        assert receipt["result"] == "bit-equal"
        assert receipt["remade"] == receipt["recorded"] == lock[name].out_hash
        assert receipt["revision"] == ran.run("git", "rev-parse", "HEAD").strip()
        assert set(receipt["files"]) == {"value.txt"}
    assert everything(ran.root) == before
    assert list((ran.root / ".hornbook/verify").iterdir()) == []


def test_the_same_is_not_made_again_unless_asked_for(ran):
    first = verified(ran, "base", "end")
    receipts = [receipt_file(ran.root, name, is_sample=False) for name in ("base", "end")]
    times = [file.stat().st_mtime_ns for file in receipts]
    assert verified(ran, "base", "end").before == ["base", "end"]
    assert verified(ran, "end", asked=Asked(None, 1e-3, again=True)).before == []
    assert receipts[0].stat().st_mtime_ns == times[0]
    assert receipts[1].stat().st_mtime_ns > times[1]
    assert json.loads(receipts[1].read_text()) == first.receipts["end"]
    with (ran.root / "tool.py").open("a") as tool:
        tool.write("# other code\n")
    assert verified(ran, "base").before == []


def test_a_byte_changed_in_the_cache_is_found_and_nothing_is_made_from_it(ran):
    overwrite(file_of(ran, "branch@one"), "one 7\nbase 1\nraw\n")
    found = verified(ran, "branch@one", "branch@two", "end")
    receipt = found.receipts["branch@one"]
    assert receipt["result"] == "differs"
    assert receipt["first"] == {"file": "value.txt", "place": "line 1", "recorded": '"one 7"',
                                "remade": '"one 1"', "relative": None}  # fmt: skip
    assert "the cache's copy of value.txt is not what dvc.lock records" in receipt["text"]
    assert found.receipts["branch@two"]["result"] == "bit-equal"
    assert re.search(
        r"the cache's copy of value\.txt \(.*\) is damaged; remove", found.errors["end"]
    )
    assert found.status == 2
    assert verified(ran, "branch@one").status == 1, "what differs is always made again"


def test_an_artifact_that_was_recorded_by_hand_differs(ran):
    overwrite(ran.root / "artifacts/end/value.txt", "end 0\none 1\nbase 1\nraw\ntwo 2\nraw\n")
    ran.dvc("commit", "-f", "-q", "end")
    found = verified(ran, "end")
    assert found.status == 1
    assert found.receipts["end"]["first"]["place"] == "line 5"
    assert "line 5" in found.receipts["end"]["text"]


def test_a_record_whose_bytes_nobody_has_is_an_error(ran):
    digest = load_lock(ran.root)["end"].out_hash
    ran.edit("dvc.lock", digest, f"{'0' * 32}.dir")
    found = verified(ran, "end")
    assert found.status == 2
    assert "neither in DVC's cache nor in the work tree" in found.errors["end"]


def test_the_work_tree_stands_in_for_a_cache_that_lacks_it(ran):
    shutil.rmtree(ran.root / ".dvc/cache")
    assert verified(ran, "base", "end").status == 0
    overwrite(ran.root / "artifacts/branch/one/value.txt", "by hand\n")
    assert (
        "artifacts/branch/one with hash"
        in verified(ran, "end", asked=Asked(None, 0, True)).errors["end"]
    )


def test_a_stage_that_is_not_deterministic_differs(toy):
    toy.edit("tool.py", "{name} {level}", '{name} {__import__("os").getpid()}')
    toy.dvc("repro", "-q")
    toy.commit("ran")
    found = verified(toy, "base")
    assert found.status == 1
    assert found.receipts["base"]["first"]["place"] == "line 1"
    assert found.receipts["base"]["remade"] != found.receipts["base"]["recorded"]


def test_code_that_writes_the_same_is_named_and_code_that_fails_is_an_error(ran):
    ran.edit("tool.py", "import yaml", "import yaml  # the same")
    found = verified(ran, "base")
    assert found.receipts["base"]["result"] == "bit-equal"
    assert found.receipts["base"]["code_changed"] == ["tool.py"]
    assert "1 files of code that are not as recorded" in found.receipts["base"]["text"]
    ran.edit("tool.py", "import yaml", "raise SystemExit('no luck')\nimport yaml")
    found = verified(ran, "base")
    assert found.status == 2
    assert re.fullmatch(r"base failed in a clean copy:\nno luck", found.errors["base"])
    assert list((ran.root / ".hornbook/verify").iterdir()) == []


def test_other_values_than_the_recorded_ones_are_no_reproduction(ran):
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 5")
    found = verified(ran, "base")
    assert "left.level: 1 -> 5" in found.errors["base"]
    ran.edit("dvc.yaml", "deps: [tool.py, data/raw.txt]", "deps: [tool.py]")
    assert "input data/raw.txt is not read any more" in verified(ran, "base").errors["base"]
    (ran.root / "dvc.lock").unlink()
    assert "base was never run" in verified(ran, "base").errors["base"]


def test_a_copy_left_by_a_kill_is_no_hindrance_and_one_in_use_is(ran):
    folder = ran.root / ".hornbook/verify/base"
    (folder / "copy/artifacts/base").mkdir(parents=True)
    (folder / "copy/artifacts/base/value.txt").write_text("half")
    assert verified(ran, "base").status == 0
    folder.mkdir()
    with (folder / "held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = verified(ran, "base", asked=Asked(None, 0, again=True))
    assert "base is being verified by another process" in found.errors["base"]


def test_neither_endpoint_nor_key_reach_a_clean_copy(monkeypatch):
    monkeypatch.setenv("HORNBOOK_TEACHER_URL", "https://teacher.example/v1")
    monkeypatch.setenv("HORNBOOK_TEACHER_KEY_ENV", "MY_KEY")
    monkeypatch.setenv("MY_KEY", "secret")
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    found = environment(CONF.parent)
    assert "secret" not in found.values()
    assert not {"MY_KEY", "DVC_ROOT", "HORNBOOK_TEACHER_KEY_ENV"} & set(found)
    assert (found["HORNBOOK_TEACHER_URL"], found["HORNBOOK_ENDPOINTS"]) == ("null", "[]")


ANSWER = {"text": "hello", "finish_reason": "stop", "prompt_tokens": 3, "completion_tokens": 5}


def asking(toy, model: str) -> CleanCopy:
    """A clean copy of the toy's `base`, which asks a teacher and keeps the answer."""
    toy.edit("params.yaml", "left:", f"teacher:\n  model: {model}\nleft:")
    toy.edit("dvc.yaml", "params: [left]", "params: [left, teacher]")
    out = toy.root / "artifacts/base"
    out.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([{"id": "aa", **ANSWER}]), out / "part-00000.parquet")
    entry = LockEntry("", {}, {}, {"artifacts/base": Hasher(toy.root).hash("artifacts/base")})
    copy = CleanCopy(
        toy.root, toy.root / ".hornbook/copy", load_graph(toy.root).stages["base"], entry
    )
    copy.root.mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(toy.root / name, copy.root / name)
    return copy


def stored(copy: CleanCopy) -> dict[str, dict[str, object]]:
    with closing(AnswerStore(copy.root / ".hornbook/store/teacher")) as store:
        return store.get(["aa", "bb"])


def test_recorded_answers_are_there_to_be_found_again(toy):
    copy = asking(toy, "a-model")
    assert replay(copy) == "answers of the artifact"
    assert stored(copy) == {"aa": ANSWER}


def test_answers_that_no_artifact_keeps_come_from_the_store(toy):
    copy = asking(toy, "a-model")
    (toy.root / "artifacts/base/part-00000.parquet").unlink()
    folder = toy.root / ".hornbook/store/teacher"
    folder.mkdir(parents=True)
    with closing(AnswerStore(folder)) as store:
        number = store.send("bb", "somewhere", _most())
        store.settle(number, "answered", None, ANSWER, 1.0)
        assert replay(copy) == "answers of the store"
    assert stored(copy) == {"bb": ANSWER}


def _most():
    from hornbook.teacher.budget import NOTHING

    return NOTHING


def test_the_embedded_teacher_needs_no_answers(toy):
    copy = asking(toy, "procedural")
    assert replay(copy) == "embedded teacher"
    assert not (copy.root / ".hornbook").exists()


def test_without_a_name_it_is_what_takes_little(ran):
    with pytest.raises(ConfigError, match="no stage is known to take under 60 s here"):
        chosen(ran.root, [], is_all=False, asked=WHOLE)
    folder = ran.root / ".hornbook/measurements"
    folder.mkdir(parents=True)
    for name, seconds in (("base", 61), ("end", 60)):
        (folder / f"{name}.json").write_text(json.dumps({"seconds": seconds, "cpu_seconds": 1}))
    assert chosen(ran.root, [], is_all=False, asked=WHOLE) == ["end"]
    assert chosen(ran.root, ["branch"], is_all=False, asked=WHOLE) == ["branch@one", "branch@two"]
    assert len(chosen(ran.root, [], is_all=True, asked=WHOLE)) == 4
    with pytest.raises(ConfigError, match="no stage 'bas', did you mean base"):
        chosen(ran.root, ["bas"], is_all=False, asked=WHOLE)


def test_the_command_ends_as_its_result_says_and_explain_tells_it(ran, monkeypatch, capsys):
    monkeypatch.chdir(ran.root)
    assert main(["base", "end", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["receipts"]) == {"base", "end"}
    lock = load_lock(ran.root)
    told = "\n".join(tree(provenance(ran.root, lock, "end"), "end"))
    assert told.count("made again bit-equal: 1 files, ") == 2
    overwrite(file_of(ran, "end"), "other")
    assert main(["end", "--again"]) == 1
    assert "1 differs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--sample", "0"])
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    assert provenance(ran.root, lock, "base")["base"].verified is not None
    assert main(["base"]) == 2
    other = {**lock, "base": LockEntry("", {}, {}, {"artifacts/base": "1" * 32})}
    assert provenance(ran.root, other, "base")["base"].verified is None


def test_an_object_of_the_cache_is_never_written_to(ran):
    ran.edit("tool.py", "out = pathlib.Path(out)", "out = pathlib.Path(out)\npass")
    before = {str(f): f.read_bytes() for f in (ran.root / ".dvc/cache").rglob("*") if f.is_file()}
    verified(ran, "base", "branch@one", "end")
    assert before == {
        str(f): f.read_bytes() for f in (ran.root / ".dvc/cache").rglob("*") if f.is_file()
    }
    assert cached_file(ran.root, load_lock(ran.root)["end"].out_hash).exists()


def test_sigterm_ends_the_stage_with_its_verification(ran):
    ran.edit("tool.py", "import yaml", "import time, yaml\ntime.sleep(60)")
    here = {**os.environ, "PYTHONPATH": str(CONF.parent / "src")}
    process = subprocess.Popen(
        [sys.executable, "-m", "hornbook", "verify", "base"], cwd=ran.root, env=here,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    copy = ran.root / ".hornbook/verify/base/copy"
    output = copy / ".hornbook/output.txt"
    while not (output.exists() and working_in(copy)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.terminate()
    assert "interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert not copy.exists()
    assert not working_in(copy)


def working_in(folder: Path) -> list[str]:
    """The processes whose working directory is a folder, also one that is gone."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str((process / "cwd").readlink()).startswith(str(folder)):
                found.append(process.name)
    return found
