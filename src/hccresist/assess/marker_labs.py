"""Laboratory values in one unit a test, and what was refused on the way."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

import polars as pl

from hccresist.assess.marker_results import MarkerIssues
from hccresist.assess.marker_rows import shown
from hccresist.assess.marker_units import BY_NAME, LabTest, find_test, known_names, plain_name, plain_unit
from hccresist.study.issues import IssueLog
from hccresist.study.policies import Policies

LABS: Final = {
    "patient_id": pl.String,
    "day": pl.Float64,
    "test": pl.String,
    "value": pl.Float64,
    "comparator": pl.String,
}
"""Columns of laboratory values in one unit a test, sorted by patient_id, day, test."""

_DECIMALS: Final = 9
_SAME: Final = 1e-6
"""Two results of one test and day are the same when they differ by less than this share."""


def normalise_labs(labs: pl.DataFrame | None, *, policies: Policies) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return laboratory values in the unit of each test, and the issues.

    Parameters
    ----------
    labs
        Study table `labs`.
    policies
        `units`: strict or conventional.

    Returns
    -------
    values
        Columns of `LABS`; one row a patient, day and test. A value beyond the limit of the assay keeps
        its comparator.
    issues
        As `MarkerIssues`.

    Examples
    --------
    >>> labs = pl.DataFrame({"patient_id": ["P1"], "day": [0.0], "test": ["Total bilirubin"],
    ...                      "value": [2.0], "unit": ["mg/dL"], "comparator": [None]},
    ...                     schema_overrides={"comparator": pl.String})
    >>> normalise_labs(labs, policies=Policies())[0].select("test", "value").rows()
    [('bilirubin', 34.2)]
    """
    if labs is None or labs.is_empty():
        return pl.DataFrame(schema=LABS), MarkerIssues.create_empty()
    rows = labs.select(
        "patient_id", "day", "test", "value", "unit", pl.col("comparator").cast(pl.String)
    ).join(_read_units(labs, policies), on=["test", "unit"], how="inner", nulls_equal=True)
    rows = rows.with_columns((pl.col("value") * pl.col("factor")).round(_DECIMALS).alias("converted"))
    rows = _check_values(rows)
    rows = _check_repeats(rows)
    used = rows.filter(~pl.col("refused") & pl.col("name").is_not_null())
    values = used.select("patient_id", "day", test="name", value="converted", comparator="comparator")
    values = values.sort("patient_id", "day", "test", "value")
    return values.unique(["patient_id", "day", "test"], keep="first", maintain_order=True), _issues(rows)


def _read_units(labs: pl.DataFrame, policies: Policies) -> pl.DataFrame:
    """Return one row a pair of test and unit as recorded: what they mean, or why not."""
    pairs = labs.select("test", "unit").unique().sort("test", "unit")
    read = [_read_pair(test, unit, policies) for test, unit in pairs.iter_rows()]
    schema = {
        "name": pl.String,
        "factor": pl.Float64,
        "code": pl.String,
        "problem": pl.String,
        "hint": pl.String,
        "refused": pl.Boolean,
    }
    found = pl.DataFrame(read, schema=schema, orient="row")
    return pairs.hstack(found).filter(pl.col("name").is_not_null() | pl.col("code").is_not_null())


_Read = tuple[str | None, float | None, str | None, str | None, str | None, bool]


def _read_pair(name: str, unit: str | None, policies: Policies) -> _Read:
    test = find_test(name)
    if test is None:
        return _read_unknown_test(name)
    plain = plain_unit(unit or "")
    if plain in test.factors:
        return test.name, test.factors[plain], None, None, None, False
    if not plain:
        return _read_bare(test, policies)
    expected = ", ".join(_accepted(test))
    if plain in test.never:
        problem = f"{test.name} in {unit} cannot be converted to {test.unit}: {test.never[plain]}"
        return test.name, None, "unit-not-convertible", problem, f"Give {expected}.", True
    problem = f"the unit {unit!r} is not known for {test.name}"
    return test.name, None, "unknown-unit", problem, f"Give one of {expected}.", True


def _read_bare(test: LabTest, policies: Policies) -> _Read:
    expected = ", ".join(_accepted(test))
    if policies.units == "conventional" and test.conventional:
        problem = f"{test.name} has no unit and was read in {test.conventional} (policy units = conventional)"
        hint = "Fill in the unit."
        return test.name, test.factors[test.conventional], "unit-assumed", problem, hint, False
    problem = f"{test.name} has no unit, and several are in use"
    hint = f"Fill in the unit: one of {expected}."
    if test.conventional:
        hint += f" Policy units = conventional reads it in {test.conventional}."
    return test.name, None, "missing-unit", problem, hint, True


