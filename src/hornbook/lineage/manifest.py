"""`dvc.yaml`, `params.yaml` and `dvc.lock` as plain records.

DVC's own index gives the same graph (a test compares the two), but costs half a second of imports
in every stage process and every Dagster step; this reads the subset of the format that our
`dvc.yaml` uses: `foreach`/`matrix` with literal values, `foreach` over a value of `params.yaml`,
`${item...}` and `${key.of.params.yaml}`.
"""

import itertools
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from hornbook.errors import ConfigError
from hornbook.lineage.reading import refused, require_plain

_RECORDED = (
    "git checkout dvc.lock takes the committed one (in a merge: git checkout --ours dvc.lock), and "
    "hornbook run restores from the cache what was recorded since"
)
_DECLARED = "git diff dvc.yaml shows what was changed"
_PLACE = re.compile(r"\$\{\s*([^}]+?)\s*\}")


class _Loader(yaml.CSafeLoader):
    """YAML as DVC writes it: `1e-05` is a number (YAML 1.2), which YAML 1.1 takes for text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


@dataclass(frozen=True)
class Stage:
    """One stage of the graph with every template filled in.

    `code` are files that git tracks, `sources` are inputs below a `.dvc`-tracked path or outside
    the repository, `inputs` map an artifact path to the stage that writes it.
    """

    name: str
    family: str
    instance: str | None
    cmd: str
    desc: str
    meta: Mapping[str, Any]
    code: tuple[str, ...]
    sources: tuple[str, ...]
    inputs: Mapping[str, str]
    params: tuple[str, ...]
    out: str

    @property
    def producers(self) -> tuple[str, ...]:
        """The stages this one reads from, sorted."""
        return tuple(sorted(set(self.inputs.values())))

    @property
    def deps(self) -> tuple[str, ...]:
        """Every path the stage depends on."""
        return (*self.code, *self.sources, *self.inputs)


@dataclass(frozen=True)
class LockEntry:
    """What DVC recorded when a stage last ran: hashes and bytes by path, values by parameter."""

    cmd: str
    deps: Mapping[str, str]
    params: Mapping[str, Any]
    outs: Mapping[str, str]
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    read: Mapping[str, int] = field(default_factory=dict[str, int])  # bytes of each input

    @property
    def out_hash(self) -> str:
        """The DVC hash of the stage's output."""
        return next(iter(self.outs.values()), "")


@dataclass(frozen=True)
class Graph:
    """Stages in topological order, ties by name."""

    root: Path
    stages: Mapping[str, Stage]
    params: Mapping[str, Any]

    @cached_property
    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """Direct readers of each stage."""
        found: dict[str, list[str]] = {name: [] for name in self.stages}
        for stage in self.stages.values():
            for producer in stage.producers:
                found[producer].append(stage.name)
        return {name: tuple(sorted(readers)) for name, readers in found.items()}

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """All stages that `names` depend on, without `names` themselves unless they do."""
        return _closure(names, lambda name: self.stages[name].producers)

    def descendants(self, names: Iterable[str]) -> set[str]:
        """All stages that depend on `names`."""
        return _closure(names, lambda name: self.consumers[name])

    def param_values(self, stage: Stage) -> dict[str, Any]:
        """The declared keys of a stage with their values of today."""
        return {key: lookup(self.params, key) for key in stage.params}


def _closure(names: Iterable[str], following: Any) -> set[str]:  # noqa: ANN401 - str -> tuple
    todo, seen = list(names), set[str]()
    while todo:
        for name in following(todo.pop()):
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return seen


