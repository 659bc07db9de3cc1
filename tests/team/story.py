"""Two people, one remote: an experiment goes from one clone to the other, and comes out the same.

A server of S3's protocol keeps the artifacts, PostgreSQL the runs of Dagster and MLflow; both are
started here, on free ports and in a temporary folder, and ended with the story. Everything is
asserted. `make team-demo` runs it; docs/team.md tells it.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from hornbook.lineage.cache import cache_folder

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "hornbook"
OVERRIDE = "report.tables.significance=0.01"
TABLES, OWN = "benchmark_tables", "topic_seeds"
DEBIAN = Path("/usr/lib/postgresql")
SHOWN = 14  # lines of what a command says
HORNBOOK = (sys.executable, "-m", "hornbook")
# the code of the clone, before what the caller adds
PATHS = os.pathsep.join(["src", *filter(None, [os.environ.get("PYTHONPATH")])])


def main() -> int:
    """Tell the story; an assertion ends it."""
    for signal_ in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_, end_as_interrupted)
    started = time.monotonic()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # keys and passwords come from the environment, and are made up for this story
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "team",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
        "AWS_DEFAULT_REGION": "us-east-1",
        "PGPASSWORD": secrets.token_hex(16),
        "PYTHONWARNINGS": "ignore",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }
    for name in ("DVC_ROOT", "DAGSTER_HOME", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="hornbook-team-") as folder:
        place = Path(folder)
        place.chmod(0o755)  # PostgreSQL runs as another user where we are root
        with s3_server(place) as s3, postgres(place) as database:
            ana = first_clone(place, s3)
            revision = ana_runs_and_pushes(ana)
            ben = ben_lists_and_pulls(place, ana, revision)
            ben_compares(ben)
            ben_makes_the_tables_again(ben, revision)
            both_write_to_one_database(ana, ben, database)
    print(f"\nthe story passed in {time.monotonic() - started:.0f} s; nothing is left running")
    return 0


def say(text: str) -> None:
    """A heading of the transcript."""
    print(f"\n# {text}", flush=True)


class Clone:
    """One person's checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def cache(self) -> Path:
        return self.root / ".dvc" / "cache" / "files" / "md5"

    def run(self, *command: str, is_quiet: bool = False, is_checked: bool = True) -> str:
        """What a command says; both are told."""
        words = " ".join(command).replace(" ".join(HORNBOOK), "hornbook")
        if not is_quiet:
            print(f"{self.root.name}$ {words}", flush=True)
        status, said, complaint = in_its_group(command, self.root)
        is_failed = is_checked and status != 0
        if not is_quiet or is_failed:
            lines = (said + (complaint if status else "")).splitlines()
            if len(lines) > SHOWN:
                lines = [*lines[:4], f"... {len(lines) - SHOWN} lines more", *lines[4 - SHOWN :]]
            for line in lines:
                print(f"    {line[:150]}", flush=True)
        assert not is_failed, f"{words} ended with {status}"
        return said

    def hornbook(self, *arguments: str) -> str:
        return self.run(*HORNBOOK, *arguments)

    def lock(self, revision: str = "HEAD") -> dict:
        return yaml.safe_load(self.run("git", "show", f"{revision}:dvc.lock", is_quiet=True))

    def has(self, digest: str) -> bool:
        return (self.cache / digest[:2] / digest[2:]).exists()


def in_its_group(command: Sequence[str], folder: Path) -> tuple[int, str, str]:
    """Exit status and what was said; with us, all that it started ends."""
    process = subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": PATHS}, start_new_session=True,
    )  # fmt: skip
    try:
        said, complaint = process.communicate()
    except BaseException:
        for signal_, seconds in ((signal.SIGINT, 30), (signal.SIGKILL, 5)):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, signal_)
                process.communicate(timeout=seconds)
        raise
    return process.returncode, said, complaint


def end_as_interrupted(*_: object) -> None:
    """Who ends the story ends its servers too: their `finally` is run."""
    raise KeyboardInterrupt


def out_of(lock: dict, stage: str) -> str:
    return lock["stages"][stage]["outs"][0]["md5"]


