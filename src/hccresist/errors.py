"""Errors that hccresist raises on purpose.

::

    PackageError
    ├── InputError        what the user's data say cannot be used; carries every issue found
    ├── ConfigError       an option, policy or study.toml entry is wrong (exit code 2 or 1, see the CLI)
    └── ComputationError  a computation could not be finished on valid input
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hccresist.study.issues import Issue


class PackageError(Exception):
    """Base of every error that hccresist raises on purpose."""


class InputError(PackageError):
    """The input has problems; all of them are in `issues`.

    Parameters
    ----------
    issues
        Every problem found, in the order in which they should be shown.
    """

    def __init__(self, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__("\n".join(issue.sentence() for issue in self.issues))


class ConfigError(PackageError):
    """An option, a policy or an entry of ``study.toml`` is not what it should be."""


class ComputationError(PackageError):
    """A computation could not be finished although the input is valid."""
