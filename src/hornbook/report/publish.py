"""`hornbook report --out DIR`: the report as a folder to publish, with what only the record knows.

The stage `report` may show nothing that is not its input, or it would be another one at each
commit. Revision, hashes of code and data, seeds, costs and experiments come from git, `dvc.lock`
and the measurements, and are written into the places that the pages keep for them.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json, write_bytes, write_json, write_text
from hornbook.diff import html
from hornbook.diff.causes import Change
from hornbook.diff.found import Found, find
from hornbook.diff.revisions import experiments
from hornbook.errors import ArtifactError, ConfigError
from hornbook.lineage.explain import Node, provenance, total
from hornbook.lineage.forecast import duration
from hornbook.lineage.manifest import LockEntry, load_graph, load_lock
from hornbook.lineage.processes import git_says
from hornbook.lineage.workspace import Hasher, Reason, compare
from hornbook.report.lineage_drawing import slug
from hornbook.report.site import templates

TEMPLATES = Path(__file__).parent / "published"
STAGE = "report"
LISTED = "site.json"  # names of the files that an earlier call wrote, so that it can be followed
PAGES_FLAG = ".nojekyll"  # GitHub Pages then serves every file as it is
PLACE = re.compile(r"<!-- published: (\S+) -->")
LINKS, FOOT = "links", "foot"


@dataclass(frozen=True)
class Experiment:
    """An experiment, the name of its page, and what differs from HEAD."""

    name: str
    page: str
    found: Found


def publish(root: Path, out: Path, names: Sequence[str] | None = None) -> int:
    """Write the site below `out`; the number of its files.

    `names` are the experiments that are compared with HEAD, all where None.

    Raises:
        ArtifactError: The report is not up to date.
        ConfigError: `out` holds files of something else, or there is no such experiment.
    """
    lock = load_lock(root)
    made = _report(root, lock)
    known = experiments(root)
    for name in names or ():
        if name not in known:
            raise ConfigError(
                f"no experiment {name!r}; there are: {', '.join(sorted(known)) or 'none'}"
            )
    files = {file.name: file.read_bytes() for file in sorted(made.iterdir()) if file.is_file()}
    kept = ("expectations.json", "summary.json")
    written = {name: content for name, content in files.items() if name not in kept}
    compared = [_experiment(root, name) for name in sorted(names if names is not None else known)]
    record = _Record(root, lock)
    for name in [name for name in written if name.endswith(".html")]:
        text = PLACE.sub(record.fill, written[name].decode("utf-8"))
        written[name] = text.encode()
    pages = {"record.html": record.page(compared)}
    pages |= {one.page: record.experiment(one) for one in compared}
    written |= {name: PLACE.sub(record.fill, text).encode() for name, text in pages.items()}
    _write(out, written, record.revision)
    return len(written)


def _report(root: Path, lock: Mapping[str, LockEntry]) -> Path:
    """The folder of the report, which is what its record says.

    Raises:
        ArtifactError: It is not there, or made of something else.
    """
    graph, hasher = load_graph(root), Hasher(root)
    stage = graph.stages.get(STAGE)
    if stage is None or STAGE not in lock:
        raise ArtifactError(
            f"dvc.{'yaml' if stage is None else 'lock'} has no stage {STAGE}, so there is no "
            f"report to publish; hornbook run {STAGE} makes it"
        )
    found = compare(stage, lock[STAGE], graph, hasher)
    hasher.save()
    reasons = [one for one in found if not _is_away(one, lock)]
    if len(reasons) == 1 and reasons[0].now == "missing" and reasons[0].kind == "output":
        raise ArtifactError(f"the report is not here: dvc pull {STAGE}, or hornbook run {STAGE}")
    if reasons:
        raise ArtifactError(
            f"the report is not that of this checkout: {reasons[0]}"
            f"{f' and {len(reasons) - 1} more' if len(reasons) > 1 else ''}; run: hornbook run "
            f"{STAGE} (or dvc checkout {stage.out}, where only the output differs)"
        )
    return root / stage.out


def _is_away(reason: Reason, lock: Mapping[str, LockEntry]) -> bool:
    """Whether an input is only not here, and recorded as the one that the report was made of."""
    if reason.now != "missing" or reason.kind not in {"input", "data"}:
        return False
    return reason.kind == "data" or any(
        entry.outs.get(reason.what) == reason.before for entry in lock.values()
    )


def _page_of(experiment: str) -> str:
    return f"experiment-{slug(experiment)}.html"


def _experiment(root: Path, name: str) -> Experiment:
    """What an experiment changed, seen from HEAD, without the places of this machine."""
    found = find(root, "HEAD", name)
    stages = [replace(one, changes=tuple(map(_public_change, one.changes))) for one in found.stages]
    causes = [replace(one, change=_public_change(one.change)) for one in found.causes]
    return Experiment(name, _page_of(name), replace(found, stages=stages, causes=causes))


def _public_change(change: Change) -> Change:
    """Of a place on this machine only the name, as what changed and as a value."""
    before, after = (
        json.dumps(_public(json.loads(one))) if one.startswith('"/') else one
        for one in (change.before, change.after)
    )
    return replace(change, what=_public(change.what), before=before, after=after)


class _Record:
    """What git, `dvc.lock` and the measurements know, as parts of pages."""

    def __init__(self, root: Path, lock: Mapping[str, LockEntry]) -> None:
        self.revision = git_says(root, "rev-parse", "HEAD")
        self._told = {
            "revision": self.revision,
            "date": git_says(root, "show", "-s", "--format=%cs", "HEAD"),
            "is_dirty": bool(git_says(root, "status", "--porcelain", "-uno")),
        }
        self._root, self._lock = root, lock
        self._nodes = provenance(root, lock, STAGE)
        found = html.environment(templates(TEMPLATES, html.TEMPLATES))
        found.filters["duration"] = duration
        hashes = {name: node.hash for name, node in self._nodes.items() if name != STAGE}
        found.globals.update({"hashes": hashes})  # pyright: ignore[reportArgumentType, reportCallIssue]
        self._templates = found

    def fill(self, place: re.Match[str]) -> str:
        """What stands in a place that a page keeps: a link, a foot, or an artifact's record."""
        name = place[1]
        if name == LINKS:
            return '<a href="record.html">Record</a>'
        if name == FOOT:
            return f"The record is of revision {self.revision[:7] or 'none'}."
        if name not in self._lock:
            return ""
        nodes = provenance(self._root, self._lock, name)
        return self._render("record_of.html.j2", node=_shown(nodes[name]), total=total(nodes))

    def page(self, compared: Sequence[Experiment]) -> str:
        """The page of revision, stages and experiments."""
        nodes = [_shown(node) for name, node in self._nodes.items() if name != STAGE]
        told = total(self._nodes)
        return self._render("record.html.j2", nodes=nodes, total=told, experiments=compared)

    def experiment(self, one: Experiment) -> str:
        """The page of an experiment: the same as `hornbook diff HEAD NAME --html` shows."""
        told = html.parts(one.found, f"Experiment {one.name}")
        return self._render("experiment.html.j2", name=one.name, **told)

    def _render(self, name: str, /, **told: Any) -> str:  # noqa: ANN401 - whatever a template reads
        return self._templates.get_template(name).render(**self._told, **told)


