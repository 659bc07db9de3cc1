"""`hornbook sample build`: write the sample inputs again."""

import argparse
import hashlib
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from hornbook.artifacts import write_bytes, write_json, write_text
from hornbook.errors import InputError
from hornbook.sample.crawl import files
from hornbook.sample.sentences import sentences
from hornbook.teacher.micro import write_items

PYTHON = (3, 11)
PAGES = 3600
MODULES = [
    "abc",
    "argparse",
    "ast",
    "base64",
    "bisect",
    "bdb",
    "calendar",
    "cgi",
    "cmd",
    "code",
    "codecs",
    "codeop",
    "collections/__init__",
    "colorsys",
    "configparser",
    "contextlib",
    "copy",
    "copyreg",
    "csv",
    "dataclasses",
    "datetime",
    "difflib",
    "dis",
    "doctest",
    "enum",
    "filecmp",
    "fileinput",
    "fnmatch",
    "fractions",
    "ftplib",
    "functools",
    "genericpath",
    "getopt",
    "getpass",
    "gettext",
    "glob",
    "graphlib",
    "gzip",
    "hashlib",
    "heapq",
    "hmac",
    "html/__init__",
    "html/parser",
    "http/client",
    "http/cookies",
    "imghdr",
    "imaplib",
    "importlib/__init__",
    "importlib/resources/abc",
    "inspect",
    "io",
    "ipaddress",
    "json/__init__",
    "json/decoder",
    "json/encoder",
    "json/scanner",
    "keyword",
    "linecache",
    "locale",
    "logging/__init__",
    "logging/handlers",
    "lzma",
    "mailbox",
    "mailcap",
    "mimetypes",
    "modulefinder",
    "multiprocessing/pool",
    "multiprocessing/queues",
    "netrc",
    "nntplib",
    "ntpath",
    "numbers",
    "opcode",
    "operator",
    "optparse",
    "os",
    "pathlib",
    "pdb",
    "pickle",
    "pickletools",
    "pkgutil",
    "platform",
    "plistlib",
    "poplib",
    "posixpath",
    "pprint",
    "profile",
    "pstats",
    "pty",
    "py_compile",
    "pyclbr",
    "pydoc",
    "queue",
    "quopri",
    "random",
    "re/__init__",
    "re/_parser",
    "reprlib",
    "rlcompleter",
    "runpy",
    "sched",
    "secrets",
    "selectors",
    "shelve",
    "shlex",
    "shutil",
    "signal",
    "site",
    "smtplib",
    "sndhdr",
    "socket",
    "socketserver",
    "stat",
    "statistics",
    "string",
    "stringprep",
    "struct",
    "subprocess",
    "symtable",
    "sysconfig",
    "tabnanny",
    "tarfile",
    "telnetlib",
    "tempfile",
    "textwrap",
    "threading",
    "timeit",
    "token",
    "tokenize",
    "trace",
    "traceback",
    "tracemalloc",
    "types",
    "typing",
    "unittest/case",
    "unittest/mock",
    "unittest/suite",
    "urllib/parse",
    "urllib/request",
    "urllib/robotparser",
    "uu",
    "uuid",
    "venv/__init__",
    "warnings",
    "wave",
    "weakref",
    "webbrowser",
    "xml/dom/minidom",
    "xml/etree/ElementTree",
    "xml/sax/handler",
    "xml/sax/saxutils",
    "xmlrpc/client",
    "xmlrpc/server",
    "zipapp",
    "zipfile",
    "zoneinfo/_zoneinfo",
]
README = """# Sample inputs

Tracked by `data.dvc`; `docs/data.md` says what each folder holds and how it was made.

- `web/`: a small crawl of pages written by a generator of ours (CC0-1.0)
- `code/`: a fixed subset of the Python standard library, with its licence (PSF-2.0) and checksums
- `benchmarks/micro/`: micro-suites over the facts of the procedural teacher (CC0-1.0)
- `toxigen/sentences.json`: sentences for the safety score, written by us (CC0-1.0)
"""


def copy_code(out: Path) -> None:
    """The chosen modules with licence and checksums.

    Raises:
        InputError: This Python is of another version than the sample.
    """
    if sys.version_info[:2] != PYTHON:
        raise InputError(f"the sample's code is that of Python 3.11; this is {sys.version}")
    library = Path(sysconfig.get_paths()["stdlib"])
    folder = out / f"cpython-{'.'.join(map(str, sys.version_info[:3]))}"
    shutil.rmtree(out, ignore_errors=True)
    sums: list[str] = []
    for module in MODULES:
        content = (library / f"{module}.py").read_bytes()
        write_bytes(folder / f"{module}.py", content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {module}.py")
    shutil.copy(library / "LICENSE.txt", folder / "LICENSE.txt")
    write_text(folder / "CHECKSUMS.sha256", "\n".join(sums) + "\n")


def build(out: Path, *, pages: int = PAGES, seed: int = 0) -> None:
    """All sample inputs below `out`; the same arguments give the same bytes."""
    for name, content in files(pages, seed).items():
        write_bytes(out / "web" / name, content)
    copy_code(out / "code")
    write_json(out / "toxigen" / "sentences.json", sentences())
    write_items(out / "benchmarks" / "micro", seed)
    write_text(out / "README.md", README)


def main(arguments: Sequence[str]) -> int:
    """`hornbook sample build [--out FOLDER]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook sample",
        description="Write the sample inputs again; then: dvc add data && dvc push -r sample",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("build", help="write them")
    one.add_argument("--out", type=Path, default=Path("data"), help="default: data")
    options = parser.parse_args(list(arguments))
    build(options.out)
    print(f"sample inputs written to {options.out}")  # noqa: T201
    return 0
