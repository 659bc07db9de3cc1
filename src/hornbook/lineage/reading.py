"""Files that people, git or a crash may have left in any state: read, or refused with the remedy.

What tells apart is whose file it is. A declaration or a record that is damaged is refused; what
only remembers, so that something is quicker or shown beside, is as if it were not there.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from yaml import YAMLError

from hornbook.errors import ConfigError


def remembered(file: Path) -> dict[str, Any]:
    """The mapping in a JSON file that may be lost; empty where it is absent or damaged."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def refused(what: str, remedy: str) -> Generator[None]:
    """What is read here is refused where it is not of its form, whatever it is instead.

    Raises:
        ConfigError: It is no text, no YAML, or lacks or mistypes a part.
    """
    try:
        yield
    except ConfigError:
        raise
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is damaged: it is no UTF-8 text ({error}); {remedy}") from error
    except YAMLError as error:
        raise ConfigError(f"{what} is not valid YAML: {error}; {remedy}") from error
    except KeyError as error:
        raise ConfigError(f"{what} lacks {error.args[0]!r}; {remedy}") from error
    except RecursionError as error:
        raise ConfigError(f"{what} contains itself; {remedy}") from error
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ConfigError(f"{what} is not of its form: {error}; {remedy}") from error
