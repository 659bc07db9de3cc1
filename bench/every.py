"""Run every bench of this folder, or those named, and write docs/performance.md.

python bench/every.py [NAME ...]
"""

import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
ELSEWHERE = {"gpu"}  # measured on another machine: bench/gpu.sh
HEAD = """# Performance

Ours beside named peers, each bench in one run on one machine, in CPU time; medians. `make bench`
writes this page, `python bench/every.py NAME` one part of it. The last line of each block is what
the bench returns; its docstring says what the keys mean.
A ratio holds where a time does not: compare ratios.

{machine}, Python {python}.
"""


def main() -> None:
    """Run all, or those that are named; write them beside what the page has of the others."""
    benches = {file.stem: file for file in sorted(HERE.glob("*.py")) if is_bench(file)}
    named = sys.argv[1:] or list(benches)
    if unknown := sorted(set(named) - set(benches)):
        raise SystemExit(f"no bench {', '.join(unknown)}; there are {', '.join(benches)}")
    for name in named:
        print(f"bench/{name}.py", flush=True)
        command = [sys.executable, str(benches[name])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout, flush=True)
        if done.returncode:
            raise SystemExit(f"bench/{name}.py failed:\n{done.stderr[-2000:]}")
        write_section(name, done.stdout)


def write_section(name: str, text: str) -> None:
    """Put what a bench printed on the page, beside what it has of others."""
    sections = written() | {name: f"## {name}\n\n```text\n{text.strip()}\n```\n"}
    head = HEAD.format(machine=processor(), python=platform.python_version())
    if name in ELSEWHERE and PAGE.exists():
        head = PAGE.read_text("utf-8").partition("\n## ")[0]  # of the machine of all others
    known = {file.stem for file in HERE.glob("*.py")} | ELSEWHERE
    parts = [sections[one] for one in sorted(sections) if one in known]
    PAGE.write_text("\n".join([head, *parts]), encoding="utf-8")


def is_bench(file: Path) -> bool:
    """Whether a file is run and not imported."""
    return file.name != Path(__file__).name and "__main__" in file.read_text("utf-8")


def written() -> dict[str, str]:
    """The sections that the page has, by their name."""
    if not PAGE.exists():
        return {}
    _, *parts = PAGE.read_text("utf-8").split("\n## ")
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def processor() -> str:
    """The processor's name and the number of cores."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {len(names)} cores"


if __name__ == "__main__":
    main()
