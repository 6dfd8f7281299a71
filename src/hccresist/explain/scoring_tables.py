"""Result tables of set scores: what is refused, flagged and said, row by row.

Arrays are sets × samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.explain import results
from hccresist.explain.matrix import Matrix
from hccresist.explain.scoring_core import MIN_COVERAGE, MIN_GENES, Bools, Floats
from hccresist.explain.signatures import Signature

NO_REFERENCE: Final = "no reference"
"""Reason for a missing percentile where none was asked for."""

_MISSING_SHOWN: Final = 20
_COVERAGE_SCHEMA: Final = {
    "set": pl.String,
    "mechanism_id": pl.String,
    "genes": pl.Int64,
    "found": pl.Int64,
    "coverage": pl.Float64,
    "scored": pl.Boolean,
    "missing": pl.String,
    "reason": pl.String,
}
_SCHEMA: Final = {
    "sample_id": pl.String,
    "mechanism_id": pl.String,
    "set": pl.String,
    "method": pl.Enum(results.METHODS),
    "score": pl.Float64,
    "percentile": pl.Float64,
    "z": pl.Float64,
    "coverage": pl.Float64,
    "flag": pl.String,
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """Measured genes of each set and sample, and where they are too few for a score."""

    found: Floats
    share: Floats
    few: Bools
    thin: Bools
    accepted: Bools
    floor: int
    limit: float

    @property
    def refused(self) -> Bools:
        """Where a score is refused."""
        return self.few | self.thin

    def say_few(self) -> str:
        """Return the reason where there are too few genes."""
        return f"fewer than {self.floor} gene{'s' * (self.floor > 1)} of the set measured"

    def say_thin(self) -> str:
        """Return the reason where too little of the set was measured."""
        return f"less than {self.limit:.0%} of the set measured"


def judge_coverage(found: Floats, sizes: NDArray[np.int64], min_coverage: float | None) -> Judged:
    """Say where a set has too few genes to be scored."""
    if min_coverage is not None and not 0 <= min_coverage <= 1:
        msg = f"min_coverage is {min_coverage:g}; it is a share from 0 to 1"
        raise ConfigError(msg)
    limit = MIN_COVERAGE if min_coverage is None else min_coverage
    floor = 1 if limit < MIN_COVERAGE else MIN_GENES
    size = np.maximum(sizes, 1)[:, None].astype(np.float64)
    few = found < floor
    thin = found < limit * size - 1e-9
    usual = (found >= MIN_GENES) & (found >= MIN_COVERAGE * size - 1e-9)
    return Judged(found, found / size, few, thin, ~few & ~thin & ~usual, floor, limit)


@dataclass(frozen=True, slots=True)
class Placed:
    """Scores placed among those of a reference; `word` numbers what `words` says of a missing percentile."""

    z: Floats
    percentile: Floats
    words: tuple[str, ...]
    word: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Flag:
    """What makes scores doubtful, and which."""

    where: Bools
    text: str


def fill_rows(
    matrix: Matrix,
    signatures: Sequence[Signature],
    scores: Floats,
    *,
    judged: Judged,
    method: str,
    placed: Placed | None = None,
    flag: Flag | None = None,
    refusal: str = "",
) -> pl.DataFrame:
    """Return one row a sample and set, sorted by key."""
    given = np.isfinite(scores) & ~judged.refused
    word = np.zeros(scores.shape, dtype=np.int64) if placed is None else placed.word
    words = (NO_REFERENCE,) if placed is None else placed.words
    texts = (*words, refusal or _say_nothing(method), judged.say_thin(), judged.say_few())
    code = np.where(given, word, len(words))
    code = np.where(judged.thin, len(words) + 1, code)
    code = np.where(judged.few, len(words) + 2, code)
    sets, samples = scores.shape
    nothing = np.full(scores.shape, np.nan)
    row, column = np.tile(np.arange(sets), samples), np.repeat(np.arange(samples), sets)
    frame = pl.DataFrame(
        {
            "sample_id": _pick(matrix.samples, column),
            "mechanism_id": _pick([signature.mechanism_id for signature in signatures], row),
            "set": _pick([signature.name for signature in signatures], row),
            "score": _flatten(np.where(given, scores, np.nan)),
            "percentile": _flatten(nothing if placed is None else np.where(given, placed.percentile, np.nan)),
            "z": _flatten(nothing if placed is None else np.where(given, placed.z, np.nan)),
            "coverage": _flatten(judged.share),
            "flag": _flag_rows(judged, flag, given),
            "reason": _pick([text or None for text in texts], _flatten(code)),
        }
    )
    numbers = pl.col("score", "percentile", "z").fill_nan(None)
    told = frame.with_columns(numbers, pl.lit(method, _SCHEMA["method"]).alias("method"))
    return told.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())


def _say_nothing(method: str) -> str:
    if method == "rank":
        return "half of the set was not measured, or no gene beside the set"
    if method in {"cohort_z", "reference_z"}:
        return "half of the set was not measured or has no spread"
    return f"{method} gave no score"


def _flag_rows(judged: Judged, flag: Flag | None, given: Bools) -> pl.Series:
    thin = f"coverage below {MIN_GENES} genes or {MIN_COVERAGE:.0%}, accepted down to {judged.limit:.0%}"
    more = "" if flag is None else flag.text
    texts = [None, thin, more or None, f"{thin}; {more}"]
    code = judged.accepted.astype(np.int64)
    if flag is not None:
        code = code + 2 * flag.where
    return _pick(texts, _flatten(np.where(given, code, 0)))


def _pick(texts: Sequence[str | None], numbers: NDArray[np.int64]) -> pl.Series:
    return pl.Series(list(texts), dtype=pl.String).gather(numbers)


def _flatten(values: NDArray[Any]) -> NDArray[Any]:
    """Return sets × samples as one column, sample by sample."""
    return np.ascontiguousarray(values.T).ravel()


def table_coverage(matrix: Matrix, signatures: Sequence[Signature], judged: Judged) -> pl.DataFrame:
    """Return one row a set: what the expression table holds of it."""
    there = frozenset(matrix.genes)
    rows: list[dict[str, object]] = []
    some: list[bool] = np.any(~judged.refused, axis=1).tolist()
    for signature, scored in zip(signatures, some, strict=True):
        missing = [gene for gene in signature.genes if gene not in there]
        genes, found = len(signature.genes), len(signature.genes) - len(missing)
        shown = ";".join(missing[:_MISSING_SHOWN]) + (" …" if len(missing) > _MISSING_SHOWN else "")
        rows.append(
            {
                "set": signature.name,
                "mechanism_id": signature.mechanism_id,
                "genes": genes,
                "found": found,
                "coverage": found / genes if genes else 0.0,
                "scored": scored,
                "missing": shown,
                "reason": _say_coverage(found, genes, judged, scored=scored),
            }
        )
    frame = pl.DataFrame(rows, schema=_COVERAGE_SCHEMA)
    return results.Coverage.validate(frame.sort("set", "mechanism_id"), cast=True)


def _say_coverage(found: int, genes: int, judged: Judged, *, scored: bool) -> str | None:
    share = found / genes if genes else 0.0
    said = f"{found} of {genes} genes ({share:.0%})"
    if scored and found >= MIN_GENES and share >= MIN_COVERAGE:
        return None
    if scored:
        return f"{said}: accepted down to {judged.limit:.0%}"
    if found < judged.floor:
        return f"{said}: fewer than {judged.floor}"
    if share < judged.limit:
        return f"{said}: below {judged.limit:.0%}"
    return f"{said} in the table, too few of them measured in any sample"
