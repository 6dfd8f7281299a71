"""The twins of the cohort: who has one, how wide it is, what it says, and what rests on assumption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import polars as pl
from markupsafe import Markup

from hccresist.overcome.twin_results import QUANTITIES
from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.figures.figure import Figure
from hccresist.report.figures.outlook import plot_twins
from hccresist.report.outlooks import FIT, NAMES, TABLE, drop_refrain, name_horizon, split_groups
from hccresist.report.render import Table, render, soften, widen

RESEARCH: Final = (
    "Research only. These are chances that virtual patients of a model have; nothing here is a forecast for "
    "a patient or a reason to give or withhold a treatment."
)
CHECKED: Final = (
    "In checks on real series the last size alone was nearer to the next one than the twin. Under systemic "
    "drugs the twin has not been checked on real patients at all. The page ‘The twin’ of the documentation "
    "has the numbers."
)
ASSUMED: Final = (
    "The form of the model, and the typical value of each parameter that no data have moved.",
    "Standard doses where none are recorded, taken as prescribed.",
    "How often a resistance handle is on, how strongly it acts, and how far tissue speaks for it.",
    "A candidate's drugs act as in the model; a drug that stands for its class is named in the notes.",
    "After a progression the course goes on as it is: later treatment is not foreseen.",
)
"""What is assumption, in sentences."""
DRAWN: Final = (("progression", 1), ("death", 2))
"""Chances that are drawn, each at a horizon by its place (the last one where there are fewer)."""
MOST_REASONS: Final = 12
_PRESENT: Final = pl.col("role").cast(pl.String) == "present"


def build(facts: Facts) -> Markup:
    """Return how many have a twin, what it says and how wide, candidates, and what is assumed."""
    fits = facts.table(FIT)
    if fits is None:
        return render("outlook", absent=facts.why_absent(FIT), research=RESEARCH)
    from hccresist.overcome.twin_words import FEW  # noqa: PLC0415  (loads the model)

    made = fits.filter(pl.col("effective").is_not_null())
    rows = facts.table(TABLE)
    return render(
        "outlook",
        absent="",
        research=RESEARCH,
        checked=CHECKED,
        counts=_count(fits, made, FEW),
        without=_tell_without(fits),
        present=None if rows is None else _present(rows),
        figures=() if rows is None else _draw(rows, FEW),
        candidates=_candidates(facts),
        assumed=(*_tell_parameters(facts), *ASSUMED),
        groups=_groups(made),
    )


def _tell_parameters(facts: Facts) -> tuple[str, ...]:
    """Return which typical values the run drew virtual patients from, where it says so."""
    options = facts.manifest.get("options")
    told = options.get("parameters") if isinstance(options, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return (f"Typical values: {told}.",) if told else ()


def _draw(rows: pl.DataFrame, few: float) -> list[Figure]:
    horizons: list[float] = rows["horizon_days"].unique().sort().to_list()
    made = [
        plot_twins(rows, quantity=quantity, horizon=horizons[min(at, len(horizons) - 1)], few=few)
        for quantity, at in DRAWN
    ]
    return [figure for figure in made if figure is not None]


def _count(fits: pl.DataFrame, made: pl.DataFrame, few: float) -> str:
    """Return how many patients have a twin, and of how many it rests on little."""
    thin = made.filter(pl.col("effective") < few).height
    told = f"{words.count(made.height)} of {words.plural(fits.height, 'patient')} have a twin."
    if not thin:
        return told
    return (
        f"{told} In {words.count(thin)} of them it rests on fewer than {few:g} virtual patients in effect: "
        "their intervals are too narrow to be trusted."
    )


def _tell_without(fits: pl.DataFrame) -> Table | None:
    """Return why patients have no twin, the commonest reason first; numbers in a reason are left out."""
    without = fits.filter(pl.col("effective").is_null()).sort("patient_id")
    if without.is_empty():
        return None
    told = without.with_columns(
        why=pl.col("notes").map_elements(_shorten, return_dtype=pl.String, skip_nulls=False)
    )
    found = Counter[str](told["why"].to_list())
    who: dict[str, list[str]] = {}
    for why, patient in told.select("why", "patient_id").iter_rows():
        who.setdefault(why, []).append(patient)
    ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_REASONS]
    more = len(found) - len(ranked)
    return Table(
        caption="Why patients have no twin",
        head=("Why", "Patients", "Who"),
        rows=tuple((widen(why), words.count(n), widen(_name_some(who[why]))) for why, n in ranked),
        text_columns=(0, 2),
        note=f"{words.plural(more, 'further reason')} in table ‘{FIT}’." if more > 0 else "",
    )


def _shorten(notes: str) -> str:
    """Return a reason without the day that is the patient's own."""
    told = drop_refrain(notes or "").removeprefix("no twin: ")
    head, day, rest = told.partition(" on day ")
    return f"{head}{rest.lstrip('-−.0123456789')}" if day else told or "no reason given"