def _shown(node: Node) -> dict[str, Any]:
    """A node without the places of this machine."""
    inputs = {_public(path): digest for path, digest in node.sources.items()}
    return {**vars(node), "sources": inputs, "seeds": node.seeds}


def _public(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path


def _write(out: Path, files: Mapping[str, bytes], revision: str) -> None:
    """Write the files and take away those of an earlier call that are none any more.

    Raises:
        ConfigError: The folder holds files, and no earlier call wrote there.
    """
    listing = out / LISTED
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {out} is no folder to write to ({error.strerror})") from error
    if out.exists() and not listing.exists() and any(_visible(out)):
        raise ConfigError(
            f"{out} is not empty and no site of hornbook; name a new folder, or empty this one"
        )
    earlier = read_json(listing)["files"] if listing.exists() else []
    for name in {name for name in earlier if Path(name).name == name} - set(files):
        (out / name).unlink(missing_ok=True)
    for name, content in files.items():
        write_bytes(out / name, content)
    write_text(out / PAGES_FLAG, "")
    write_json(listing, {"revision": revision, "files": sorted(files)})


def _visible(out: Path) -> Iterator[Path]:
    """What is in a folder besides what begins with a dot, such as the .git of a branch of pages."""
    return (one for one in out.iterdir() if not one.name.startswith("."))


def main(arguments: Sequence[str]) -> int:
    """`hornbook report --out DIR [--experiment NAME]...`."""
    parser = argparse.ArgumentParser(
        prog="hornbook report",
        description="Write the report as a folder to publish: the pages of the stage `report` with "
        "revision, hashes, seeds and costs from git and dvc.lock, and a page for each experiment.",
        epilog="example: hornbook report --out site. Without --out it is the stage itself, which "
        "DVC runs: hornbook run report.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    parser.add_argument(
        "--experiment", action="append", help="only this one beside HEAD; may be repeated"
    )
    options = parser.parse_args(list(arguments))
    count = publish(Path.cwd(), options.out, options.experiment)
    print(f"{options.out / 'index.html'}: {count} files, ready for GitHub Pages")  # noqa: T201
    return 0
