"""Predictions of held-out trials: the page, from the table that `benchmarks/make_predictions.py` made.

::

    python docs/predictions.py           write explanation/predictions.md
    python docs/predictions.py --check   fail where the page differs from the table
"""

# ruff: noqa: E501  (one line of prose a row)

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from hccresist.overcome.ensemble_file import read_ensemble
from hccresist.overcome.trial_endpoints import ENDPOINTS, TABLE
from hccresist.overcome.trial_file import find_spec

DOCS = Path(__file__).parent
PAGE = DOCS / "explanation" / "predictions.md"
FILE = DOCS.parent / "src" / "hccresist" / "data" / "overcome" / "calibration" / "predictions.csv"
NOTE = "<!-- Made of predictions.csv by docs/predictions.py: run benchmarks/make_predictions.py, then it. -->\n\n"
UNITS = {"percent": " %", "months": " months", "ratio": ""}


WORDS = ("NR", "NE")
DIGITS = {"percent": 0, "months": 1, "ratio": 2}


def show(value: str, unit: str) -> str:
    """Show a value of the table in the digits of its unit."""
    return value if value in WORDS else f"{float(value):.{DIGITS[unit]}f}"


def tell_trial(name: str, rows: pl.DataFrame) -> Iterator[str]:
    """Tell one trial's predictions."""
    spec = find_spec(name)
    told = [f"{arm.name} (n = {arm.n})" for arm in spec.arms]
    yield f"## {name}"
    yield ""
    yield f"Line {spec.line}; arms {'; '.join(told)}; scans every {spec.visits.every:g} days at first; enrolled over {spec.follow_up.accrual_days:g} days, followed for {spec.follow_up.days:g} more."
    yield ""
    yield "| arm | against | endpoint | criterion | predicted | 90 % interval |"
    yield "|---|---|---|---|---|---|"
    order = {endpoint: k for k, endpoint in enumerate(ENDPOINTS)}
    for row in sorted(
        rows.iter_rows(named=True), key=lambda r: (r["arm_id"], order[r["endpoint"]], r["criterion"] or "")
    ):
        value, low, high = (show(row[part], row["unit"]) for part in ("value", "low", "high"))
        cells = (
            f"`{row['arm_id']}`",
            f"`{row['comparator_arm']}`" if row["comparator_arm"] else "",
            row["endpoint"],
            row["criterion"] or "",
            value if value in WORDS else f"{value}{UNITS[row['unit']]}",
            f"{low} to {high}",
        )
        yield "| " + " | ".join(cells) + " |"
    yield ""


def render_page() -> str:
    """Write the page."""
    table = pl.read_csv(FILE, schema_overrides=dict.fromkeys(TABLE, pl.String))
    trials = table["trial"].unique(maintain_order=True).to_list()
    ensemble = read_ensemble()
    stale = "" if ensemble.is_current else "\n\n!!! warning\n    The model has changed since these were made."
    body = "\n".join(
        line for name in trials for line in tell_trial(name, table.filter(pl.col("trial") == name))
    )
    return (
        NOTE
        + f"""# Predictions of trials that were held out

Research only. Nothing here is a prediction for a patient's care. These are what [the calibrated population](calibration.md) gives for arms whose efficacy is in none of its tables: nobody who fitted it looked their results up, so that a reader who knows them can compare. (Once, while shares of later therapy were searched for, an abstract with interim results of LEAP-012 came up; nothing of it went anywhere.){stale}

Each replicate has a parameter set of its own ({len(ensemble.members)} sets) and enrols patients of its own: intervals hold sampling and parameters. They do not hold what one population without terms of trials cannot give; [the fit report](calibration.md) says how much that is, and how often such intervals have held the numbers of other trials. `NR`: a median is not reached; `NE`: too few events to estimate. Treatment and scans end at progression by RECIST 1.1 in these trials, so that whoever progressed by it is censored for mRECIST: times to progression by mRECIST are longer than where mRECIST ends treatment.

{body}"""
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with ``--check`` compare it."""
    text = render_page()
    if arguments == ["--check"]:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        if not same:
            print("explanation/predictions.md is not what predictions.csv gives: python docs/predictions.py")
        return int(not same)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
