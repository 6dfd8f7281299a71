"""Clinical attributes of cBioPortal: comment lines above the header, months and status words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.issues import nearest
from hccresist.study.omics import MONTH_DAYS, Gathered
from hccresist.study.rows import Place
from hccresist.study.study import ROW
from hccresist.study.tab import load_text, open_tab, read_tab
from hccresist.study.values import is_missing

EVENT_WORDS: Final = ("deceased", "dead", "recurred", "progressed", "recurred/progressed", "progression")
CENSORED_WORDS: Final = ("living", "alive", "censored", "diseasefree", "disease free", "no progression")
_MISSING: Final = (
    "[not available]",
    "[not applicable]",
    "[unknown]",
    "[discrepancy]",
    "[completed]",
    "[pending]",
)


def read_clinical(
    path: Path, gathered: Gathered, *, table: str, needed: Mapping[str, str]
) -> pl.DataFrame | None:
    """Read a file of clinical attributes.

    Parameters
    ----------
    path
        ``data_clinical_patient.txt`` or ``data_clinical_sample.txt``: four or five comment lines, the
        header, and rows. Values in brackets such as ``[Not Available]`` are missing values.
    gathered
        Hears every problem and of the file.
    table
        Table that the file feeds.
    needed
        Columns that must be there, and their name in the study.

    Returns
    -------
    pl.DataFrame or None
        All columns as text and `ROW`; ``None`` where the file cannot be used.
    """
    place = Place(file=path.name, log=gathered.log)
    text = load_text(path, place)
    tab = None if text is None else open_tab(text.data, place)
    if text is None or tab is None:
        return None
    upper = {header.upper(): header for header in tab.headers}
    missing = [name for name in needed if name not in upper]
    for name in missing:
        hint = (
            nearest(name, list(upper)) or "Below the comment lines stands one line with the attribute names."
        )
        place.error("missing-column", f"column '{name}' is missing", column=name, expected=name, hint=hint)
    if missing:
        return None
    frame = read_tab(tab, place, columns=[header for header in tab.headers if header])
    if frame is None:
        return None
    gathered.add_file(path.name, sha256=text.sha256, rows=frame.height, table=table)
    columns = [_clean(frame[name]) for name in frame.columns if name != ROW]
    return frame.with_columns(columns).rename({upper[name]: target for name, target in needed.items()})


def _clean(column: pl.Series) -> pl.Series:
    plain = column.str.strip_chars()
    return plain.set(is_missing(plain) | plain.str.to_lowercase().is_in(_MISSING).fill_null(value=True), None)


def split_survival(frame: pl.DataFrame, place: Place) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the patients without their follow-up, and the table `survival`.

    1. Each pair NAME_MONTHS and NAME_STATUS is an endpoint: days are months × 30.4375.
    2. A status is ``1:WORD`` or ``0:WORD``, or a word of `EVENT_WORDS` or `CENSORED_WORDS`.
    3. A status without months, or months without a status, is left out and counted.

    Parameters
    ----------
    frame
        Rows of patients with ``patient_id`` and `ROW`.
    place
        Hears of words and numbers that cannot be read, and of the time zero.
    """
    upper = {name.upper(): name for name in frame.columns}
    stems = [name.removesuffix("_MONTHS") for name in upper if name.endswith("_MONTHS")]
    stems = [stem for stem in stems if f"{stem}_STATUS" in upper and stem]
    if not stems:
        return frame, None
    columns: list[pl.Series] = []
    for stem in stems:
        columns += _endpoint(frame, stem, upper, place=place)
    survival = pl.DataFrame([frame["patient_id"], *columns, frame[ROW]])
    days = [name for name in survival.columns if name.endswith("_days")]
    survival = survival.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in days))
    used = [upper[f"{stem}_{kind}"] for stem in stems for kind in ("MONTHS", "STATUS")]
    if survival.height:
        place.warning(
            "time-zero",
            "follow-up counts from diagnosis or sampling, not from start of a treatment",
            column="OS_MONTHS" if "OS" in stems else f"{stems[0]}_MONTHS",
            hint="It serves for prognosis; for a treatment give os_days from its start.",
        )
    return frame.drop(used), survival


def _endpoint(frame: pl.DataFrame, stem: str, upper: Mapping[str, str], *, place: Place) -> list[pl.Series]:
    """Return days and event of one endpoint, both null where one of them is."""
    months, status = upper[f"{stem}_MONTHS"], upper[f"{stem}_STATUS"]
    number = frame[months].cast(pl.Float64, strict=False)
    bad = number.is_null() & frame[months].is_not_null()
    _tell(frame, months, bad, "not-a-number", place=place, expected="a number of months")
    event = _read_status(frame[status])
    unknown = event.is_null() & frame[status].is_not_null()
    _tell(frame, status, unknown, "unknown-status", place=place, expected="1:WORD or 0:WORD")
    whole = number.is_not_null() & event.is_not_null()
    half = (number.is_not_null() | event.is_not_null()) & ~whole & ~bad & ~unknown
    if n := int(half.sum()):
        problem = f"{n} patients have a status or months of {stem} alone, which was left out"
        place.warning("half-endpoint", problem, column=months, hint="Fill in both where they are known.")
    name = stem.lower()
    days, happened = ("os_days", "died") if stem == "OS" else (f"{name}_days", f"{name}_event")
    return [
        (number * MONTH_DAYS).set(~whole, None).alias(days),
        event.set(~whole, None).alias(happened),
    ]


def _read_status(text: pl.Series) -> pl.Series:
    word = text.str.strip_chars().str.to_lowercase()
    frame = pl.DataFrame({"word": word})
    column = pl.col("word")
    return frame.select(
        pl.when(column.str.contains(r"^1\s*(:|$)") | column.is_in(EVENT_WORDS))
        .then(pl.lit(value=True))
        .when(column.str.contains(r"^0\s*(:|$)") | column.is_in(CENSORED_WORDS))
        .then(pl.lit(value=False))
    ).to_series()


def _tell(frame: pl.DataFrame, name: str, bad: pl.Series, code: str, *, place: Place, expected: str) -> None:
    place.tell(
        frame.filter(bad),
        code,
        "the value cannot be read",
        column=name,
        found=name,
        expected=expected,
        hint="Correct the value, or leave the cell empty.",
    )
