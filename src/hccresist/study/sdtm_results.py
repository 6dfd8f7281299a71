"""Results of TR: what was measured of a lesion, in millimetres, and the state it was in."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.study import sdtm_map as words
from hccresist.study.issues import Severity
from hccresist.study.sdtm_files import FILE, Domain
from hccresist.study.study import ROW

KIND: Final = "__kind"
VALUE: Final = "__value"
STATE: Final = "__state"
KINDS: Final = ("longest", "short", "counted", "viable", "viable_short", "state", "sum")
"""What a result is; `counted` is the diameter that counts, whichever it is."""

_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_BELOW: Final = r"^\s*(<|LESS THAN)\s*\d"
_DIGITS: Final = 6


def with_results(domain: Domain, *, assume_mm: bool) -> Domain:
    """Return TR with the kind, value and state of each record.

    Parameters
    ----------
    domain
        TR. Hears of units that cannot be read and of words that are not known.
    assume_mm
        A diameter without unit is in millimetres (policy ``units`` = conventional); else it is
        refused.

    Returns
    -------
    Domain
        With `KIND` (null for tests that are not read), `VALUE` (mm) and `STATE`.
    """
    records = domain.records.with_columns(_kind(domain).alias(KIND))
    number = _number(domain, ("TRSTRESN", "TRSTRESC", "TRORRES"))
    unit = words.plain(pl.coalesce(domain.column("TRSTRESU"), domain.column("TRORRESU")))
    text = pl.coalesce(_word(domain, "TRORRES"), _word(domain, "TRSTRESC"))
    done = words.plain(domain.column("TRSTAT")) == "NOT DONE"
    records = records.with_columns(
        number.alias("__number"),
        unit.alias("__unit"),
        text.alias("__text"),
        done.fill_null(value=False).alias("__not"),
    )
    records = records.with_columns(
        pl.when("__not").then(pl.lit("not_evaluable")).otherwise(_state(pl.col("__text"))).alias(STATE)
    )
    is_size = pl.col(KIND).is_not_null() & (pl.col(KIND) != "state")
    sized = is_size & pl.col("__number").is_not_null() & pl.col("__text").is_null() & ~pl.col("__not")
    _tell_units(domain, records.filter(sized), assume_mm=assume_mm)
    _tell_words(
        domain,
        records.filter(pl.col(KIND).is_not_null() & pl.col("__text").is_not_null() & pl.col(STATE).is_null()),
    )
    factor = pl.col("__unit").replace_strict(words.MILLIMETRES, default=None, return_dtype=pl.Float64)
    factor = factor.fill_null(1.0) if assume_mm else factor
    value = pl.when(sized).then((pl.col("__number") * factor).round(_DIGITS))
    records = records.with_columns(value.alias(VALUE)).drop("__number", "__unit", "__text", "__not")
    return domain.with_records(records)


def _kind(domain: Domain) -> pl.Expr:
    """Return what each record is; a test of a whole visit stands without a lesion."""
    test = pl.col("TRTESTCD").str.to_uppercase()
    label = domain.column("TRTEST").str.contains(words.VIABLE_LABEL).fill_null(value=False)
    of_lesion = domain.column("TRLNKID").is_not_null()
    return (
        pl.when(test.is_in(words.SUM))
        .then(pl.lit("sum"))
        .when(~of_lesion)
        .then(None)
        .when(test.is_in(words.VIABLE_SHORT))
        .then(pl.lit("viable_short"))
        .when(test.is_in(words.VIABLE) | label)
        .then(pl.lit("viable"))
        .when(test.is_in(words.LONGEST))
        .then(pl.lit("longest"))
        .when(test.is_in(words.SHORT))
        .then(pl.lit("short"))
        .when(test.is_in(words.COUNTED))
        .then(pl.lit("counted"))
        .when(test.is_in(words.STATES))
        .then(pl.lit("state"))
        .otherwise(None)
    )


def _number(domain: Domain, variables: tuple[str, ...]) -> pl.Expr:
    """Return the first of some variables that is a number."""
    return pl.coalesce([domain.column(name).cast(pl.Float64, strict=False) for name in variables])


def _word(domain: Domain, variable: str) -> pl.Expr:
    """Return a result that is no number, null where it is one."""
    text = domain.column(variable)
    return pl.when(~text.str.contains(_NUMBER)).then(text)


def _state(text: pl.Expr) -> pl.Expr:
    below = text.str.to_uppercase().str.contains(_BELOW)
    return pl.when(below).then(pl.lit("too_small")).otherwise(words.translate(text, words.STATE))


def _tell_units(domain: Domain, sized: pl.DataFrame, *, assume_mm: bool) -> None:
    unit = pl.col("__unit")
    in_cm = sized.filter(unit == "CM")
    if in_cm.height:
        first = in_cm.sort(FILE, ROW).row(0, named=True)
        domain.place.warning(
            "unit-converted",
            f"{in_cm.height} diameters are in cm and were read as millimetres times ten",
            line=first[ROW],
            column="TRSTRESU",
            patient=first["USUBJID"],
        )
    domain.tell(
        sized.filter(unit.is_not_null() & ~unit.is_in(list(words.MILLIMETRES))),
        "unknown-unit",
        "a diameter has a unit that is not read",
        column="TRSTRESU",
        found="__unit",
        expected="mm or cm",
        hint="Convert the value to mm.",
    )
    bare = sized.filter(unit.is_null())
    if assume_mm and bare.height:
        domain.place.warning(
            "unit-assumed",
            f"{bare.height} diameters have no unit and were read as mm (policy units = conventional)",
            column="TRSTRESU",
        )
    elif bare.height:
        domain.tell(
            bare,
            "missing-unit",
            "a diameter has no unit",
            column="TRSTRESU",
            expected="mm or cm",
            hint="Fill in TRSTRESU, or set the policy units = conventional where all are in mm.",
        )


def _tell_words(domain: Domain, rows: pl.DataFrame) -> None:
    domain.tell(
        rows,
        "unknown-result",
        "the result is neither a number nor a state that is known; it was left out",
        column="TRORRES",
        found="__text",
        hint=f"Known states: {', '.join(words.STATE)}.",
        severity=Severity.WARNING,
    )


def tell_unread_tests(domain: Domain) -> None:
    """Tell tests that are not read, counted; derived results of a visit among them."""
    rows = domain.records.filter(pl.col(KIND).is_null())
    if rows.is_empty():
        return
    counts = rows.group_by(pl.col("TRTESTCD").fill_null("(none)")).len().sort("TRTESTCD")
    listed = ", ".join(f"{name} {count}" for name, count in counts.iter_rows())
    domain.place.warning(
        "unread-tests",
        f"{rows.height} records are of tests that are not read, or of no lesion: {listed}",
        column="TRTESTCD",
        hint="Results of a lesion need TRLNKID; sums and changes are derived anew.",
    )


def tell_repeats(domain: Domain, key: list[str]) -> None:
    """Tell results of one kind that stand more than once for a lesion and day.

    Equal ones are counted; different ones cannot both be true.
    """
    rows = domain.records.filter(pl.col(KIND).is_not_null()).with_columns(
        __found=pl.coalesce(pl.col(VALUE).cast(pl.String), STATE, pl.lit("(nothing)"))
    )
    rows = rows.filter(pl.len().over(*key, KIND) > 1)
    if rows.is_empty():
        return
    differ = rows.filter(pl.col("__found").n_unique().over(*key, KIND) > 1)
    domain.tell(
        differ.with_columns(__first=pl.col(ROW).min().over(*key, KIND)).filter(
            pl.col(ROW) > pl.col("__first")
        ),
        "repeated-result",
        "line {__first} has another result of this test for the same reader, lesion and day",
        column="TRTESTCD",
        found="__found",
        expected="one result",
        hint="Keep one of them. Two visits on one day, or two methods, need days or lesions of their own.",
    )
    equal = rows.height - differ.height
    if equal:
        domain.place.warning(
            "repeated-record", f"{equal} records say the same of one lesion and day; each counts once"
        )
