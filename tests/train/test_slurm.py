"""The batch script: what it asks Slurm for, and that it runs on stand-ins for Slurm's commands."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hornbook.compose import compose
from hornbook.errors import ConfigError
from hornbook.train.slurm import main, script
from tests.train.conftest import SETTINGS, SHAPE
from tests.train.workspace import REPOSITORY, Workspace

TWO = replace(SETTINGS, engine="deepspeed", ranks=2, micro_sequences=1, dtype="bfloat16")
# srun runs its command once; scontrol knows this host and notes what was queued again
SRUN = '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n'
SCONTROL = '#!/bin/bash\nif [ "$1" = show ]; then echo 127.0.0.1; else echo "$@" >> queued; fi\n'


def written(values, **changes):
    asked = {
        "variant": "toy",
        "nodes": 1,
        "time": "1:00:00",
        "lead_seconds": 60,
        "directives": {},
        "overrides": (),
        "written_by": "a test",
    }
    return script(values, **(asked | changes))


def test_the_paper_on_four_machines():
    values = compose(REPOSITORY, ["scale=paper", "train.device=cuda"])
    text = written(values, nodes=4, variant="phi-1_5", lead_seconds=600,
                   overrides=["scale=paper"], directives={"partition": "gpu"})  # fmt: skip
    for line in (
        "#SBATCH --nodes=4",
        "#SBATCH --gpus-per-node=8",
        "#SBATCH --cpus-per-task=64",
        "#SBATCH --partition=gpu",
        "#SBATCH --signal=B:USR1@600",
        "#SBATCH --requeue",
        "hornbook compose scale=paper",
        "#   hornbook compose scale=paper && hornbook run mixture@phi-1_5 && sbatch THIS_FILE",
        "dvc commit --force train@phi-1_5",
    ):
        assert line in text.splitlines()
    joined = text.replace("\\\n", " ")
    assert "--nnodes=4 --nproc-per-node=8" in " ".join(joined.split())
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=True).returncode == 0


@pytest.mark.parametrize(
    ("overrides", "nodes", "message"),
    [
        ([], 2, r"train\.engine=torch is one process; add train\.engine=deepspeed"),
        (
            ["scale=paper"],
            5,
            r"ranks=32 cannot be spread over --nodes 5 .*take --nodes 4: no multiple",
        ),
        (["scale=paper"], 64, r"--nodes 64 .*take --nodes 32, or add train\.ranks=64$"),
    ],
)
def test_what_cannot_be_spread_is_refused(overrides, nodes, message):
    with pytest.raises(ConfigError, match=message):
        written(compose(REPOSITORY, overrides), nodes=nodes)


def test_the_command_writes_a_file_and_knows_the_variants(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    out = tmp_path / "train.sbatch"
    assert main(["scale=paper", "--nodes", "4", "--out", str(out)]) == 0
    assert "sbatch" in capsys.readouterr().out
    assert "train@phi-1_5" in out.read_text()
    with pytest.raises(ConfigError, match=r"--variant x: the variants are phi-1_5, phi-1_5-web,"):
        main(["--nodes", "4", "--variant", "x"])


@pytest.mark.slow
def test_the_script_is_stopped_queues_again_and_ends(start):
    workspace = Workspace(start("a", steps=300).root, SHAPE, TWO)
    commands = workspace.root / "bin"
    commands.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    (commands / "dvc").write_text('#!/bin/bash\nif [ "$1" = status ]; then exit 1; fi\necho "$@"\n')
    (commands / "dvc").chmod(0o755)
    (workspace.root / "src").symlink_to(REPOSITORY / "src")
    values = {"train": {"ranks": 2, "threads": 1, "engine": "deepspeed", "device": "cpu"}}
    (workspace.root / "job").write_text(written(values))
    told = {
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "127.0.0.1",
        "SLURM_SUBMIT_DIR": str(workspace.root),
        "HORNBOOK_CHECKPOINT_SECONDS": "0",
    }
    path = f"{commands}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    job = workspace.start("bash", "job", PATH=path, **told)
    workspace.await_step(job, 3)
    job.send_signal(signal.SIGUSR1)
    said, complained = job.communicate(timeout=200)
    assert job.returncode == 0, complained
    assert (workspace.root / "queued").read_text() == "requeue 7\n"
    assert "was stopped by SIGTERM after step" in complained
    assert workspace.checkpoints()
    (workspace.root / "params.yaml").touch()
    again = workspace.start(
        "bash", "job", PATH=path, **{**told, "HORNBOOK_CHECKPOINT_SECONDS": "9"}
    )
    said, complained = again.communicate(timeout=400)
    assert again.returncode == 0, complained
    assert "resuming after step" in said
    assert "commit --force train@toy" in said
