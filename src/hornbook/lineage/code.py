"""Which files of ours a stage runs: the code dependencies that `dvc.yaml` has to list.

Found by following imports in the source text, so the list needs no run. What cannot change a byte
is left out by rule (D-003): errors, schemas, progress, the process around a stage, the map over
shards, the plan of a training, measurements and the lineage records.
"""

import argparse
import ast
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from hornbook.artifacts import write_text
from hornbook.errors import ConfigError

EXECUTION = {
    "__init__", "__main__", "cluster", "compute", "config", "errors", "progress", "runtime",
    "stage", "stages",
}  # fmt: skip
_NO_BYTES = (["diff"], ["lineage"], ["measure"], ["plan"])  # packages that no artifact is made by
PACKAGE = "hornbook"


def is_execution(module: str) -> bool:
    """Whether a module can never change a byte of an artifact."""
    parts = module.split(".")
    return parts[-1] in EXECUTION or parts[1:2] in _NO_BYTES or len(parts) == 1


def module_file(src: Path, module: str) -> Path | None:
    """The file of a module of ours; None where the name is not a module."""
    base = src.joinpath(*module.split("."))
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.exists():
            return file
    return None


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names imported anywhere but under TYPE_CHECKING, inside functions too."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            todo += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        todo += ast.iter_child_nodes(node)


def _data_files(file: Path, text: str) -> Iterator[Path]:
    """Package data that the source names, by file name or by its folder's name."""
    for beside in sorted(file.parent.rglob("*")):
        inside = beside.relative_to(file.parent)
        if beside.suffix == ".py" or not beside.is_file() or "__pycache__" in inside.parts:
            continue
        named = inside.parts[0] if len(inside.parts) > 1 else beside.name
        if f'"{named}"' in text or f'"{beside.name}"' in text or f"/{beside.name}" in text:
            yield beside


def code_of(root: Path, module: str) -> list[str]:
    """Files below `src/` that running `module` reads, sorted."""
    src = root / "src"
    todo, seen, found = [module], set[str](), set[Path]()
    while todo:
        name = todo.pop()
        if name in seen or not name.startswith(f"{PACKAGE}."):
            continue
        seen.add(name)
        file = module_file(src, name)
        if file is None or (is_execution(name) and name != module):
            continue
        text = file.read_text("utf-8")
        if file.name != "__init__.py" or _has_code(text):
            found.add(file)
        found.update(_data_files(file, text))
        todo += _imports(ast.parse(text))
    return sorted(str(file.relative_to(root)) for file in found)


def _has_code(text: str) -> bool:
    """Whether a package file is more than its docstring."""
    return any(not isinstance(node, ast.Expr) for node in ast.parse(text).body)


def required(root: Path) -> dict[str, list[str]]:
    """The code dependencies of each stage family."""
    from hornbook.stages import STAGES

    return {family: code_of(root, where.split(":")[0]) for family, where in STAGES.items()}


def rewritten(text: str, needed: dict[str, list[str]]) -> str:
    """`dvc.yaml` with each stage's `src/` lines replaced by what it needs.

    Works on lines, so that comments and order of everything else stay as they are.
    """
    lines, family, in_deps, written = [], "", False, False
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if indent == 2 and line.rstrip().endswith(":"):
            family = line.strip().rstrip(":")
        if in_deps and not line.strip().startswith(("-", "#")):
            in_deps = False
        if in_deps and line.strip().startswith("- src/"):
            continue
        lines.append(line)
        if line.strip() == "deps:":
            in_deps, written = True, True
            pad = " " * (indent + 2)
            lines += [f"{pad}- {file}" for file in needed.get(family, [])]
    assert written, "dvc.yaml has no deps"
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """`python -m hornbook code-deps [--write]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook code-deps",
        description="Compare the src/ files that dvc.yaml lists with what each stage imports.",
    )
    parser.add_argument("--write", action="store_true", help="bring dvc.yaml up to date")
    options = parser.parse_args(list(arguments))
    file = Path.cwd() / "dvc.yaml"
    text = file.read_text("utf-8")
    now = rewritten(text, required(Path.cwd()))
    if yaml.safe_load(now) == yaml.safe_load(text):
        print("dvc.yaml lists the code that each stage runs")  # noqa: T201
        return 0
    if options.write:
        write_text(file, now)
        print("dvc.yaml written")  # noqa: T201
        return 0
    lines = difflib.unified_diff(text.splitlines(), now.splitlines(), "dvc.yaml", "needed", n=1)
    raise ConfigError("\n".join(lines) + "\nrun: hornbook code-deps --write")
