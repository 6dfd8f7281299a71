"""Figures of what goes with the outcome: forest of estimates, and volcano where there are p."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from hccresist.report import theme, words
from hccresist.report.figures.figure import Figure, draw
from hccresist.report.mechanism_names import LOW_COVERAGE, explain_mark

MOST_TOLD: Final = 18
"""Features with p in a forest: those with the smallest."""
MOST_OPEN: Final = 10
"""Features in a forest of which there is too little to say: the first by name."""
LEAST_POINTS: Final = 8
"""Features with p from which a volcano is drawn."""
MOST_NAMED: Final = 5
LOW_Q: Final = 0.05

_TURN: Final = 0.6
"""Share of the axis from which names stand to the left of their point."""
_WIDEST: Final = (0.02, 50.0)


def plot_forest(rows: pl.DataFrame, *, key: str, title: str, accepted: frozenset[str]) -> Figure | None:
    """Return estimates with intervals of one outcome, test and group.

    ``None`` where there are none, or only such as are too few to say and too many to be shown unranked.

    Parameters
    ----------
    rows
        Rows of table ``associations`` of one outcome, test and group.
    key, title
        Of the figure.
    accepted
        Gene sets whose low coverage was accepted; they bear a mark.
    """
    from hccresist.report.figures.charts import associations  # noqa: PLC0415  (Altair loads slowly)

    known = rows.filter(pl.col("effect").is_not_null())
    told = known.filter(pl.col("p").is_not_null()).sort("p", "feature")
    open_ = known.filter(pl.col("p").is_null()).sort("feature")
    if known.is_empty() or (told.is_empty() and open_.height > MOST_OPEN):
        return None
    shown = pl.concat([told.head(MOST_TOLD), open_.head(MOST_OPEN)])
    measure = _measure(shown)
    middle = 0.5 if measure == "AUC" else 1.0
    domain = (0.0, 1.0) if measure == "AUC" else _domain(shown)
    drawn = shown.select(
        _row(accepted),
        pl.col("effect").clip(*domain),
        pl.col("low").fill_null(domain[0]).clip(*domain).alias("from"),
        pl.col("high").fill_null(domain[1]).clip(*domain).alias("to"),
        told=pl.col("p").is_not_null(),
        colour=_colour(pl.col("p").is_not_null()),
        said=pl.struct("effect", "low", "high", "p", "q").map_elements(_say, return_dtype=pl.String),
    )
    chart = associations.chart_forest(drawn["row"].to_list(), measure=measure, domain=domain, middle=middle)
    left = told.height - min(told.height, MOST_TOLD), open_.height - min(open_.height, MOST_OPEN)
    return Figure(
        key=key,
        title=title,
        heading="Estimates with 95 % intervals",
        caption=_caption(told.height, open_.height, left)
        + explain_mark(accepted & set(shown["feature"].to_list())),
        alt=_describe(title, told, open_),
        data=shown.drop("outcome", "test"),
        svg=draw(chart, key=key, rows={"rows": drawn, "middle": pl.DataFrame({"at": [middle]})}),
    )


def plot_volcano(rows: pl.DataFrame, *, key: str, title: str, accepted: frozenset[str]) -> Figure | None:
    """Return −log10 p against effect of one outcome and test; ``None`` where there are few p."""
    from hccresist.report.figures.charts import associations  # noqa: PLC0415  (Altair loads slowly)

    told = rows.filter(pl.col("p") > 0, pl.col("effect") > 0).sort("p", "feature")
    if told.height < LEAST_POINTS:
        return None
    measure = _measure(told)
    middle = 0.5 if measure == "AUC" else 1.0
    domain = (0.0, 1.0) if measure == "AUC" else _domain(told, intervals=False)
    low_q = (pl.col("q") < LOW_Q).fill_null(value=False)
    points = told.select(
        _row(accepted),
        pl.col("effect").clip(*domain),
        height=-pl.col("p").log10(),
        low_q=low_q,
        colour=_colour(low_q),
    )
    named = points.filter("low_q").head(MOST_NAMED)
    named = named.with_columns(label=pl.col("row"), left=_share(domain, log=middle == 1) > _TURN)
    chart = associations.chart_volcano(measure=measure, domain=domain, middle=middle)
    return Figure(
        key=key,
        title=title,
        heading="p against effect",
        caption=_describe_low(told.height, int(points["low_q"].sum()))
        + explain_mark(accepted & set(told["feature"].to_list())),
        alt=f"{title}. {_first(told)}",
        data=told.select("feature", "n", "events", "effect", "low", "high", "p", "q", "null_p"),
        svg=draw(
            chart, key=key, rows={"rows": points, "named": named, "middle": pl.DataFrame({"at": [middle]})}
        ),
    )


def _describe_low(told: int, low: int) -> str:
    which = "none of them with" if not low else f"{words.count(low)} with"
    named = (
        f", drawn blue, the first {MOST_NAMED} by p named" if low > MOST_NAMED else ", drawn blue and named"
    )
    return (
        f"{words.plural(told, 'feature')} with p, {which} q below {LOW_Q:g}{named if low else ''}. Features "
        "with too few patients or events have no p and are not here."
    )


def format_effect(row: Mapping[str, Any]) -> str:
    """Return an estimate with its interval; a limit that is not finite is a dash."""
    if row["effect"] is None:
        return words.EMPTY
    return f"{_number(row['effect'])} ({_number(row['low'])} to {_number(row['high'])})"


def _number(value: float | None) -> str:
    if value is None:
        return words.EMPTY
    return f"{value:.1e}" if value and (value < 0.005 or value >= 1000) else words.number(value, 2)


def _say(row: dict[str, Any]) -> str:
    if row["p"] is None:
        return f"{format_effect(row)}  too few to say"
    q = f", q {words.p_value(row['q'])}" if row["q"] is not None else ""
    return f"{format_effect(row)}  p {words.p_value(row['p'])}{q}"


def _colour(told: pl.Expr) -> pl.Expr:
    return pl.when(told).then(pl.lit(theme.light("accent"))).otherwise(pl.lit(theme.light("ne")))


def _row(accepted: frozenset[str]) -> pl.Expr:
    mark = pl.when(pl.col("feature").is_in(list(accepted))).then(pl.lit(f" {LOW_COVERAGE}"))
    return (pl.col("feature") + mark.otherwise(pl.lit(""))).alias("row")


def _measure(rows: pl.DataFrame) -> str:
    """Return what the effects are; the unit is said where it is that of all."""
    found = rows["measure"].unique().sort().to_list()
    if len(found) == 1:
        return str(found[0])
    bare = {name.removesuffix(" per SD") for name in found}
    return f"{min(bare)} (scores and markers: per SD)" if len(bare) == 1 else " or ".join(found)


def _domain(rows: pl.DataFrame, *, intervals: bool = True) -> tuple[float, float]:
    """Return the ends of a logarithmic axis: what is there, 1 inside, no wider than readable."""
    columns = ("effect", "low", "high") if intervals else ("effect",)
    values = [v for name in columns for v in rows[name].drop_nulls().to_list() if v > 0]
    low, high = min([0.5, *values]) * 0.9, max([2.0, *values]) * 1.1
    return max(low, _WIDEST[0]), min(high, _WIDEST[1])


def _share(domain: tuple[float, float], *, log: bool) -> pl.Expr:
    """Return how far along the axis an effect lies, from 0 to 1."""
    low, high = (pl.lit(end).log() if log else pl.lit(end) for end in domain)
    effect = pl.col("effect").log() if log else pl.col("effect")
    return (effect - low) / (high - low)


def _caption(told: int, open_: int, left: tuple[int, int]) -> str:
    parts: list[str] = []
    if told:
        parts.append(
            "Filled: with p, the smallest first" + (f", {left[0]} more in the table" if left[0] else "")
        )
    if open_:
        more = f", {left[1]} more in the table" if left[1] else ""
        parts.append(f"Hollow: too few to say, an estimate without p, by name and not ranked{more}")
    return f"{'. '.join(parts)}. Dashed line: no association. Intervals are cut at the ends of the axis."


def _describe(title: str, told: pl.DataFrame, open_: pl.DataFrame) -> str:
    few = f" Of {words.plural(open_.height, 'feature')} there is too little to say." if open_.height else ""
    return f"{title}. {_first(told)}{few}"


def _first(told: pl.DataFrame) -> str:
    if told.is_empty():
        return "No feature has a p."
    said = [
        f"{row['feature']} {format_effect(row)}, p {words.p_value(row['p'])}, q {words.p_value(row['q'])}"
        for row in told.head(3).iter_rows(named=True)
    ]
    return f"{words.plural(told.height, 'feature')} with p; the smallest: {'; '.join(said)}."