def first_clone(place: Path, s3: str) -> Clone:
    say("Ana has the graph of this checkout; where artifacts are is configuration that git carries")
    git(ROOT, "clone", "--quiet", "--bare", ".", str(place / "origin.git"))
    git(place, "clone", "--quiet", "origin.git", "ana")
    ana = Clone(place / "ana")
    for key, value in (("user.name", "Ana"), ("user.email", "ana@example.org")):
        git(ana.root, "config", key, value)
    git(ana.root, "switch", "--quiet", "-C", "team")
    if not has_tables(ana):
        make_small_tables(ana)
    ana.run("dvc", "remote", "add", "--default", "team", f"s3://{BUCKET}/dvc")
    ana.run("dvc", "remote", "modify", "team", "endpointurl", s3)
    git(ana.root, "commit", "--quiet", "--all", "-m", "artifacts are at team")
    git(ana.root, "push", "--quiet", "origin", "team")
    return ana


def has_tables(ana: Clone) -> bool:
    """Give Ana what this checkout has made; whether that is all that the tables are made from."""
    if (ROOT / "params.yaml").read_bytes() == (ana.root / "params.yaml").read_bytes():
        shutil.copyfile(ROOT / "dvc.lock", ana.root / "dvc.lock")
    cache = cache_folder(ROOT) / "files" / "md5"
    for stage in ana.lock()["stages"].values():
        for digest in objects(cache, stage["outs"][0]["md5"]):
            if (cache / digest).exists():
                link(cache / digest, ana.cache / digest)
    ana.run("dvc", "checkout", "--quiet", "--allow-missing", is_quiet=True)
    ana.run("dvc", "pull", "--quiet", "data.dvc", is_quiet=True)
    told = ana.run(*HORNBOOK, "status", TABLES, "--json", is_quiet=True, is_checked=False)
    return not json.loads(told)


def objects(cache: Path, digest: str) -> list[str]:
    """Where the cache keeps an artifact: its listing, and each file of it."""
    listing = cache / digest[:2] / digest[2:]
    rows = json.loads(listing.read_text("utf-8")) if listing.exists() else []
    digests = [digest, *(row["md5"] for row in rows)]
    return [f"{one[:2]}/{one[2:]}" for one in digests]


def make_small_tables(ana: Clone) -> None:
    say("no tables of HEAD are here (`make demo` makes them): Ana makes small ones, for minutes")
    file = ana.root / "conf" / "config.yaml"
    text = file.read_text("utf-8")
    assert "- scale: laptop" in text
    file.write_text(text.replace("- scale: laptop", "- scale: smoke"), encoding="utf-8")
    ana.hornbook("compose")
    ana.hornbook("run", TABLES)


