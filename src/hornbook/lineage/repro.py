"""One `dvc repro` of one stage as a process: waited for, stopped, and its failure told."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from hornbook.errors import StageError
from hornbook.lineage.cache import cache_folder, unkept
from hornbook.lineage.holding import using_cache, using_tree
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.processes import RWLOCK, dvc_environment
from hornbook.report.statistics import size

Outcome = Literal["executed", "unchanged", "run cache"]
BLOCKED = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")
FULL = re.compile(r"No space left on device|(database or )?disk is full|disk I/O error")
HALF_WRITTEN = "Unable to read RWLock-file"
BACK = "its last good artifact is back in place"
LOOK_SECONDS = 1.0  # between two tries to take what another process works on
TAIL = 40  # lines of a stage that are kept for the message of its failure
SHOWN = 12  # of them, those that are shown
_BLOCKER = re.compile(r"\(PID (\d+)\): (.+)")
_OWN = "hornbook: "  # how a stage begins its own last words
_TRAILER = "ERROR: failed to reproduce"  # how DVC begins its
_STATUS = re.compile(r"exited with -(\d+)\s*$")
_BAR = re.compile(r"\d+%\|.*it/s")
_CHATTER = (
    "To track the changes with git",
    "git add dvc.lock",
    "To enable auto staging",
    "dvc config core.autostage",
    "Use `dvc push`",
    "Updating lock file",
    "Generating lock file",
    "> PYTHONPATH=",
)


def worked_on(root: Path) -> set[str]:
    """The outputs that living DVC processes write now, relative to the root."""
    try:
        written: dict[str, dict[str, Any]] = json.loads((root / RWLOCK).read_text("utf-8"))["write"]
        busy = {path for path, info in written.items() if psutil.pid_exists(int(info["pid"]))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()  # nobody has worked here yet, or DVC writes the file just now
    return {os.path.relpath(path, root.resolve()) for path in busy}


def repro_command(stage: str, *, force: bool = False) -> list[str]:
    """The command that brings one stage up to date; waits for DVC's lock rather than failing."""
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
    return [*command, "--force"] if force else command


def outcome_of(line: str) -> Outcome | None:
    """What a line of DVC's output says became of the stage."""
    if "didn't change, skipping" in line:
        return "unchanged"
    if "is cached - skipping run" in line:
        return "run cache"
    return None


def is_chatter(line: str) -> bool:
    """Whether DVC says it for people who use DVC by hand, or it is a bar of another library."""
    return line.strip().startswith(_CHATTER) or not line.strip() or _BAR.search(line) is not None


@dataclass
class Repro:
    """One `dvc repro` of one stage; its lines go to `say` while it runs."""

    root: Path
    stage: str
    say: Callable[[str], None]
    force: bool = False
    process: subprocess.Popen[str] | None = None
    is_stopped: bool = False

    def run(self) -> Outcome:
        """Bring the stage up to date; what another process works on is waited for.

        Raises:
            StageError: DVC or the stage failed; the stage's own message comes first.
        """
        with using_tree(self.root, self._say), using_cache(self.root, self._say) as held:
            outcome = self._run(() if held is None else (held,))
            if unkept(self.root, [self.stage]):
                keep(self.root, [self.stage])
            return outcome

    @property
    def _out(self) -> str:
        return load_graph(self.root).stages[self.stage].out

    def _say(self, line: str) -> None:
        self.say(f"{self.stage} {line}")

    def _run(self, held: Sequence[int]) -> Outcome:
        is_told = False
        while not self.is_stopped:
            status, outcome, tail = self._once(held)
            if status == 0:
                return outcome
            blocked = "\n".join(tail)
            if FULL.search(blocked) and f"done -> {self._out}" in blocked:
                raise NotKeptError(unrecorded(self.stage, self._out))
            if HALF_WRITTEN in blocked and self._drop_half_written():
                continue
            if not BLOCKED.search(blocked):
                raise StageError(failure(self.root, self.stage, tail))
            _require_alive(self.root, self.stage, blocked)
            if not is_told:
                self.say(f"{self.stage} waits: {_holder(blocked)} works on the same artifacts")
                is_told = True
            time.sleep(LOOK_SECONDS)
        raise StageError(f"{self.stage} was stopped")

    def _drop_half_written(self) -> bool:
        """Remove DVC's list of who works on what, where a process was killed as it wrote it.

        A living one is done with that in milliseconds, so what stays half is nobody's.
        """
        file = self.root / RWLOCK
        time.sleep(LOOK_SECONDS)
        try:
            json.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            return True
        except ValueError:
            file.unlink(missing_ok=True)
            self._say(f"{RWLOCK} was left half-written by a killed process: removed")
        return True

    def _once(self, held: Sequence[int]) -> tuple[int, Outcome, list[str]]:
        outcome: Outcome = "executed"
        tail: list[str] = []
        self.process = subprocess.Popen(
            repro_command(self.stage, force=self.force),
            cwd=self.root,
            env=dvc_environment(),
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that a cancel reaches the stage behind DVC as well
            pass_fds=held,  # DVC goes on where we are killed, and the cache is in use as long
        )
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            line = raw.rstrip()
            outcome = outcome_of(line) or outcome
            tail = [*tail[1 - TAIL :], line]
            if line and not is_chatter(line) and not _is_of_blocked(line):
                self.say(line)
        return self.process.wait(), outcome, tail

    def is_alive(self) -> bool:
        """Whether its process has been started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def interrupt(self) -> None:
        """Ask DVC and the stage behind it to end; a training writes its checkpoint first."""
        self.is_stopped = True
        self._signal(signal.SIGINT)

    def kill(self, seconds: float) -> None:
        """End DVC and the stage process it started, by force after `seconds`."""
        if not self.is_alive():
            return
        assert self.process is not None
        if not self.is_stopped:
            self.interrupt()
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also where a second Ctrl-C ends the waiting
            self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive() and self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return


class NotKeptError(StageError):
    """A stage has run and is recorded, but the cache could not take its artifact."""


def unrecorded(stage: str, out: str) -> str:
    """What to do where a stage has ended and DVC had no room to record it."""
    return (
        f"{stage} has ended, and the disk was full when DVC was to record it. What it made is in "
        f"{out}, whole; running it again would make it anew. Free some space (`hornbook gc` says "
        f"what can go) and keep it: hornbook adopt {stage} --reason 'the disk was full when it "
        f"ended'"
    )


def keep(root: Path, stages: Sequence[str]) -> None:
    """Put recorded artifacts into the cache that DVC could not copy there when they were made.

    Raises:
        NotKeptError: The cache cannot take them now either; they stay where they are.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", "commit", *stages],
        cwd=root,
        env=dvc_environment(),
        stdin=subprocess.DEVNULL,  # of an artifact that is another one it would ask
        capture_output=True,
        text=True,
        check=False,
    )
    if left := unkept(root, stages):
        graph, folder = load_graph(root), cache_folder(root)
        told = done.stderr.partition("Having any troubles?")[0]
        lines = [line for line in told.splitlines() if not is_chatter(line)]
        outs = ", ".join(graph.stages[name].out for name in left if name in graph.stages)
        free = shutil.disk_usage(folder).free
        raise NotKeptError(
            f"{', '.join(left)} ran, but {outs} is not whole in DVC's cache at {folder}, where "
            f"{size(free)} are free: {' '.join(lines)[:300]}\nit is the only copy: leave it where "
            f"it is, free some space (`hornbook gc` says what can go) and run the same command "
            f"again, which puts it into the cache and makes nothing anew"
        )


