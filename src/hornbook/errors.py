"""Errors a user can cause, as a tree.

HornbookError
  ConfigError       a value in conf/ is missing, of the wrong type or contradicts another value
  InputError        data the user brought is absent, truncated or unreadable
  ArtifactError     a stage's input artifact is absent, stale, edited by hand or half-written
  ExpectationError  a dataset broke a Great Expectations suite
  TeacherError      the teacher could not be reached or returned nothing usable
  BudgetError       a declared cap on cost or tokens would be exceeded, or a price is unknown
  SandboxError      model-written code cannot be run safely here
  StageError        a stage process failed; its own message was printed before
  PeerError         another rank of the same training is gone
"""


class HornbookError(Exception):
    """Base class; the command line prints its message and exits with `status`."""

    status = 2


class ConfigError(HornbookError):
    """A value in conf/ is missing, of the wrong type or contradicts another value."""


class InputError(HornbookError):
    """Data the user brought is absent, truncated or unreadable."""


class ArtifactError(HornbookError):
    """A stage's input artifact is absent, stale, edited by hand or half-written."""


class ExpectationError(HornbookError):
    """A dataset broke a Great Expectations suite; the message names the rows."""


class TeacherError(HornbookError):
    """The teacher could not be reached or returned nothing usable."""


class BudgetError(HornbookError):
    """A declared cap on cost or tokens would be exceeded, or a price is unknown."""


class SandboxError(HornbookError):
    """Model-written code cannot be run safely here."""


class StageError(HornbookError):
    """A stage process failed; its own message was printed before."""


class PeerError(HornbookError):
    """Another rank of the same training is gone; that one knows why."""

    status = 75  # EX_TEMPFAIL: who watches the ranks looks for the one that ended otherwise
