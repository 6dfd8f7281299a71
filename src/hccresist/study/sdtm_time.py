"""From SDTM dates and study days to days from start of the index line.

Day 0 is ``RFSTDTC`` of DM. SDTM study days know no day 0: day 1 is the reference date, the day
before it is day -1; so our day is --DY - 1 for positive and --DY for negative ones.

1. A whole date counts from the reference date; times of day are cut off.
2. A partial date is placed by --DY where that lies within what the date leaves open, else it is
   read by the policy ``date_imputation``. Either is told.
3. Without a date, or without a reference date, --DY alone serves.
4. A record without either takes the last day of its reader's other records at the same visit.
5. What still has no day is left out and told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.study.issues import Severity
from hccresist.study.sdtm_files import FILE, Domain
from hccresist.study.study import ROW

DAY: Final = "day"
IMPUTED: Final = "__imputed"
"""Column that says whether the day of a record is a policy's choice."""

_WHOLE: Final = r"^\d{4}-\d{2}-\d{2}(T.*)?$"
_MONTH: Final = r"^\d{4}-\d{2}-?$"
_YEAR: Final = r"^\d{4}(---\d{2})?$"
_OPEN: Final = r"^-+\d*(-\d{2})?(T.*)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What days are counted from.

    Attributes
    ----------
    starts
        ``USUBJID`` and ``start`` (a date), one row a subject with a reference date.
    imputation
        Policy ``date_imputation``: first, last or mid of what a partial date leaves open.
    """

    starts: pl.DataFrame
    imputation: str


def read_dates(domain: Domain, variable: str, *, imputation: str) -> pl.DataFrame:
    """Return the dates of a variable, in the order of the records.

    Parameters
    ----------
    domain
        The domain; hears of texts that are no dates.
    variable
        A --DTC variable.
    imputation
        Policy ``date_imputation``; ``mid`` is the 15th of a month and the 30th of June.

    Returns
    -------
    pl.DataFrame
        ``date`` (partial ones completed), ``from`` and ``to`` (what the text leaves open; equal
        for a whole date) and ``partial``.
    """
    text = pl.col(variable)
    month, year = text.str.contains(_MONTH), text.str.contains(_YEAR)
    whole = pl.when(text.str.contains(_WHOLE)).then(text.str.slice(0, 10))
    first = pl.when(month).then(text.str.slice(0, 7) + "-01").when(year).then(text.str.slice(0, 4) + "-01-01")
    last = pl.when(month).then(text.str.slice(0, 7) + "-01").when(year).then(text.str.slice(0, 4) + "-12-01")
    frame = domain.records.with_columns(domain.column(variable)).select(
        whole=_to_date(whole), first=_to_date(first), last=_to_date(last).dt.month_end(), month=month
    )
    middle = pl.when("month").then(pl.col("first").dt.offset_by("14d")).otherwise(_mid_year())
    choice = {"first": pl.col("first"), "last": pl.col("last"), "mid": middle}[imputation]
    dates = frame.select(
        pl.coalesce("whole", choice).alias("date"),
        pl.coalesce("whole", "first").alias("from"),
        pl.coalesce("whole", "last").alias("to"),
        (pl.col("whole").is_null() & pl.col("first").is_not_null()).alias("partial"),
    )
    _tell_unreadable(domain, variable, dates["date"])
    return dates


def _to_date(text: pl.Expr) -> pl.Expr:
    return text.str.to_date("%Y-%m-%d", strict=False)


def _mid_year() -> pl.Expr:
    return pl.date(pl.col("first").dt.year(), 6, 30)


def _tell_unreadable(domain: Domain, variable: str, dates: pl.Series) -> None:
    if variable not in domain.records.columns:
        return
    rows = domain.records.filter(dates.is_null() & domain.records[variable].is_not_null())
    is_open = rows[variable].str.contains(_OPEN)
    words = {"column": variable, "found": variable, "expected": "YYYY-MM-DD"}
    domain.tell(
        rows.filter(is_open),
        "open-date",
        "the date has no year and cannot be placed",
        hint="Give the year.",
        severity=Severity.WARNING,
        **words,
    )
    domain.tell(
        rows.filter(~is_open),
        "not-a-date",
        "this is not an ISO 8601 date",
        hint="Correct it.",
        **words,
    )


def study_days(domain: Domain, variable: str) -> pl.Series:
    """Return our day for each SDTM study day of a variable, null where there is none.

    A study day that is no whole number, or 0, is told and not used.
    """
    text = domain.series(variable)
    number = text.cast(pl.Float64, strict=False)
    wrong = (text.is_not_null() & (number.is_null() | (number == 0) | (number != number.round()))).fill_null(
        value=True
    )
    domain.tell(
        domain.records.filter(wrong & text.is_not_null()),
        "wrong-study-day",
        "this is not a study day and was not used: there is no day 0 in SDTM",
        column=variable,
        found=variable,
        expected="a whole number other than 0",
        severity=Severity.WARNING,
    )
    number = number.set(wrong, None)
    return (number - 1).zip_with((number > 0).fill_null(value=False), number)


def with_days(domain: Domain, dtc: str, dy: str, *, clock: Clock, name: str = DAY) -> Domain:
    """Return the domain with the day of each record.

    Parameters
    ----------
    domain
        The domain.
    dtc, dy
        Variables of date and study day; either may be absent.
    clock
        Reference dates and imputation.
    name
        Column for the day; `IMPUTED` is added besides.

    Returns
    -------
    Domain
        With columns `name` (Float64, null where a record cannot be placed) and `IMPUTED`.
    """
    dates = read_dates(domain, dtc, imputation=clock.imputation)
    starts = domain.records.join(clock.starts, on="USUBJID", how="left", maintain_order="left")["start"]
    given = study_days(domain, dy)
    frame = pl.DataFrame([*dates.get_columns(), starts, given.alias("given")])
    by_date = (pl.col("date") - pl.col("start")).dt.total_days().cast(pl.Float64)
    low, high = ((pl.col(end) - pl.col("start")).dt.total_days().cast(pl.Float64) for end in ("from", "to"))
    by_day = pl.col("partial") & (pl.col("given").is_between(low, high) | pl.col("start").is_null())
    by_day = by_day & pl.col("given").is_not_null()
    days = frame.select(
        pl.when(by_day).then(pl.col("given")).otherwise(pl.coalesce(by_date, "given")).alias(name),
        by_day.alias("by_day"),
        (pl.col("partial") & ~by_day & pl.col("start").is_not_null()).alias(IMPUTED),
        (~pl.col("partial") & (by_date != pl.col("given"))).fill_null(value=False).alias("differs"),
    )
    _tell_partial(domain, dtc, days, clock.imputation)
    _tell_difference(domain, dtc, dy, days["differs"])
    records = domain.records.with_columns(days[name], days[IMPUTED])
    return domain.with_records(records)


def _tell_partial(domain: Domain, dtc: str, days: pl.DataFrame, imputation: str) -> None:
    """Tell each partial date once a subject, by what it was placed."""
    ways = {
        "by_day": "the date is partial: the record was placed by its study day",
        IMPUTED: f"the date is partial and was read as the {imputation} day of what it leaves open",
    }
    for column, problem in ways.items():
        rows = domain.records.filter(days[column])
        if rows.height:
            domain.tell(
                rows.sort(ROW).unique(["USUBJID", dtc, FILE], keep="first", maintain_order=True),
                "partial-date",
                problem,
                column=dtc,
                found=dtc,
                expected="YYYY-MM-DD",
                hint="Give the whole date, or choose the policy date_imputation.",
                severity=Severity.WARNING,
            )


def _tell_difference(domain: Domain, dtc: str, dy: str, differs: pl.Series) -> None:
    rows = domain.records.filter(differs)
    if rows.is_empty():
        return
    first = rows.sort(FILE, ROW).row(0, named=True)
    domain.place.warning(
        "study-day-differs",
        f"{dy} does not agree with {dtc} in {rows.height} records; the date was used",
        line=first[ROW],
        column=dy,
        patient=first["USUBJID"],
        found=str(first[dy]),
        hint="Day 1 is RFSTDTC of DM.",
    )


def fill_from_visit(domain: Domain, seen: pl.DataFrame, *, reader: str) -> Domain:
    """Return the domain with a day for records that have none but whose visit has one.

    Parameters
    ----------
    domain
        With `DAY`.
    seen
        What `visit_days` returned, of this domain or of another.
    reader
        Column with the reader.

    Returns
    -------
    Domain
        The same records; a filled day is told in one sentence.
    """
    visit = _visit_column(domain)
    if visit is None or seen.is_empty():
        return domain
    keys = ["USUBJID", reader, "__visit"]
    records = domain.records.with_columns(visit.alias("__visit"))
    filled = records.join(seen, on=keys, how="left", maintain_order="left")
    lacking = filled[DAY].is_null() & filled["__seen"].is_not_null()
    if lacking.any():
        domain.place.warning(
            "day-of-visit",
            f"{int(lacking.sum())} records have no date; they were given the last day of the same visit",
            hint="Give the dates of the records.",
        )
    filled = filled.with_columns(pl.coalesce(DAY, "__seen").alias(DAY)).drop("__visit", "__seen")
    return domain.with_records(filled)


def visit_days(domain: Domain, *, reader: str) -> pl.DataFrame:
    """Return the last day of each subject, reader and visit of a domain with `DAY`."""
    visit = _visit_column(domain)
    if visit is None:
        return pl.DataFrame()
    rows = domain.records.with_columns(visit.alias("__visit")).drop_nulls(["__visit", DAY])
    return rows.group_by("USUBJID", reader, "__visit").agg(pl.col(DAY).max().alias("__seen"))


def _visit_column(domain: Domain) -> pl.Expr | None:
    """Return what names a visit: its number where there is one, else its name."""
    if domain.has("VISITNUM"):
        number = pl.col("VISITNUM").cast(pl.Float64, strict=False)
        return number.cast(pl.String).fill_null(pl.col("VISITNUM"))
    return pl.col("VISIT") if domain.has("VISIT") else None


def take_placed(domain: Domain, dtc: str, *, name: str = DAY) -> Domain:
    """Return the domain without the records that have no day, which are told.

    Where none can be placed, that is an error: the domain would be lost as a whole.
    """
    lost = domain.records.filter(pl.col(name).is_null())
    if lost.is_empty():
        return domain
    none = domain.series(dtc).filter(domain.records[name].is_null()).null_count()
    first = lost.sort(FILE, ROW).row(0, named=True)
    reasons = {
        "no date and no study day": none,
        "a date, but no reference date of the subject in DM": lost.height - none,
    }
    why = ", ".join(f"{reason} ({count})" for reason, count in reasons.items() if count)
    subjects = lost["USUBJID"].n_unique()
    problem = f"{lost.height} of {domain.records.height} records have no day and were left out: {why}"
    problem += f"; subjects concerned: {subjects}"
    hint = "Add DM with RFSTDTC (USUBJID, RFSTDTC), or study days (--DY)."
    whole = lost.height == domain.records.height
    tell = domain.place.error if whole else domain.place.warning
    tell("no-day", problem, line=first[ROW], column=dtc, patient=first["USUBJID"], hint=hint)
    kept = domain.records.filter(pl.col(name).is_not_null())
    return domain.with_records(kept)


def whole_days(domain: Domain, dtc: str, *, clock: Clock) -> pl.DataFrame:
    """Return ``USUBJID`` and ``day`` of every record with a whole date and a reference date."""
    text = pl.when(pl.col(dtc).str.contains(_WHOLE)).then(pl.col(dtc).str.slice(0, 10))
    rows = domain.records.select("USUBJID", domain.column(dtc)).with_columns(_to_date(text).alias("date"))
    rows = rows.drop_nulls("date").join(clock.starts, on="USUBJID")
    return rows.select(
        "USUBJID", (pl.col("date") - pl.col("start")).dt.total_days().cast(pl.Float64).alias(DAY)
    )
