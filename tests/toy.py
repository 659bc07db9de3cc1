"""A toy graph of three stages under real git and DVC."""

import os
import subprocess
import sys
from pathlib import Path

PARAMS = "left:\n  level: 1\nright:\n  level: 1\n"
DVC_YAML = """
stages:
  base:
    cmd: python tool.py base artifacts/base data/raw.txt
    deps: [tool.py, data/raw.txt]
    params: [left]
    outs: [artifacts/base]
    meta: {group: base}
  branch:
    foreach:
      one: {extra: base}
      two: {extra: base}
    do:
      cmd: python tool.py ${key} artifacts/branch/${key} artifacts/base/value.txt
      deps: [tool.py, artifacts/base, "artifacts/${item.extra}"]
      params: [right]
      outs: ["artifacts/branch/${key}"]
      meta: {group: branch, processor: true}
  end:
    cmd: >-
      python tool.py end artifacts/end
      artifacts/branch/one/value.txt artifacts/branch/two/value.txt
    deps: [tool.py, artifacts/branch/one, artifacts/branch/two]
    outs: [artifacts/end]
    meta: {group: end}
"""
TOOL = """
import pathlib, sys
import yaml
name, out, *inputs = sys.argv[1:]
params = yaml.safe_load(open('params.yaml'))
level = {'base': params['left'], 'end': {'level': 0}}.get(name, params['right'])['level']
out = pathlib.Path(out)
out.mkdir(parents=True)
text = ''.join(pathlib.Path(i).read_text() for i in inputs)
(out / 'value.txt').write_text(f'{name} {level}\\n{text}')
"""


class Toy:
    """A checkout of the toy graph with the commands a person would type."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, check: bool = True) -> str:
        here = str(Path(sys.executable).parent)
        done = subprocess.run(
            command,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
                "DVC_NO_ANALYTICS": "1",
                "GIT_AUTHOR_NAME": "t",
                "GIT_AUTHOR_EMAIL": "t@example.org",
                "GIT_COMMITTER_NAME": "t",
                "GIT_COMMITTER_EMAIL": "t@example.org",
            },
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def dvc(self, *arguments: str, check: bool = True) -> str:
        return self.run("dvc", *arguments, check=check)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text("utf-8")
        assert old in text, f"{path} does not contain {old!r}"
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)


def make_toy(root: Path) -> Toy:
    """The toy graph under git and DVC, not yet run; the path has a space on purpose."""
    root.mkdir(parents=True)
    one = Toy(root)
    one.run("git", "init", "-q")
    one.run("dvc", "init", "-q")
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "params.yaml").write_text(PARAMS)
    (root / "tool.py").write_text(TOOL)
    (root / "data").mkdir()
    (root / "data" / "raw.txt").write_text("raw\n")
    (root / ".gitignore").write_text("/artifacts/\n/.hornbook/\n/data/\n/.tmp*\n")
    one.dvc("add", "-q", "data")
    return one
