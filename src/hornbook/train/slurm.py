"""`hornbook train slurm`: the batch script of one training, which survives the end of its time."""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.compose import compose
from hornbook.errors import ConfigError
from hornbook.lineage.manifest import load_graph
from hornbook.train.launch import PORT, torchrun_command

# between SIGTERM and SIGKILL: what is left of the lead when the checkpoint has been asked for
_MARGIN_SECONDS = 30

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name=hornbook-{variant}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task={cpus}
#SBATCH --time={time}
{directives}#SBATCH --signal=B:USR1@{lead}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=hornbook-{variant}-%j.log
#
# Written by: {written_by}
# Submit from the root of a checkout that lies on a file system which all machines share under
# one path, after the stages before it have run:
#   {first}hornbook run mixture@{variant} && sbatch THIS_FILE
# {lead} seconds before the time is up, all ranks write a checkpoint and the job queues again;
# after a failure, sbatch goes on from the last checkpoint.

set -euo pipefail
cd "${{SLURM_SUBMIT_DIR:-.}}"
export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH=src DVC_NO_ANALYTICS=1
{compose}
if dvc status --quiet train@{variant}; then
  echo "train@{variant} is up to date"
  exit 0
fi

HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --kill-on-bad-exit=1 \\
  {torchrun} &
training=$!

leave() {{
  kill -TERM "$training" 2>/dev/null || true
  wait "$training" || true
}}
# the end of the time: a checkpoint, and back into the queue; a cancelled job only writes one
trap 'leave; scontrol requeue "$SLURM_JOB_ID"; exit 0' USR1
trap 'leave; exit 143' TERM INT

wait "$training"
dvc commit --force train@{variant}
"""


def script(
    values: Mapping[str, Any],
    *,
    variant: str,
    nodes: int,
    time: str,
    lead_seconds: int,
    directives: Mapping[str, str],
    overrides: Sequence[str],
    written_by: str,
) -> str:
    """The script that trains `variant` of an experiment's values on `nodes` machines.

    Raises:
        ConfigError: The ranks cannot be spread over the machines, or run on one engine only.
    """
    train = values["train"]
    ranks, threads = int(train["ranks"]), int(train["threads"])
    if train["engine"] != "deepspeed":
        raise ConfigError(
            f"train.engine={train['engine']} is one process; add train.engine=deepspeed "
            f"train.ranks=N, N the number of GPUs of all machines"
        )
    if ranks % nodes:
        raise ConfigError(
            f"train.ranks={ranks} cannot be spread over --nodes {nodes} machines evenly; "
            f"{_remedy(ranks, nodes, train)}"
        )
    each = ranks // nodes
    asked = dict(directives)
    if train["device"] == "cuda":
        asked = {"gpus-per-node": str(each), **asked}
    command = torchrun_command(
        ["-m", "hornbook", "train", variant],
        nodes=nodes,
        ranks=ranks,
        endpoint=f'"$HEAD:{PORT}"',
        run_id='"$SLURM_JOB_ID"',
        shutdown_seconds=max(_MARGIN_SECONDS, lead_seconds - _MARGIN_SECONDS),
    )
    composed = f"hornbook compose {shlex.join(overrides)}" if overrides else ""
    return _SCRIPT.format(
        variant=variant,
        nodes=nodes,
        cpus=each * threads,
        time=time,
        directives="".join(f"#SBATCH --{key}={value}\n" for key, value in sorted(asked.items())),
        lead=lead_seconds,
        first=f"{composed} && " if composed else "",
        compose=f"{composed}\n" if composed else "",
        torchrun=" \\\n    ".join(_wrapped(command)),
        written_by=written_by,
    )


def _remedy(ranks: int, nodes: int, train: Mapping[str, Any]) -> str:
    """A number of machines that divides the ranks, and ranks that divide the batch as well."""
    machines = min((n for n in range(1, ranks + 1) if ranks % n == 0), key=lambda n: abs(n - nodes))
    passes = int(train["batch_sequences"]) // int(train["micro_sequences"])
    fitting = [n for n in range(nodes, passes + 1, nodes) if passes % n == 0]
    if not fitting:
        return (
            f"take --nodes {machines}: no multiple of {nodes} ranks divides the {passes:,} passes "
            f"of a batch (train.batch_sequences={train['batch_sequences']}, "
            f"train.micro_sequences={train['micro_sequences']})"
        )
    nearest = min(fitting, key=lambda n: abs(n - ranks))
    return f"take --nodes {machines}, or add train.ranks={nearest}"


def _wrapped(words: Sequence[str]) -> list[str]:
    """Words in lines of at most 88 characters; they are quoted already."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) < 88:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def main(arguments: Sequence[str]) -> int:
    """`hornbook train slurm [OVERRIDES] --nodes N [--variant V] [--out FILE]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook train slurm",
        description="Write the Slurm script of one training: srun starts torchrun on each machine, "
        "a checkpoint is written before the time is up, and the job queues again.",
        epilog="example: hornbook train slurm scale=paper train.ranks=32 --nodes 4 --partition gpu "
        "--out train.sbatch; then: sbatch train.sbatch. Without OVERRIDES it is the experiment of "
        "params.yaml.",
    )
    parser.add_argument("overrides", nargs="*", help="as for hornbook compose")
    parser.add_argument("--nodes", type=int, required=True, help="machines; each gets ranks/nodes")
    parser.add_argument("--variant", default="phi-1_5", help="which training (default: phi-1_5)")
    parser.add_argument("--time", default="24:00:00", help="limit of one stay (default: 24:00:00)")
    parser.add_argument(
        "--lead", type=int, default=600, help="seconds before it to checkpoint (default: 600)"
    )
    parser.add_argument("--partition", help="Slurm partition")
    parser.add_argument("--account", help="Slurm account")
    parser.add_argument("--out", type=Path, help="file to write (default: standard output)")
    given = parser.parse_intermixed_args(list(arguments))
    if given.nodes < 1 or given.lead < 1:
        raise ConfigError(f"--nodes {given.nodes}, --lead {given.lead}: expected 1 or more")
    graph = load_graph(Path.cwd())
    name = f"train@{given.variant}"
    if name not in graph.stages:
        known = [stage.instance for stage in graph.stages.values() if stage.family == "train"]
        raise ConfigError(
            f"--variant {given.variant}: the variants are {', '.join(map(str, known))}"
        )
    directives = {"partition": given.partition, "account": given.account}
    text = script(
        compose(Path.cwd(), given.overrides) if given.overrides else graph.params,
        variant=given.variant,
        nodes=given.nodes,
        time=given.time,
        lead_seconds=given.lead,
        directives={key: value for key, value in directives.items() if value},
        overrides=given.overrides,
        written_by=f"hornbook train slurm {shlex.join(arguments)}",
    )
    if given.out is None:
        sys.stdout.write(text)
    else:
        given.out.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{given.out}: submit with sbatch {given.out}\n")
    return 0