def lookup(params: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - any YAML value
    """The value of a dotted key.

    Raises:
        ConfigError: The key is not there.
    """
    value: Any = params
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise ConfigError(
                f"params.yaml has no {key!r}, which dvc.yaml reads; run: hornbook compose"
            )
        value = value[part]
    return value


def parse_yaml(text: str) -> Any:  # noqa: ANN401 - any YAML value
    """The value of a YAML text, by the fast loader where there is one."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader by construction


def _fill(text: str, scope: Mapping[str, Any]) -> str:
    return _PLACE.sub(lambda match: str(lookup(scope, match.group(1))), text)


def _instances(
    spec: Mapping[str, Any], params: Mapping[str, Any]
) -> list[tuple[str | None, dict[str, Any]]]:
    """The instance names of a stage with what `${item}` and `${key}` stand for."""
    if "matrix" in spec:
        axes = list(spec["matrix"])
        rows = itertools.product(*(spec["matrix"][axis] for axis in axes))
        return [
            ("-".join(map(str, row)), {"item": dict(zip(axes, row, strict=True))}) for row in rows
        ]
    if "foreach" in spec:
        each = spec["foreach"]
        if isinstance(each, str) and (place := _PLACE.fullmatch(each)):
            each = lookup(params, place.group(1))
        if isinstance(each, Mapping):
            return [(str(key), {"item": item, "key": key}) for key, item in each.items()]
        return [(str(item), {"item": item}) for item in each]
    return [(None, {})]


def _paths(entries: Iterable[Any], scope: Mapping[str, Any]) -> list[str]:
    names = (entry if isinstance(entry, str) else next(iter(entry)) for entry in entries)
    return [_fill(name, scope) for name in names]


def _tracked(root: Path) -> tuple[str, ...]:
    """Paths that `.dvc` files at the top level own."""
    return tuple(
        out["path"]
        for file in sorted(root.glob("*.dvc"))
        if file.is_file()
        for out in _outs_of(file)
    )


def _outs_of(file: Path) -> list[dict[str, Any]]:
    """What a `.dvc` file records.

    Raises:
        ConfigError: It is damaged.
    """
    with refused(str(file), f"git checkout {file.name} puts back what was committed"):
        outs = (parse_yaml(file.read_text("utf-8")) or {}).get("outs", [])
        return [{**out, "path": str(out["path"])} for out in outs]


def _below(path: str, parents: Iterable[str]) -> str | None:
    return next((p for p in parents if path == p or path.startswith(f"{p}/")), None)


def load_graph(root: Path, *, params: Mapping[str, Any] | None = None) -> Graph:
    """The graph that `dvc.yaml` declares, with `params` in place of `params.yaml` where given.

    Raises:
        ConfigError: `dvc.yaml` or `params.yaml` is absent or broken.
    """
    declared = load_mapping(root / "dvc.yaml")
    values = params if params is not None else load_mapping(root / "params.yaml")
    raw: dict[str, dict[str, Any]] = {}
    with refused(f"{root / 'dvc.yaml'}: stages", _DECLARED):
        families = dict(declared.get("stages", {}).items())
    for family, spec in families.items():
        with refused(f"{root / 'dvc.yaml'}: the stage {family}", _DECLARED):
            raw |= _declared(family, spec, values)
    outs: dict[str, str] = {}
    for name, fields in raw.items():
        if fields["out"] in outs:
            raise ConfigError(
                f"dvc.yaml: {outs[fields['out']]} and {name} both write {fields['out']}; an "
                f"artifact has one stage"
            )
        outs[fields["out"]] = name
    tracked = _tracked(root)
    stages = {name: _stage(name, fields, outs, tracked) for name, fields in raw.items()}
    try:
        order = TopologicalSorter({name: stages[name].producers for name in sorted(stages)})
        return Graph(root, {name: stages[name] for name in order.static_order()}, values)
    except CycleError as error:
        raise ConfigError(f"dvc.yaml has a cycle: {' -> '.join(error.args[1])}") from error


def _declared(family: str, spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What `dvc.yaml` says of each instance of a family, with its templates filled in."""
    body, found = spec.get("do", spec), dict[str, dict[str, Any]]()
    for instance, item in _instances(spec, values):
        scope = {**values, **item}
        found[family if instance is None else f"{family}@{instance}"] = {
            "family": family,
            "instance": instance,
            "cmd": _fill(str(body["cmd"]), scope),
            "desc": _fill(" ".join(str(body.get("desc", "")).split()), scope),
            "meta": dict((body.get("meta") or {}).items()),
            "deps": list(dict.fromkeys(_paths(body.get("deps", []), scope))),
            "params": _paths(body.get("params", []), scope),
            "out": _paths(body["outs"], scope)[0],
        }
    return found


def _stage(
    name: str, fields: Mapping[str, Any], outs: Mapping[str, str], tracked: tuple[str, ...]
) -> Stage:
    inputs: dict[str, str] = {}
    code: list[str] = []
    sources: list[str] = []
    for path in fields["deps"]:
        if made := _below(path, outs):
            inputs[path] = outs[made]
        elif _below(path, tracked) or path.startswith(("/", "..")):
            sources.append(path)
        else:
            code.append(path)
    return Stage(
        name=name,
        family=fields["family"],
        instance=fields["instance"],
        cmd=fields["cmd"],
        desc=fields["desc"],
        meta=fields["meta"],
        code=tuple(sorted(code)),
        sources=tuple(sorted(sources)),
        inputs=dict(sorted(inputs.items())),
        params=tuple(sorted(fields["params"])),
        out=fields["out"],
    )


def load_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file of the checkout is.

    Raises:
        ConfigError: It is absent or broken; what to do is said.
    """
    if not path.exists():
        remedy = "run: hornbook compose" if path.name == "params.yaml" else _way_up(path.parent)
        raise ConfigError(f"{path} is not there; {remedy}")
    with refused(str(path), f"git diff {path.name} shows what was changed"):
        value = parse_yaml(path.read_text("utf-8"))
        require_plain(path.name, value)
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds {type(value).__name__}, expected a mapping")
    return value


def _way_up(folder: Path) -> str:
    """Where the checkout is that a folder is in."""
    above = next((one for one in folder.parents if (one / "dvc.yaml").is_file()), None)
    return f"cd to the top of the checkout: {above}" if above else "is this a checkout?"


def require_checkout(root: Path) -> None:
    """Refuse to answer for a folder that is no checkout, where there is nothing to see.

    Raises:
        ConfigError: There is no `dvc.yaml`; the folder above that has one is named.
    """
    if not (root / "dvc.yaml").is_file():
        raise ConfigError(f"{root / 'dvc.yaml'} is not there; {_way_up(root)}")


def load_lock(root: Path, revision: str | None = None) -> dict[str, LockEntry]:
    """What was recorded, in the work tree or at a git revision; empty where nothing was.

    Raises:
        ConfigError: The revision is unknown, or `dvc.lock` is not valid YAML.
    """
    if revision is None:
        file = root / "dvc.lock"
        with refused("dvc.lock", _RECORDED):
            return parse_lock(file.read_text("utf-8")) if file.exists() else {}
    shown = git_show(root, revision, "dvc.lock")
    return parse_lock(shown) if shown is not None else {}


def parse_lock(text: str) -> dict[str, LockEntry]:
    """The entries of a `dvc.lock`.

    Raises:
        ConfigError: It is damaged: cut off, or with the marks of a merge.
    """
    with refused("dvc.lock", _RECORDED):
        stages = dict((parse_yaml(text) or {}).get("stages", {}).items())
    found: dict[str, LockEntry] = {}
    for name, value in stages.items():
        with refused(f"dvc.lock: the record of {name}", _RECORDED):
            found[name] = _entry(value)
    return found


def _entry(value: Mapping[str, Any]) -> LockEntry:
    def hashes(items: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
        return {
            item["path"]: str(item.get("md5") or item.get("etag") or "") for item in items or []
        }

    return LockEntry(
        cmd=str(value["cmd"]),
        deps=hashes(value.get("deps")),
        params=(value.get("params") or {}).get("params.yaml", {}),
        outs=hashes(value.get("outs")),
        sizes=_sizes(value.get("outs")),
        read=_sizes(value.get("deps")),
    )


def _sizes(items: Iterable[Mapping[str, Any]] | None) -> dict[str, int]:
    return {item["path"]: int(item.get("size", 0)) for item in items or []}


def parse_entry(text: str) -> LockEntry:
    """One entry of a `dvc.lock`, as DVC's run cache keeps each by itself."""
    return _entry(parse_yaml(text))


def git_show(root: Path, revision: str, path: str) -> str | None:
    """A file at a revision, or None where the revision lacks it.

    Raises:
        ConfigError: git does not know the revision.
    """
    known = subprocess.run(
        ["git", "rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if known.returncode:
        raise ConfigError(f"git knows no revision {revision!r}; git log --oneline --all lists them")
    shown = subprocess.run(
        ["git", "show", f"{revision}:./{path}"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return None if shown.returncode else shown.stdout
