"""Published trials of systemic and TACE-based treatment: arms, endpoints and where each number was read.

The files lie in `src/hccresist/data/trials`; the README there says how they were collected. Rows with
`verified` false were written from memory and are only shown; nothing is computed of them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

TABLES: Final = (
    "arms",
    "endpoints_long",
    "response_patterns",
    "biomarkers",
    "sources",
    "context_facts",
    "trial_context",
)
"""Files of published trials."""

_NUMBERS: Final = {
    "arms": ("n", "median_followup_mo"),
    "endpoints_long": ("value", "low", "high", "ci_level", "n"),
    "response_patterns": ("n_evaluable", "events", "denominator", "rate_pct", "low", "high"),
    "biomarkers": ("n", "effect", "low", "high"),
    "sources": (),
    "context_facts": (),
    "trial_context": (),
}
_FLAGS: Final = ("verified", "heldout", "control", "n_verified", "baseline_verified", "id_verified")
_COUNTS: Final = ("n", "n_evaluable", "events", "denominator")
_OPEN: Final = ("NR", "NE")
"""Words for a median that was not reached, and a limit that could not be estimated."""


def _read_text(name: str) -> pl.DataFrame:
    """Return a file as text; empty cells are null."""
    path = files("hccresist") / "data" / "trials" / f"{name}.csv"
    return pl.read_csv(path.read_bytes(), infer_schema=False)


@cache
def read_trials(name: str) -> pl.DataFrame:
    """Read one of `TABLES`, with numbers and true or false where they are meant.

    In `endpoints_long` two columns are added: `not_reached` (the value is printed as NR) and `high_open`
    (the upper limit is printed as NR or NE).

    Raises
    ------
    KeyError
        When there is no such table.
    """
    table = _read_text(name)
    if name == "endpoints_long":
        table = table.with_columns(
            not_reached=pl.col("value").is_in(_OPEN),
            high_open=pl.col("high").is_in(_OPEN).fill_null(value=False),
        )
        open_to_null = pl.col("value", "low", "high").replace(dict.fromkeys(_OPEN))
        table = table.with_columns(open_to_null)
    flags = [flag for flag in _FLAGS if flag in table.columns]
    counts = [count for count in _COUNTS if count in table.columns]
    return table.with_columns(
        pl.col(_NUMBERS[name]).cast(pl.Float64), pl.col(flags).replace_strict({"true": True, "false": False})
    ).with_columns(pl.col(counts).cast(pl.Int64))
