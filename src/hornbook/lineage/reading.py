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


def require_plain(where: str, value: Any, above: tuple[int, ...] = ()) -> None:  # noqa: ANN401
    """Refuse what neither a record nor JSON can hold.

    Raises:
        ConfigError: A value contains itself, or is a date or a set; its place is named.
    """
    if id(value) in above:
        raise ConfigError(f"{where} contains itself: a YAML anchor (&) is used inside of itself")
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            require_plain(f"{where}: {key}", inner, (*above, id(value)))
    elif value is not None and not isinstance(value, str | int | float):
        raise ConfigError(
            f"{where} is {value!r}, a {type(value).__name__}: only texts, numbers, lists and "
            f'mappings can be recorded; a date or a time stands in quotes: "{value}"'
        )