def _read_unknown_test(name: str) -> _Read:
    close = get_close_matches(plain_name(name), known_names(), n=1, cutoff=0.88)
    if not close:
        return None, None, None, None, None, False
    meant = find_test(close[0])
    problem = f"the test {name!r} is not known"
    hint = f"Did you mean {meant.name!r}?" if meant else ""
    return None, None, "unknown-test", problem, hint, True


def _accepted(test: LabTest) -> list[str]:
    return [unit for unit in test.factors if unit] or ["no unit"]


def _check_values(rows: pl.DataFrame) -> pl.DataFrame:
    """Refuse values that nobody can have; a comparator beside a limit is fine."""
    limits = pl.DataFrame(
        [(test.name, test.low, test.high, test.unit) for test in BY_NAME.values()],
        schema={"name": pl.String, "low": pl.Float64, "high": pl.Float64, "kept_in": pl.String},
        orient="row",
    )
    rows = rows.join(limits, on="name", how="left", maintain_order="left")
    below = (pl.col("converted") < pl.col("low")) & (
        pl.col("comparator").is_null() | (pl.col("converted") < 0)
    )
    wrong = (~pl.col("refused") & (below | (pl.col("converted") > pl.col("high")))).fill_null(value=False)
    return _refuse(rows, wrong, "implausible-value")


def _check_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """Refuse results of one test and day, recorded under two names, that differ."""
    keys = ["patient_id", "day", "name"]
    twice = rows.select(keys).is_duplicated()
    if not twice.any():
        return rows
    return pl.concat([rows.filter(~twice), _compare_repeats(rows.filter(twice), keys)])


def _compare_repeats(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    usable = ~pl.col("refused") & pl.col("name").is_not_null()
    value = pl.when(usable).then(pl.col("converted"))
    low, high = value.min().over(keys), value.max().over(keys)
    kinds = pl.when(usable).then(pl.col("comparator").fill_null("=")).n_unique().over(keys)
    nulls = pl.when(usable).then(pl.lit(0)).null_count().over(keys).clip(0, 1)
    differs = usable & (((high - low) > _SAME * high.abs()) | ((kinds - nulls) > 1))
    return _refuse(rows, differs, "two-values")


def _refuse(rows: pl.DataFrame, wrong: pl.Expr, code: str) -> pl.DataFrame:
    return rows.with_columns(
        pl.when(wrong).then(pl.lit(code)).otherwise(pl.col("code")).alias("code"),
        (pl.col("refused") | wrong).alias("refused"),
    )


def _said() -> tuple[pl.Expr, pl.Expr]:
    """Return problem and next step of what was refused row by row."""
    outside = pl.format(
        "{} {} is outside {} to {} {}: the unit or the number is wrong",
        pl.col("name"),
        shown(pl.col("converted"), digits=6),
        shown(pl.col("low")),
        shown(pl.col("high")),
        pl.col("kept_in"),
    )
    twice = pl.format("{} has different results on one day under several names", pl.col("name"))
    code = pl.col("code")
    problem = pl.when(code == "implausible-value").then(outside).when(code == "two-values").then(twice)
    hint = (
        pl.when(code == "implausible-value")
        .then(pl.lit("Check the unit and the number."))
        .when(code == "two-values")
        .then(pl.lit("Keep the one that counts."))
    )
    return problem.otherwise(pl.col("problem")), hint.otherwise(pl.col("hint"))


def _issues(rows: pl.DataFrame) -> pl.DataFrame:
    told = rows.filter(pl.col("code").is_not_null())
    problem, hint = _said()
    frame = told.select(
        "patient_id",
        "day",
        pl.lit("labs").alias("table"),
        "test",
        (pl.col("comparator").fill_null("") + pl.col("value").cast(pl.String)).alias("found"),
        "unit",
        "code",
        problem.alias("problem"),
        hint.alias("hint"),
        "refused",
    )
    return MarkerIssues.validate(frame.sort("patient_id", "day", "test"))


def log_issues(issues: pl.DataFrame) -> IssueLog:
    """Return marker issues as warnings, as the manifest and the report show them.

    Parameters
    ----------
    issues
        Table `marker_issues`.
    """
    log = IssueLog()
    for row in issues.iter_rows(named=True):
        log.warning(
            row["code"],
            f"day {row['day']:g}: {row['problem']}",
            hint=row["hint"],
            file=row["table"],
            column=row["test"],
            patient=row["patient_id"],
            found=" ".join(part for part in (row["found"], row["unit"]) if part),
        )
    return log
