"""Our stage without its gate: FOLDER with artifacts/web/filtered/*.parquet; prints CPU seconds.

From parquet to the removed list and the parts that are left, verification included, in one
process. Writes the ids that are left to FOLDER/left.json.
"""

import json
import shutil
import sys
import time
from importlib import import_module
from pathlib import Path

from hornbook.artifacts import read_table, write_documents
from hornbook.clean.dedup import dedup
from tests.made_run import conf, made_run

READS = [f"artifacts/{name}" for name in ("clean/dedup/books", "clean/dedup/code", "web/filtered")]


def main(folder: Path) -> None:
    """One corpus below two empty ones."""
    for module in ("pyarrow.compute", "pyarrow.parquet", "pandas", "rensa"):
        import_module(module)  # before the clock starts, as the peers' libraries are
    for name in READS[:2]:
        write_documents(folder / name, [])
    shutil.rmtree(folder / ".pending", ignore_errors=True)
    run = made_run(folder, "dedup@web", reads=READS, params={"clean": conf("clean", "laptop")})
    run.expect = lambda *_: None  # the gate is Great Expectations' time
    started = time.process_time()
    dedup(run)
    seconds = time.process_time() - started
    left = read_table(run.out, ["id"]).column("id").to_pylist()
    (folder / "left.json").write_text(json.dumps(left), "utf-8")
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