def _name_some(names: list[str], most: int = 8) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


# What the twins say ----------------------------------------------------------------------------------


def _present(rows: pl.DataFrame) -> Table | None:
    """Return chances on the present drugs over the cohort, and how wide they are."""
    own = rows.filter(_PRESENT, pl.col("value").is_not_null())
    if own.is_empty():
        return None
    cells: list[tuple[str | Markup, ...]] = []
    for days in own["horizon_days"].unique().sort().to_list():
        for quantity in QUANTITIES:
            part = own.filter(pl.col("horizon_days") == days, pl.col("quantity").cast(pl.String) == quantity)
            if part.height:
                cells.append(_row_of_present(days, quantity, part))
    return Table(
        caption="Going on as now: what the twins say, and how wide",
        head=(
            "Within",
            "What",
            "Patients",
            "Median (range)",
            "Width, 90 %",
            "Before the data",
            "Narrowed by",
        ),
        rows=tuple(cells),
        text_columns=(0, 1),
        note="Over patients. Chances in percent, widths in points; change of the sum in percent. Width: "
        "median width of the 90 % interval: how far virtual patients like a patient differ, not how well the "
        "model is known; before the data: that of virtual patients that share nothing but "
        "the baseline. Narrowed by: median of the share by which the data narrowed it; negative: widened.",
    )


def _row_of_present(days: float, quantity: str, part: pl.DataFrame) -> tuple[str | Markup, ...]:
    factor = 1.0 if quantity == QUANTITIES[-1] else 100.0
    values: list[float] = sorted(factor * value for value in part["value"].to_list())
    widths = factor * (part["high"] - part["low"])
    before = factor * (part["prior_high"] - part["prior_low"])
    median = words.number(pl.Series(values).median(), 0)  # pyright: ignore[reportArgumentType]
    return (
        name_horizon(days),
        NAMES[quantity],
        words.count(part.height),
        Markup("{} {}").format(median, soften(f"({words.interval(values[0], values[-1], 0)})")),
        _median(widths),
        _median(before),
        words.percent(100 * value, 0) if (value := _middle(part["narrowing"])) is not None else words.EMPTY,
    )


def _middle(column: pl.Series) -> float | None:
    value = column.drop_nulls().median()
    return float(value) if isinstance(value, int | float) else None


def _median(column: pl.Series) -> str:
    return words.number(_middle(column), 0)


def _candidates(facts: Facts) -> Table | None:
    """Return the simulated gain of each strategy that was looked at, over patients."""
    frame = facts.table("strategies")
    if frame is None:
        return None
    rows = frame.filter(pl.col("patient_id").is_not_null(), pl.col("simulated_gain").is_not_null())
    if rows.is_empty():
        return None
    grouped = rows.group_by("strategy_id", "strategy", "drugs").agg(
        n=pl.len().cast(pl.Int64),
        middle=100 * pl.col("simulated_gain").median(),
        least=100 * pl.col("simulated_gain").min(),
        most=100 * pl.col("simulated_gain").max(),
        width=100 * (pl.col("simulated_gain_high") - pl.col("simulated_gain_low")).median(),
        above=(pl.col("simulated_gain_low") > 0).sum(),
        below=(pl.col("simulated_gain_high") < 0).sum(),
    )
    ranked = grouped.sort(-pl.col("n"), "strategy_id").iter_rows(named=True)
    return Table(
        caption="Candidates beside going on as now: difference in the share alive after 12 months",
        head=("Strategy", "Patients", "Points, median (range)", "Width, 90 %", "Above 0", "Below 0"),
        rows=tuple(_row_of_candidate(row) for row in ranked),
        text_columns=(0,),
        note="By how many patients it was looked at in, not by gain. Above and below 0: patients whose 90 % "
        "interval lies wholly there. A difference within the model, of patients for whom the strategy ranks "
        "high; strategies whose drugs the model does not know are not here.",
    )


def _row_of_candidate(row: Mapping[str, Any]) -> tuple[str | Markup, ...]:
    name = Markup('{}<span class="soft line">{} · {}</span>').format(
        widen(row["strategy"]), row["drugs"].replace(";", " + "), row["strategy_id"]
    )
    spread = soften(f"({words.interval(row['least'], row['most'], 0)})")
    return (
        name,
        words.count(row["n"]),
        Markup("{} {}").format(words.number(row["middle"], 0), spread),
        words.number(row["width"], 0),
        words.count(row["above"]),
        words.count(row["below"]),
    )


def _groups(made: pl.DataFrame) -> list[str]:
    """Return the groups of handles that scans cannot tell apart, in any twin."""
    found = {group for text in made["indistinct"].to_list() for group in split_groups(text)}
    return sorted(found)
