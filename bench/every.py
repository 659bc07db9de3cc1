"""Run every bench of this folder and write what they print into docs/performance.md."""

import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
HEAD = """# Performance

Ours beside named peers, in one run on one machine, in CPU time; medians. `make bench` writes this
page. The last line of each block is what the bench returns; its docstring says what the keys mean.
A ratio holds where a time does not: compare ratios.

{machine}, Python {python}.
"""


def main() -> None:
    """Run, show, write."""
    parts = [HEAD.format(machine=processor(), python=platform.python_version())]
    for file in sorted(HERE.glob("*.py")):
        if file.name in {Path(__file__).name, "peer.py"}:
            continue
        print(f"bench/{file.name}", flush=True)
        done = subprocess.run(
            [sys.executable, str(file)], capture_output=True, text=True, check=False
        )
        print(done.stdout, flush=True)
        if done.returncode:
            raise SystemExit(f"bench/{file.name} failed:\n{done.stderr[-2000:]}")
        parts.append(f"## {file.stem}\n\n```text\n{done.stdout.strip()}\n```\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def processor() -> str:
    """The processor's name and the number of cores."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {len(names)} cores"


if __name__ == "__main__":
    main()
