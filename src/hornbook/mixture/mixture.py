"""Stage `mixture@VARIANT`: sources, weights and epochs of one variant. No token is copied."""

from hornbook.artifacts import read_json, write_json
from hornbook.mixture.config import Variant
from hornbook.mixture.manifest import build
from hornbook.stage import Run


def mixture(run: Run) -> None:
    """Write the manifest, or refuse a mixture for which there are not enough tokens."""
    import pandas as pd

    variant = run.instance or ""
    settings = run.section(f"mixture.variants.{variant}", Variant)
    folders = {corpus: run.input(f"artifacts/tokens/{corpus}") for corpus in settings.sources}
    manifest = build(
        variant,
        settings,
        {corpus: read_json(folders[corpus] / "meta.json") for corpus in sorted(folders)},
    )
    write_json(run.out / "mixture.json", manifest)
    run.expect("sources", pd.DataFrame(manifest["sources"]), settings.expectations, "corpus")
    run.summary(
        rows=len(manifest["sources"]),
        tokens=manifest["budget_tokens"],
        epochs={source["corpus"]: source["epochs"] for source in manifest["sources"]},
    )
