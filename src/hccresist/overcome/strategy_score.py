"""What the score is made of: points and weights, each with its reason, of `data/overcome/score.csv`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache

from hccresist.overcome.strategy_table import read_rows


@dataclass(frozen=True, slots=True)
class Weights:
    """Points of the score, by part and level of `score.csv`."""

    points: Mapping[tuple[str, str], float]

    def __call__(self, part: str, level: str) -> float:
        """Return the points of a level of a part."""
        return self.points[part, level]

    def saturate(self, part: str, level: str, weight: float) -> float:
        """Return points that grow with the weight of the evidence and never pass those of the level."""
        return self(part, level) * (1 - 0.5**weight)


@cache
def read_weights() -> Weights:
    """Return the points of the package."""
    return Weights({(row["part"], row["level"]): float(row["points"]) for row in read_rows("score.csv")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a score, in points."""

    clinical: float = 0.0
    match: float = 0.0
    preclinical: float = 0.0
    contradiction: float = 0.0
    simulated: float = 0.0
    cap: float = 0.0

    @property
    def score(self) -> float:
        """Return their sum."""
        return round(sum(self.record().values()), 1)

    def record(self) -> dict[str, float]:
        """Return the parts by name."""
        return {part.name: round(getattr(self, part.name), 1) + 0.0 for part in fields(self)}


def average_parts(parts: Iterable[Parts]) -> Parts:
    """Return the mean of each part over patients, the cap left out."""
    rows = [part.record() for part in parts]
    names = [part.name for part in fields(Parts) if part.name != "cap"]
    return Parts(**{name: sum(row[name] for row in rows) / len(rows) for name in names})
