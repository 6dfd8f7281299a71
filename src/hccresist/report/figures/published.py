"""Own rates and medians beside those of published arms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from hccresist.report import words
from hccresist.report.figures.figure import Figure, draw

MOST_ARMS: Final = 8
"""Published numbers drawn of one endpoint: those of most patients."""

UNITS: Final = {"percent": "Percent of patients", "months": "Months"}
"""Unit to the title of its axis; each has a figure of its own."""

_KINDS: Final = ("ORR", "DCR", "mPFS", "PFS", "mTTP", "mDoR", "mOS", "OS")
_NAMES: Final = {
    "ORR": "Objective response",
    "DCR": "Disease control",
    "mPFS": "Median progression-free survival",
    "mTTP": "Median time to progression",
    "mDoR": "Median duration of response",
    "mOS": "Median overall survival",
}
_ALIVE: Final = {"OS": "Alive", "PFS": "Progression-free"}
Row = Mapping[str, Any]


def name_endpoint(endpoint: str) -> str:
    """Return an endpoint of `published_comparison` in words.

    Examples
    --------
    >>> name_endpoint("OS_12mo")
    'Alive at 12 months'
    """
    kind, _, landmark = endpoint.partition("_")
    if landmark and kind in _ALIVE:
        return f"{_ALIVE[kind]} at {landmark.removesuffix('mo')} months"
    return _NAMES.get(endpoint, endpoint)


def sort_endpoints(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows in the order of the page: endpoint, landmark, criterion, own confirmation, patients."""
    kind = pl.col("endpoint").str.extract(r"^([^_]+)")
    return rows.sort(
        kind.replace_strict({name: at for at, name in enumerate(_KINDS)}, default=99, return_dtype=pl.Int64),
        pl.col("endpoint").str.extract(r"_(\d+)mo").cast(pl.Int64).fill_null(0),
        "endpoint",
        "criterion",
        "confirmed",
        -pl.col("published_n").fill_null(0),
        "published_key",
    )


def name_block(row: Row) -> str:
    """Return endpoint and criterion of a row."""
    criterion = f", {words.label_criterion(row['criterion'])}" if row["criterion"] else ""
    return f"{name_endpoint(row['endpoint'])}{criterion}"


def name_own(row: Row) -> str:
    """Return the study's own number in words."""
    rate = row["endpoint"] in {"ORR", "DCR"}
    return f"This study{', confirmed' if rate and row['confirmed'] else ''}, n {words.count(row['n'])}"


def name_published(row: Row) -> str:
    """Return a published number in words: trial, assessor, patients."""
    assessor = f", {row['assessor']}" if row["assessor"] else ""
    n = "" if row["published_n"] is None else f", n {words.count(row['published_n'])}"
    return f"{row['trial']}{assessor}{n}"


def say_number(value: float | None, low: float | None, high: float | None) -> str:
    """Return a number with its limits; one that is not reached is a dash."""
    if low is None and high is None:
        return words.number(value)
    return f"{words.number(value)} ({words.interval(low, high)})"


def plot_beside(rows: pl.DataFrame, *, unit: str, key: str, title: str) -> Figure | None:
    """Return own numbers of one group and unit beside published ones; ``None`` where there are none.

    Parameters
    ----------
    rows
        Rows of `published_comparison` of one reader and group.
    unit
        ``percent`` or ``months``.
    key, title
        Of the figure.
    """
    from hccresist.report.figures.charts import published  # noqa: PLC0415  (Altair loads slowly)

    kept = sort_endpoints(rows.filter(pl.col("unit").cast(pl.String) == unit))
    if kept.is_empty():
        return None
    end = _find_end(kept, unit)
    drawn = pl.DataFrame(list(_list_rows(kept, end)), schema=_SCHEMA, orient="row")
    chart = published.chart_beside(drawn["row"].to_list(), unit=UNITS[unit], domain=(0.0, end))
    left = _count_left(kept)
    more = f" {words.plural(left, 'further published number')} in the table." if left else ""
    return Figure(
        key=key,
        title=title,
        heading=UNITS[unit],
        caption="Filled: this study. Hollow: published arms, those of most patients first. Lines: 95 % "
        f"limits, or what the table says, cut at the ends of the axis. Other patients, other scans.{more}",
        alt=_describe(title, kept),
        data=kept,
        svg=draw(chart, key=key, rows={"rows": drawn}),
    )


_SCHEMA: Final = {
    "row": pl.String,
    "value": pl.Float64,
    "from": pl.Float64,
    "to": pl.Float64,
    "own": pl.Boolean,
    "said": pl.String,
}


def _find_end(rows: pl.DataFrame, unit: str) -> float:
    """Return the end of the axis: 100 percent, or the longest number and finite limit, not much past it."""
    if unit == "percent":
        return 100.0
    columns = [rows[name].drop_nulls() for name in ("value", "published_value")]
    largest = max((float(column.max()) for column in columns if len(column)), default=12.0)  # pyright: ignore[reportArgumentType]
    return 1.6 * largest if largest else 12.0


def _list_rows(rows: pl.DataFrame, end: float) -> Iterator[tuple[Any, ...]]:
    """Yield heading, own numbers and published ones of each endpoint."""
    for (_, _), block in rows.group_by("endpoint", "criterion", maintain_order=True):
        name = name_block(block.row(0, named=True))
        yield (f"{name}\n", None, None, None, False, "")
        for row in block.unique("confirmed", keep="first", maintain_order=True).iter_rows(named=True):
            yield _draw_row(name, name_own(row), (row["value"], row["low"], row["high"]), own=True, end=end)
        shown = _choose_published(block).head(MOST_ARMS)
        several = shown.group_by("trial").len().filter(pl.col("len") > 1)["trial"].to_list()
        for row in shown.iter_rows(named=True):
            told = name_published(
                {**row, "trial": row["arm_id"] if row["trial"] in several else row["trial"]}
            )
            numbers = tuple(row[f"published_{part}"] for part in ("value", "low", "high"))
            yield _draw_row(name, told, numbers, own=False, end=end)


def _choose_published(block: pl.DataFrame) -> pl.DataFrame:
    """Return each published number once, however often the study's own stands beside it."""
    return block.unique("published_key", keep="first", maintain_order=True)


def _count_left(rows: pl.DataFrame) -> int:
    counts = rows.group_by("endpoint", "criterion").agg(n=pl.col("published_key").n_unique())
    return sum(max(0, n - MOST_ARMS) for n in counts["n"].to_list())


def _draw_row(
    block: str, name: str, numbers: tuple[float | None, ...], *, own: bool, end: float
) -> tuple[Any, ...]:
    value, low, high = numbers
    known = low is not None or high is not None
    start = (0.0 if low is None else min(low, end)) if known else None
    stop = (end if high is None else min(high, end)) if known else None
    shown = None if value is None else min(value, end)
    said = say_number(value, low, high) if value is not None or known else "not reached"
    return (f"{block}\n{name}", shown, start, stop, own, said)


def _describe(title: str, rows: pl.DataFrame) -> str:
    told: list[str] = []
    for (_, _), block in rows.group_by("endpoint", "criterion", maintain_order=True):
        row = block.row(0, named=True)
        found: list[float] = _choose_published(block)["published_value"].drop_nulls().to_list()
        span = words.interval(min(found), max(found)) if found else "not reached"
        own = say_number(row["value"], row["low"], row["high"])
        told.append(f"{name_block(row)} {own}, published {span}")
    return f"{title}. {'; '.join(told)}."
