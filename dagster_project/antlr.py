"""Dagster's selection parser beside Hydra's, each on the ANTLR runtime it was generated for.

Hydra needs antlr4 4.9, Dagster's parser 4.13, and pip can install only one: without this every
selection string fails with `ord() expected string of length 1` (dagster#27487). `make env` puts
4.13 into a folder of its own; remove this module when hydra-core 1.4 is released.
"""

import importlib
import sys
from pathlib import Path

PRIVATE = Path(sys.prefix) / "antlr-4.13"
PARSER = "dagster._core.definitions.antlr_asset_selection.antlr_asset_selection"


def _ours() -> list[str]:
    return [name for name in sys.modules if name == "antlr4" or name.startswith("antlr4.")]


def bind(private: Path = PRIVATE) -> bool:
    """Load Dagster's parser with the private runtime; whether there was one to load."""
    if PARSER in sys.modules or not private.is_dir():
        return PARSER in sys.modules
    saved = {name: sys.modules.pop(name) for name in _ours()}
    sys.path.insert(0, str(private))
    try:
        importlib.import_module(PARSER)
    finally:
        sys.path.remove(str(private))
        for name in _ours():
            del sys.modules[name]
        sys.modules.update(saved)
    return True
