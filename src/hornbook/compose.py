"""`conf/` and overrides in, one validated `params.yaml` out."""

import argparse
import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hornbook.artifacts import write_json, write_text
from hornbook.errors import ConfigError
from hornbook.lineage.compared import compared
from hornbook.lineage.further_seeds import further_seeds
from hornbook.lineage.inputs import absent

_RUNTIME = "runtime"
_NOTHING = object()
LAST_FILE = ".hornbook/overrides.json"  # of the last compose here: overrides, hash of params.yaml
BYTES_DEPEND_ON = (
    "deepspeed",
    "fastwarc",
    "jinja2",
    "lm-eval",
    "matplotlib",
    "pyarrow",
    "rensa",
    "resiliparse",
    "scikit-learn",
    "selectolax",
    "tiktoken",
    "tokenizers",
    "torch",
    "transformers",
)


def compose(root: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The composed, resolved and validated values of an experiment.

    Raises:
        ConfigError: An unknown group option or key, a wrong type, or an impossible combination;
            the message has the name, what is allowed and the file.
    """
    for override in overrides:
        if override.lstrip("+~").startswith(f"{_RUNTIME}."):
            raise ConfigError(
                f"{override}: runtime values are not part of an experiment; set them in "
                f"conf/runtime/local.yaml or as HORNBOOK_<NAME> in the environment"
            )
    values, choices = _hydra(root, overrides)
    from hornbook.train.resolve import resolve

    context = values["model"].get("context_tokens")  # the schema is asked after this
    for name in ("train", "evaluate", "toxigen", "red_team", "perplexity"):
        values[name] = resolve(
            values[name], context_tokens=context if isinstance(context, int) else 0, name=name
        )
    values["environment"] = locked_versions(root)
    _validate(root, values, choices)
    values["seeds"] = sorted(values["seeds"])
    values["further_seeds"] = further_seeds(root, values["seeds"])
    values["compared"] = compared(root, values["models"]["compare"])
    if values["code"]["corpus"]["installed"]:
        from hornbook.code.installed import pinned

        values["code"]["corpus"]["installed"] = pinned(values["code"]["corpus"]["installed"])
    return _sorted(values)


def _hydra(root: Path, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Hydra's composition and the option chosen in each group."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    conf = root / "conf"
    if not (conf / "config.yaml").exists():
        raise ConfigError(f"{conf}/config.yaml is not there; run hornbook from a checkout's root")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf.resolve()), version_base=None):
            composed = hydra_compose("config", list(overrides), return_hydra_config=True)
            choices = dict(composed.hydra.runtime.choices)
            plain = OmegaConf.masked_copy(composed, [str(k) for k in composed if k != "hydra"])
            values = OmegaConf.to_container(plain, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(_explain(root, str(error), overrides)) from error
    if not isinstance(values, dict):
        raise ConfigError(f"{conf}/config.yaml must compose to a mapping")
    files = {str(k): str(v) for k, v in choices.items() if "hydra" not in str(k)}
    return {str(k): v for k, v in values.items()}, files


def _explain(root: Path, message: str, overrides: Sequence[str]) -> str:
    """Hydra's message in our words where we know better, else as it is."""
    given = " ".join(overrides) or "(no overrides)"
    unknown = re.search(r"Could not override '([^']+)'", message)
    if unknown:
        key = unknown.group(1)
        known = sorted(_flat_keys(_hydra(root, ())[0]))
        if key in known:
            return f"{given}: {key} takes further keys with a + before it: '+{key}={{KEY: VALUE}}'"
        near = difflib.get_close_matches(key, known, n=4, cutoff=0.5)
        parent = key.rpartition(".")[0]
        allowed = near or [k for k in known if k.startswith(parent)][:12]
        return f"{given}: conf/ has no key {key!r}; allowed near it: {', '.join(allowed)}"
    option = re.search(r"Could not find '([^']+)/([^'/]+)'", message)
    if option:
        group, name = option.groups()
        options = sorted(file.stem for file in (root / "conf" / group).glob("*.yaml"))
        near = difflib.get_close_matches(name, options, n=1)
        hint = f"; did you mean {group}={near[0]}?" if near else ""
        return (
            f"{given}: conf/{group}/ has no {name}.yaml; {group} is one of "
            f"{', '.join(options) or 'nothing: there is no such group'}{hint}"
        )
    unset = re.search(r"Environment variable '([^']+)' not found\W+full_key: (\S+)", message)
    if unset:
        name, key = unset.groups()
        return (
            f"{given}: {key} is in the folder that the environment variable {name} names, and it "
            f"is not set: export {name}=/path/to/it, or give {key}= itself"
        )
    return f"{given}: {' '.join(message.split())}"


LOCK_LINE = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;#]+)", re.MULTILINE)


def locked_versions(root: Path) -> dict[str, str]:
    """The pinned version of each package that can change a byte, from `requirements.lock`."""
    file = root / "requirements.lock"
    pinned = {name.lower(): version for name, version in LOCK_LINE.findall(file.read_text("utf-8"))}
    return {name: pinned[name] for name in BYTES_DEPEND_ON}


def last_overrides(root: Path) -> list[str]:
    """The overrides of the last `hornbook compose` in this checkout."""
    found = _last(root).get("overrides", [])
    is_list = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return found if is_list else []


def last_written(root: Path) -> str | None:
    """The SHA-256 of `params.yaml` as `hornbook compose` last wrote or found it here."""
    return _last(root).get("params")


def _last(root: Path) -> dict[str, Any]:
    try:
        found = json.loads((root / LAST_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {"overrides": found}


def _flat_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat_keys(value, f"{prefix}{key}.")


def _validate(root: Path, values: Mapping[str, Any], choices: Mapping[str, str]) -> None:
    from pydantic import TypeAdapter, ValidationError

    from hornbook.schema import Params

    try:
        TypeAdapter(Params).validate_python(values)
    except ValidationError as error:
        lines = [_one(root, dict(found), values, choices) for found in error.errors()[:5]]
        raise ConfigError("\n".join(lines)) from error


def _one(
    root: Path, found: Mapping[str, Any], values: Mapping[str, Any], choices: Mapping[str, str]
) -> str:
    """A pydantic finding as key, value, what is allowed, and the file that says it."""
    path = [str(part) for part in found["loc"]]
    key = ".".join(path)
    parent: Any = values
    for part in path[:-1]:
        parent = parent.get(part, {}) if isinstance(parent, Mapping) else {}
    where = _file_of(root / "conf", path, choices)
    if found["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        allowed = sorted(set(parent) - {path[-1]}) if isinstance(parent, Mapping) else []
        return f"{where}: {key} is not a setting; beside it are {', '.join(map(str, allowed))}"
    if found["type"] == "missing":
        return f"{where}: {key} is missing"
    message = str(found["msg"]).removeprefix("Value error, ")
    # A rule over several settings finds fault with their whole section: its message names them.
    shown = "" if isinstance(found["input"], Mapping) else f"={found['input']!r}"
    return f"{where}: {key}{shown}: {message}"


def _file_of(conf: Path, path: Sequence[str], choices: Mapping[str, str]) -> str:
    """The file that gives the key at `path` its value: the group's option, or one it builds on."""
    if not path or path[0] not in choices:
        return "conf/config.yaml"
    # a group within a group, such as books/prompts, has files of its own
    depth = 2 if "/".join(path[:2]) in choices else 1
    group = "/".join(path[:depth])
    name, path = choices[group], path[depth - 1 :]
    first = f"conf/{group}/{name}.yaml"
    while True:
        file = conf / group / f"{name}.yaml"
        content = yaml.safe_load(file.read_text("utf-8")) or {} if file.exists() else {}
        held: Any = content
        for part in path[1:]:
            held = held.get(part, _NOTHING) if isinstance(held, Mapping) else _NOTHING
        bases = [b for b in content.get("defaults", []) if isinstance(b, str) and b != "_self_"]
        if held is not _NOTHING or not bases:
            return first if held is _NOTHING else f"conf/{group}/{name}.yaml"
        name = bases[0]


def _sorted(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    if isinstance(value, Mapping):
        return {str(key): _sorted(value[key]) for key in sorted(value, key=str)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def render(values: Mapping[str, Any]) -> str:
    """`params.yaml`: sorted, no comments, no anchors, so that equal values are equal bytes."""
    return yaml.safe_dump(dict(values), sort_keys=True, allow_unicode=True, width=100)


def write_params(root: Path, overrides: Sequence[str] = ()) -> bool:
    """Compose and write `params.yaml`; whether it changed."""
    text = render(compose(root, overrides))
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_json(root / LAST_FILE, {"overrides": list(overrides), "params": digest})
    file = root / "params.yaml"
    if file.exists() and file.read_text("utf-8") == text:
        return False
    write_text(file, text)
    return True


def check_params(root: Path, overrides: Sequence[str] = ()) -> list[str]:
    """The keys in which `params.yaml` differs from what `conf/` composes to now."""
    from hornbook.lineage.workspace import flatten

    file = root / "params.yaml"
    now = flatten(compose(root, overrides))
    was = flatten(yaml.safe_load(file.read_text("utf-8")) or {}) if file.exists() else {}
    return sorted(k for k in {*now, *was} if now.get(k, _NOTHING) != was.get(k, _NOTHING))


def _groups(root: Path) -> str:
    """The config groups with their options, as the end of `--help`."""
    conf = root / "conf"
    folders = sorted(folder for folder in conf.glob("*/") if folder.name != _RUNTIME)
    folders += sorted(folder for folder in conf.glob("*/prompts/"))
    rows = [(f.relative_to(conf), sorted(file.stem for file in f.glob("*.yaml"))) for f in folders]
    return "\n".join(f"  {name!s:<15}{' | '.join(options)}" for name, options in rows if options)


def main(arguments: Sequence[str]) -> int:
    """`hornbook compose [--check] [OVERRIDES]`."""
    root = Path.cwd()
    parser = argparse.ArgumentParser(
        "hornbook compose",
        description="Write params.yaml, the values of the experiment, from conf/ and overrides.",
        epilog=f"""groups and their options (GROUP=OPTION):
{_groups(root)}

examples: hornbook compose                          back to the values of conf/config.yaml
          hornbook compose scale=smoke              one group chooses every stage's size
          hornbook compose web.filter.threshold=4   one value""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="only say whether params.yaml differs")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides: GROUP=OPTION or KEY=VALUE")
    options = parser.parse_intermixed_args(list(arguments))
    if options.check:
        return _report_check(root, options.overrides)
    is_changed = write_params(root, options.overrides)
    print(f"params.yaml {'written' if is_changed else 'unchanged'}")  # noqa: T201
    values = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    for key, place in absent(root, values).items():
        print(f"{key}={place} is not there: what reads it cannot run yet")  # noqa: T201
    return 0


def _report_check(root: Path, overrides: Sequence[str]) -> int:
    changed = check_params(root, overrides)
    if changed:
        shown = "\n".join(f"  {key}" for key in changed[:20])
        more = f"\n  and {len(changed) - 20} more" if len(changed) > 20 else ""
        raise ConfigError(
            f"params.yaml is out of date with conf/ in\n{shown}{more}\nrun: hornbook compose"
        )
    print("params.yaml is what conf/ composes to")  # noqa: T201
    return 0