def link(source: Path, target: Path) -> None:
    """The same file at another place, a copy where that is another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        shutil.copyfile(source, target)


def ana_runs_and_pushes(ana: Clone) -> str:
    say("Ana runs an experiment, and gives its artifacts and HEAD's tables to the team")
    ana.hornbook("experiment", "run", "strict", OVERRIDE, "--target", TABLES)
    assert ana.run("git", "status", "--porcelain", is_quiet=True) == ""
    ana.run("dvc", "push", "--quiet", TABLES)
    told = ana.hornbook("experiment", "push", "strict")
    assert "strict is at origin" in told
    refs = ana.run("git", "ls-remote", "origin", "refs/exps/*", is_quiet=True)
    return refs.split()[0]


def ben_lists_and_pulls(place: Path, ana: Clone, revision: str) -> Clone:
    say("Ben clones, lists what there is, and takes the table without the checkpoints")
    git(place, "clone", "--quiet", "--branch", "team", "origin.git", "ben")
    ben = Clone(place / "ben")
    assert ben.hornbook("experiment", "list", "--remote", "origin").split()[0] == "strict"
    ben.hornbook("experiment", "pull", "strict", "--stage", TABLES)
    lock = ben.lock(revision)
    assert ben.has(out_of(lock, TABLES))
    checkpoints = [name for name in lock["stages"] if name.startswith("train@")]
    assert checkpoints
    assert not any(ben.has(out_of(lock, name)) for name in checkpoints)
    assert all(ana.has(out_of(lock, name)) for name in checkpoints)
    print(f"    his cache has none of {', '.join(checkpoints)}")
    return ben


def ben_compares(ben: Clone) -> None:
    say("Ben runs one of his own, and asks why the two differ")
    ben.hornbook("experiment", "run", "fewer", "topics.selection.count=20", "--target", OWN)
    told = ben.hornbook("diff", "fewer", "strict")
    assert "report.tables.significance: 0.05 -> 0.01" in told
    assert OWN in told
    ben.run("dvc", "fetch", "--quiet", TABLES)
    told = ben.hornbook("experiment", "compare", "strict")
    assert "report.tables.significance" in told


def ben_makes_the_tables_again(ben: Clone, revision: str) -> None:
    say("Ben makes Ana's tables again from what they were made from: the same hash")
    ben.hornbook("experiment", "pull", "strict", "--stage", TABLES, "--inputs")
    ben.run("git", "switch", "--quiet", "--detach", revision)
    told = ben.hornbook("verify", TABLES)
    assert "bit-equal" in told
    ben.run("git", "switch", "--quiet", "team")
    print(f"    {out_of(ben.lock(revision), TABLES)}")


def both_write_to_one_database(ana: Clone, ben: Clone, database: str) -> None:
    say("Dagster's runs and MLflow's are in one PostgreSQL for both")
    # SQLAlchemy takes another driver than psycopg2 where none is named
    address = database.replace("postgresql://", "postgresql+psycopg2://")
    os.environ["MLFLOW_TRACKING_URI"] = f"{address}/mlflow"
    os.environ["HORNBOOK_POSTGRES_URL"] = f"{address}/dagster"
    ana.hornbook("track", "--stage", "train@phi-1_5")
    num_runs = query(database, "mlflow", "select count(*) from runs where status = 'FINISHED'")
    assert int(num_runs) > 0
    print(f"    MLflow has {num_runs} runs")
    for clone in (ana, ben):
        os.environ["DAGSTER_HOME"] = str(clone.root / ".hornbook" / "dagster")
        code = "from dagster_project.ui import prepare_home; prepare_home()"
        clone.run(sys.executable, "-c", code, is_quiet=True)
        clone.run(
            "dagster", "asset", "materialize", "-m", "dagster_project.definitions",
            "--select", 'key:"topic_proposals"',
        )  # fmt: skip
    del os.environ["DAGSTER_HOME"]
    num_runs = query(database, "dagster", "select count(*) from runs where status = 'SUCCESS'")
    assert num_runs == "2"
    print(f"    Dagster has {num_runs} runs, one of each")


def query(database: str, name: str, statement: str) -> str:
    import psycopg2

    with psycopg2.connect(f"{database}/{name}") as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0])


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def s3_server(place: Path) -> Iterator[str]:
    """The address of a server of S3's protocol with an empty bucket."""
    import boto3
    from botocore.exceptions import BotoCoreError

    port = free_port()
    with (place / "s3.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        client = boto3.client("s3", endpoint_url=url)
        for _ in range(120):
            assert server.poll() is None, (place / "s3.log").read_text()
            with suppress(BotoCoreError):
                client.create_bucket(Bucket=BUCKET)
                break
            time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


@contextmanager
def postgres(place: Path) -> Iterator[str]:
    """The address of a PostgreSQL of its own, without a database's name; a password is asked."""
    binaries = next(iter(sorted(DEBIAN.glob("*/bin"), reverse=True)), None)
    initdb = shutil.which("initdb", path=str(binaries)) or shutil.which("initdb")
    if initdb is None:
        sys.exit("no PostgreSQL here: apt-get install -y postgresql")
    tools, home, port = Path(initdb).parent, place / "postgres", free_port()
    home.mkdir()
    # it refuses to run as root; Debian's package makes a user for it
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(home, "postgres")
    password = place / "password"
    password.write_text(os.environ["PGPASSWORD"])
    password.chmod(0o644)
    data = str(home / "data")
    settings = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={home}"
    control = [*as_user, str(tools / "pg_ctl"), "-D", data, "-w", "-s"]
    create = [str(tools / "initdb"), "-D", data, "-U", "team", "-A", "scram-sha-256"]

    def quietly(*command: str) -> None:
        subprocess.run(command, check=True, cwd=place, stdout=subprocess.DEVNULL)

    quietly(*as_user, *create, "--pwfile", str(password))
    password.unlink()
    quietly(*control, "-o", settings, "-l", str(home / "log"), "start")
    try:
        address = f"postgresql://team:{os.environ['PGPASSWORD']}@127.0.0.1:{port}"
        for name in ("dagster", "mlflow"):
            made = [str(tools / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "team", name]
            quietly(*made)
        yield address
    finally:
        quietly(*control, "-m", "fast", "stop")


if __name__ == "__main__":
    sys.exit(main())
