"""Endpoints that the study brings itself: NAME_days and NAME_event in table `survival`."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.outcomes.rules import ROW, say_day
from hccresist.study.issues import IssueLog
from hccresist.study.study import Study
from hccresist.study.tables import Survival

RECORDED: Final = "recorded"
"""Criterion of endpoints that the study brings."""

_TRUE: Final = ("true", "yes", "1", "1.0")
_FALSE: Final = ("false", "no", "0", "0.0")


def recorded_names(study: Study) -> dict[str, str]:
    """Return the endpoints that table `survival` brings: name in the table → name of the endpoint.

    A name written in lower case is put in upper case, as endpoints are (``rfs_days`` gives RFS);
    every other spelling is kept (``dRFS_days`` gives dRFS).
    """
    survival = study.table("survival")
    if survival is None:
        return {}
    columns, declared = set(survival.columns), set(Survival.column_names())
    names = [name.removesuffix("_days") for name in survival.columns if name.endswith("_days")]
    own = [name for name in names if name and f"{name}_event" in columns and f"{name}_days" not in declared]
    return {name: name.upper() if name.islower() else name for name in own}


def recorded_events(study: Study, ranks: pl.DataFrame) -> list[pl.DataFrame]:
    """Return rows of `events`, one frame an endpoint that the study brings.

    A patient without a value in both columns has no row.

    Parameters
    ----------
    study
        The checked study.
    ranks
        Columns patient_id and rank.

    Raises
    ------
    InputError
        When days are not numbers from 0, events are not true or false, or two columns give the
        same endpoint. All problems are told at once.
    """
    survival, issues = study.table("survival"), IssueLog()
    names = recorded_names(study)
    if survival is None or not names:
        return []
    _check_names(names, issues)
    placed = survival.join(ranks, on="patient_id", how="inner")
    frames = [_endpoint_rows(placed, name, endpoint, issues=issues) for name, endpoint in names.items()]
    issues.raise_if_errors()
    return frames


def _check_names(names: dict[str, str], issues: IssueLog) -> None:
    for name, endpoint in names.items():
        twin = next(other for other, wanted in names.items() if wanted == endpoint)
        if twin != name:
            issues.error(
                "duplicate-endpoint",
                f"'{twin}_days' and '{name}_days' are both read as endpoint {endpoint}",
                hint="Rename one of the two pairs of columns.",
                file="survival",
                column=f"{name}_days",
            )


def _endpoint_rows(survival: pl.DataFrame, name: str, endpoint: str, *, issues: IssueLog) -> pl.DataFrame:
    days, event = f"{name}_days", f"{name}_event"
    typed = survival.select(
        "rank",
        "patient_id",
        _as_days(days).alias("days"),
        _as_event(event).alias("event"),
        given=pl.col(days).cast(pl.String).str.strip_chars(),
        flag=pl.col(event).cast(pl.String).str.strip_chars(),
    )
    empty = {"given": "", "flag": ""}
    typed = typed.with_columns(pl.col(c).replace(word, None) for c, word in empty.items())
    bad_days = pl.col("given").is_not_null() & (pl.col("days").is_null() | ~pl.col("days").is_finite())
    _report(typed.filter(bad_days | (pl.col("days") < 0)), "given", column=days, issues=issues)
    _report(
        typed.filter(pl.col("flag").is_not_null() & pl.col("event").is_null()),
        "flag",
        column=event,
        issues=issues,
    )
    happened = pl.when("event").then(pl.lit("event")).otherwise(pl.lit("censored"))
    return (
        typed.drop_nulls(["days", "event"])
        .with_columns(
            reader=pl.lit(""),
            criterion=pl.lit(RECORDED),
            endpoint=pl.lit(endpoint),
            reason=pl.concat_str(
                pl.lit("as recorded by the study: "), happened, pl.lit(" on day "), say_day("days")
            ),
            cause=pl.when("event").then(pl.lit(RECORDED)),
        )
        .select(ROW)
    )


def _as_days(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)


def _as_event(column: str) -> pl.Expr:
    word = pl.col(column).cast(pl.String).str.strip_chars().str.to_lowercase()
    return (
        pl.when(word.is_in(_TRUE)).then(pl.lit(value=True)).when(word.is_in(_FALSE)).then(pl.lit(value=False))
    )


def _report(rows: pl.DataFrame, found: str, *, column: str, issues: IssueLog) -> None:
    wanted = "a number of days from 0" if found == "given" else "true or false"
    for patient, word in rows.select("patient_id", found).iter_rows():
        issues.error(
            "recorded-endpoint",
            f"'{word}' is not {wanted}",
            hint="Mend the value, or rename the column where it is not an endpoint.",
            file="survival",
            column=column,
            patient=patient,
            found=word,
            expected=wanted,
        )
