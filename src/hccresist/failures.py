"""Errors as the user is told them, and the exit code that goes with each."""

from __future__ import annotations

import tempfile
import traceback
from typing import Final

from hccresist.errors import ComputationError, ConfigError, InputError, PackageError

FINE: Final = 0
BAD_INPUT: Final = 1
BAD_USAGE: Final = 2
FAILED: Final = 3
INTERRUPTED: Final = 130


class UsageError(ConfigError):
    """The command line cannot be carried out as it stands."""


def tell_error(error: Exception) -> int:
    """Tell an error in the user's words, and return the exit code that goes with it."""
    from hccresist import screen  # noqa: PLC0415  (only when there is something to tell)
    from hccresist.citations import read_version  # noqa: PLC0415

    if isinstance(error, InputError):
        screen.print_issues(error.issues, screen.err())
        return BAD_INPUT
    if isinstance(error, PackageError):
        screen.print_error(str(error))
        return _code(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        screen.print_error(f"{place}{error.strerror or error}. Results that were there before are unchanged.")
        return BAD_INPUT if isinstance(error, PermissionError) else FAILED
    if isinstance(error, MemoryError):
        screen.print_error("there is not enough memory for this study. Nothing was written.")
        return FAILED
    screen.print_error(
        f"an error that should not happen: {type(error).__name__}: {error}\n"
        f"Its details are in {_write_traceback(error)}. Please report it with that file, the version "
        f"({read_version('hccresist')}) and the command; take out what identifies a patient first."
    )
    return FAILED


def _code(error: PackageError) -> int:
    if isinstance(error, UsageError):
        return BAD_USAGE
    return FAILED if isinstance(error, ComputationError) else BAD_INPUT


def _write_traceback(error: Exception) -> str:
    text = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile(
        "w", prefix="hccresist-error-", suffix=".log", delete=False, encoding="utf-8"
    ) as handle:
        handle.write(text)
    return handle.name
