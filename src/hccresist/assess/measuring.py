"""Measuring some patients by several criteria: what these have in common is worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hccresist.assess.criteria import Criterion
from hccresist.assess.lesions import LesionRows
from hccresist.assess.measure import Ground, Measures, find_ground, measure_on
from hccresist.assess.visits import Scans
from hccresist.study.policies import Policies

GROUND_BY: Final = ("measure", "node_rule", "hcc_rules")
"""Choices of a criterion on which its ground depends."""


def measure(rows: LesionRows, scans: Scans, *, criterion: Criterion, policies: Policies) -> Measures:
    """Return what the criterion measures at each visit."""
    return Measuring(rows, scans, policies).measure(criterion)


@dataclass(frozen=True, slots=True)
class Measuring:
    """Lesions of some patients, measured once for criteria that measure alike."""

    rows: LesionRows
    scans: Scans
    policies: Policies
    _grounds: dict[tuple[object, ...], Ground] = field(
        init=False, default_factory=dict[tuple[object, ...], Ground]
    )

    def ground(self, criterion: Criterion) -> Ground:
        """Return what measuring by a criterion starts from."""
        key = tuple(getattr(criterion, name) for name in GROUND_BY)
        if key not in self._grounds:
            self._grounds[key] = find_ground(
                self.rows, self.scans, criterion=criterion, policies=self.policies
            )
        return self._grounds[key]

    def measure(self, criterion: Criterion) -> Measures:
        """Return what a criterion measures at each visit."""
        ground = self.ground(criterion)
        return measure_on(ground, self.rows, self.scans, criterion=criterion, policies=self.policies)
