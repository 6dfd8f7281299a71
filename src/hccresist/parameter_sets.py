"""Which typical values virtual patients are drawn from: the calibrated ensemble, or the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hccresist.errors import ConfigError

if TYPE_CHECKING:
    from hccresist.overcome.ensemble_file import Ensemble

CALIBRATED, TABLE = "calibrated", "table"
CHOICES: Final = (CALIBRATED, TABLE)
"""What can be asked for."""

UNCALIBRATED: Final = "parameters of the table, not calibrated to trials"
MOST_NAMED: Final = 8
"""Parameters named of those that stayed at their prior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSets:
    """Sets of typical values, and what must be said of them.

    Attributes
    ----------
    name
        ``calibrated`` or ``table``.
    members
        Sets that differ from the table; none for the table.
    centre
        The set in the middle; empty for the table.
    words
        What they are, in words, without a full stop.
    """

    name: str
    members: tuple[Mapping[str, float], ...]
    centre: Mapping[str, float]
    words: str

    @property
    def twins(self) -> Sequence[Mapping[str, float]]:
        """Sets as the twins take them: one without a difference for the table."""
        return self.members or ({},)


def choose_parameters(wanted: str | None = None) -> ParameterSets:
    """Return the sets that were asked for; the calibrated ones where one is shipped if nothing was.

    Raises
    ------
    ConfigError
        When the word is not known, or no calibrated ensemble is shipped.
    """
    from hccresist.overcome.ensemble_file import find_ensemble  # noqa: PLC0415  (loads numpy)

    if wanted is not None and wanted not in CHOICES:
        msg = f"--parameters {wanted}: write {' or '.join(CHOICES)}"
        raise ConfigError(msg)
    ensemble = None if wanted == TABLE else find_ensemble()
    if ensemble is not None:
        return _take(ensemble)
    if wanted == CALIBRATED:
        msg = "--parameters calibrated: no calibrated ensemble is shipped. Write --parameters table"
        raise ConfigError(msg)
    return ParameterSets(name=TABLE, members=(), centre={}, words=UNCALIBRATED)


def _take(ensemble: Ensemble) -> ParameterSets:
    parts = [f"parameters calibrated to published trials ({len(ensemble.members)} sets)"]
    left = ensemble.at_prior
    if left:
        more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        parts.append(f"trials told little of {', '.join(left[:MOST_NAMED])}{more}: at their prior")
    if not ensemble.is_current:
        parts.append("the model has changed since: calibrate again")
    return ParameterSets(
        name=CALIBRATED, members=ensemble.members, centre=ensemble.centre, words="; ".join(parts)
    )
