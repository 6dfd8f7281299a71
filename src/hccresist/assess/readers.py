"""A primary reader by rule, beside the readers themselves: never a pool of them."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.errors import ConfigError
from hccresist.study.study import Study

KEY: Final = ["patient_id", "criterion"]
READ: Final = ("lesions", "responses")


def add_primary_reader(study: Study, tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the tables with the rows of one more reader, where policy ``primary_reader`` asks for it.

    ``accepted``: for each patient the reader whose rows the study marks as accepted (column
    `accepted`). ``adjudicated``: the first of the readers (in order of name) where the first two agree
    on best response and day of progression, else the third; a patient for whom that third reading is missing
    has no adjudicated rows. The new reader carries the name of the rule. A reader's own name adds nothing.

    Raises
    ------
    ConfigError
        When the policy names a reader whom the study does not have, or the rule cannot be applied.
    """
    rule = study.config.policies.primary_reader
    names = sorted(tables["best_response"]["reader"].unique().to_list())
    if rule == "" or rule in names:
        return tables
    if rule == "accepted":
        choice = _accepted(study, tables["best_response"])
    elif rule == "adjudicated":
        choice = _adjudicated(tables["best_response"], names)
    else:
        msg = f"Policy primary_reader: the study has no reader '{rule}'. It has: {', '.join(names)}."
        raise ConfigError(msg)
    return {name: _with_choice(frame, choice, rule) for name, frame in tables.items()}


def _with_choice(frame: pl.DataFrame, choice: pl.DataFrame, rule: str) -> pl.DataFrame:
    chosen = frame.join(choice, on=[*KEY, "reader"], how="semi").with_columns(pl.lit(rule).alias("reader"))
    order = [
        "patient_id",
        "reader",
        "criterion",
        *(["day"] if frame.columns.count("day") and "evaluable" not in frame.columns else []),
    ]
    return pl.concat([frame, chosen]).sort(order)


def _accepted(study: Study, best: pl.DataFrame) -> pl.DataFrame:
    marked = [
        table.filter(_is_marked(table["accepted"])).select("patient_id", "reader")
        for name in READ
        if (table := study.table(name)) is not None and "accepted" in table.columns
    ]
    if not marked:
        msg = "Policy primary_reader=accepted needs a column 'accepted' in lesions or responses."
        raise ConfigError(msg)
    counted = pl.concat(marked).group_by("patient_id", "reader").len()
    first = counted.sort("patient_id", "len", "reader", descending=[False, True, False])
    reader = first.unique("patient_id", keep="first", maintain_order=True).select("patient_id", "reader")
    return best.select(*KEY, "reader").join(reader, on=["patient_id", "reader"], how="semi")


def _is_marked(accepted: pl.Series) -> pl.Series:
    """Return which rows are marked: true, or as text true, yes, y or 1 (covariates of CSV files are text)."""
    words = accepted.cast(pl.String).str.to_lowercase().str.strip_chars()
    return words.is_in(["true", "yes", "y", "1"]).fill_null(value=False)


def _adjudicated(best: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    if len(names) < 2:
        msg = "Policy primary_reader=adjudicated needs at least two readers."
        raise ConfigError(msg)
    verdict = [*KEY, "best", "progression_day"]
    first, second = (best.filter(pl.col("reader") == name).select(verdict) for name in names[:2])
    agreed = first.join(second, on=verdict, how="semi", nulls_equal=True).select(
        *KEY, pl.lit(names[0]).alias("reader")
    )
    third = best.filter(pl.col("reader") == names[2]) if len(names) > 2 else best.clear()
    return pl.concat([agreed, third.join(agreed, on=KEY, how="anti").select(*KEY, "reader")])