def _is_of_blocked(line: str) -> bool:
    """Whether DVC says it about an artifact that another process works on."""
    told = ("If there are no processes with such PIDs", "(PID ")
    return BLOCKED.search(line) is not None or line.strip().startswith(told)


def _holder(text: str) -> str:
    found = _BLOCKER.search(text)
    return f"process {found[1]} ({found[2].strip()})" if found else "another DVC process"


def _require_alive(root: Path, stage: str, text: str) -> None:
    """Refuse to wait for a lock whose process is gone and whose number another one has now.

    DVC asks only whether a process of that number is alive.

    Raises:
        StageError: The lock is a dead one.
    """
    found = _BLOCKER.search(text)
    if not found:
        return
    try:
        command = Path("/proc", found[1], "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return  # it has ended, or this system does not say: DVC looks again
    if "dvc" not in command and "python" not in command:
        raise StageError(
            f"{stage} cannot start: {RWLOCK} says that process {found[1]} works on its artifacts, "
            f"but that number belongs to `{command.strip()[:80]}` now: the lock is of a process "
            f"that was killed. If no DVC command runs in {root.name}: rm {RWLOCK}"
        )


def failure(root: Path, stage: str, tail: Sequence[str]) -> str:
    """What a failed stage is told by: its own last words, then where it was, then the remedy."""
    lines = [line for line in tail if not is_chatter(line)]
    own = next((i for i in reversed(range(len(lines))) if lines[i].startswith(_OWN)), None)
    end = next((i for i in reversed(range(len(lines))) if lines[i].startswith(_TRAILER)), None)
    words = lines[own:end] if own is not None and (end is None or own < end) else []
    killed = _STATUS.search(lines[end]) if end is not None else None
    if killed:
        words = [_killed(int(killed[1])), *words]
    before = lines[: own if words and own is not None else end][-SHOWN:]
    shown = [*words, *(["before that:", *(f"  {line}" for line in before)] if words else before)]
    if not words and end is not None:
        shown += lines[end:]
    out = load_graph(root).stages[stage].out
    told = "\n".join(shown).removeprefix(_OWN)
    return f"{stage} failed: {told}\n{remedy(out)}"


def remedy(out: str) -> str:
    """How the artifact of a failed stage comes back."""
    return f"its last good artifact is in the cache; to put it back: dvc checkout {out}"


def _killed(number: int) -> str:
    """What it means that a stage was ended by a signal."""
    name = signal.Signals(number).name if number in {*map(int, signal.Signals)} else str(number)
    if number == signal.SIGKILL:
        return (
            f"it was killed ({name}): by hand, by a scheduler, or by the system when memory ran "
            "out (`dmesg | grep -i 'out of memory'` tells); what it had finished is kept, and the "
            "same command goes on from there. For less memory: HORNBOOK_WORKERS=1 HORNBOOK_JOBS=1"
        )
    return f"it was ended by a signal ({name}); the same command goes on where it was"


def restore(root: Path, out: str) -> bool:
    """Put the recorded artifact of a failed stage back; whether there was one."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", "checkout", out],
        cwd=root,
        env=dvc_environment(),
        capture_output=True,
        check=False,
    )
    return done.returncode == 0
