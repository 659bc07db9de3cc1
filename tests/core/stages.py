"""The stage that tests put in place of a real one."""

from hornbook.stage import Run


def function(run: Run) -> None:
    """Replaced by each test."""


def stage(run: Run) -> None:
    """Run what the test put in place."""
    function(run)
