"""Patterns of response in simulated patients: page and figures.

::

    python docs/simulated_patterns.py           simulate, judge, write explanation/simulated-patterns.md
    python docs/simulated_patterns.py --check   fail where the page differs from what the model gives

Every number of the page comes from `hccresist.overcome.emergence.CASES`; nothing is typed in by hand.
"""

# ruff: noqa: E501  (one line of prose a row)

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
from chart import save_chart
from numpy.typing import NDArray

from hccresist.assess.patterns import DEFINITIONS
from hccresist.overcome.emergence import (
    CASES,
    LATE,
    SPLIT,
    STOP,
    Found,
    compare_halves,
    estimate_survival,
    find_out,
    make_job,
    simulate_setting,
)
from hccresist.overcome.engine import Result
from hccresist.overcome.population import MOST_LESIONS, SLOTS
from hccresist.overcome.reading import READING_SD

DOCS = Path(__file__).parent
PAGE = DOCS / "explanation" / "simulated-patterns.md"
NOTE = "<!-- Made from the model by docs/simulated_patterns.py: change the model or its tables, then run it. -->\n\n"
COLOURS: Mapping[str, Sequence[str]] = {
    "light": ("#0b6e4f", "#c8553d", "#8a8a8a", "#2c6fb5"),
    "dark": ("#5fd0a5", "#ff8f73", "#a9afba", "#7fb4ee"),
}
"""Colours for light and dark pages; they differ in lightness too."""
PSEUDO, MIXED = "pseudo_recist11_control", "dissociated_bernard_tessier_2020"
TWOFOLD = "yumita_2023_twofold"
HCC = ("kim_2021_hcc", TWOFOLD, "yumita_2023_fourfold", "maesaka_2022")
RISE = 5.0
"""Rise of TGR (points a month) that is called a rebound here (our choice: no published rule was seen)."""
EARLY = 56.0
Count = tuple[int, int]


@cache
def find(name: str) -> Found:
    """Return what came of a case."""
    return find_out(CASES[name])


@dataclass(frozen=True)
class Pattern:
    """A pattern: its case, what takes it away, and how it is judged.

    Attributes
    ----------
    case
        Name of the case; its control is the same with ``off``, unless `without` names others.
    title, definition
        For people; the definition names what *assess* gives.
    cause
        What is switched off.
    without
        Names of cases in which it has to be gone.
    published
        What was published, as read from the table of trials; empty where it holds nothing.
    until
        Last day of the figure.
    """

    case: str
    title: str
    definition: str
    cause: str
    without: tuple[str, ...]
    published: str = ""
    until: float = 336.0


def show_row(row: Mapping[str, object]) -> str:
    """Return one published row in words."""
    counts = (
        f"{row['events']} of {row['denominator']}" if row["events"] is not None else f"{row['rate_pct']:g} %"
    )
    return f"{counts} on {row['drug']} ({row['study']})"


@lru_cache(maxsize=1)
def read_published() -> pl.DataFrame:
    """Return the verified rows of the table of published patterns."""
    text = files("hccresist").joinpath("data/trials/response_patterns.csv").read_bytes()
    table = pl.read_csv(text, schema_overrides={"pmid": pl.String})
    return table.filter("verified")


def tell_published(pattern: str, start: str = "") -> str:
    """Return the published rows of a pattern whose definition starts so."""
    rows = read_published().filter(pl.col("pattern") == pattern, pl.col("definition").str.starts_with(start))
    return "; ".join(show_row(row) for row in rows.to_dicts())


def list_patterns() -> tuple[Pattern, ...]:
    """Return all patterns of the page."""
    psp = "; ".join(
        (
            tell_published("PsP"),
            tell_published("non-conventional benefit after RECIST PD") + ", an upper bound",
        )
    )
    return (
        Pattern("oedema", "Pseudoprogression: oedema and infiltrate", f"`{PSEUDO}`", "handle `oedema`; its volume; the drug", ("oedema off", "oedema without volume", "oedema untreated"), psp),
        Pattern("micrometastases", "Pseudoprogression: micrometastases become visible", f"`{PSEUDO}`", "new lesions", ("micrometastases off",), psp),
        Pattern("hyper_growth", "Hyperprogression: growth signal of PD-1 block", "`kim_2021_hcc`", "handle `hyper_growth`; the drug", ("hyper_growth off", "hyper_growth untreated"), tell_published("HPD", "TGK ratio >=4 AND"), 168.0),
        Pattern("hyper_treg", "Hyperprogression: Treg divide under PD-1 block, in tumours that T cells held", f"`{TWOFOLD}`", "handle `hyper_treg`", ("hyper_treg off",), tell_published("HPD", "TGR or TGK ratio >=2"), 168.0),
        Pattern("rebound", "Rebound after lenvatinib", f"flag `rebound_kinase_inhibitor` and TGR up by more than {RISE:g} points a month", "the stop; the drug", ("rebound off", "rebound never treated")),
        Pattern("mixed", "Mixed response: one of several equal lesions shuts T cells out", f"`{MIXED}`", "`h_exclusion` in one lesion", ("mixed off",)),
        Pattern("enhancement", "mRECIST response without RECIST response, bevacizumab", "best response CR or PR by mRECIST, neither by RECIST 1.1", "loss of enhancement with vessels; that and dead tissue", ("enhancement off", "enhancement and debris off")),
        Pattern("memory", f"Response off drug: nivolumab stopped on day {STOP:g}", f"CR or PR by RECIST 1.1 on day {LATE:g}", "output of stem-like memory", ("memory off",), until=LATE),
    )  # fmt: skip


# ---- judging ---------------------------------------------------------------------------------------------


def who_meets(pattern: Pattern, name: str) -> NDArray[np.bool_]:
    """Return which patients of a case show the pattern, as *assess* has it; shape = (n,)."""
    found = find(name)
    if pattern.case == "rebound":
        rows = found.made["patterns"].filter(pl.col("definition") == "kas_2020", pl.col("value") > RISE)
        flagged = found.who("rebound_kinase_inhibitor") if found.setting.drugs else True
        return np.isin(found.names, rows["patient_id"].to_numpy()) & flagged
    if pattern.case == "enhancement":
        best = {c: found.made["best_response"].filter(criterion=c) for c in ("mrecist", "recist11")}
        told = {c: set(t.filter(pl.col("best").is_in(["CR", "PR"]))["patient_id"]) for c, t in best.items()}
        judged = set(best["recist11"].filter(pl.col("best") != "NE")["patient_id"])
        return np.isin(found.names, sorted((told["mrecist"] - told["recist11"]) & judged))
    if pattern.case == "memory":
        rows = found.made["timepoints"].filter(criterion="recist11", day=LATE)
        rows = rows.filter(pl.col("overall").is_in(["CR", "PR"]))
        return np.isin(found.names, rows["patient_id"].to_numpy())
    return found.who(pattern.definition.strip("`"))


def count(pattern: Pattern, name: str) -> Count:
    """Return how many patients of a case show the pattern, and of how many who can be judged."""
    found, met = find(name), int(who_meets(pattern, name).sum())
    if pattern.case == "rebound":
        return met, len(found.number("kas_2020"))
    if pattern.case == "enhancement":
        return found.count_best("mrecist", "recist11")
    if pattern.case == "memory":
        return found.count_responding(LATE)
    if pattern.definition.strip("`") == PSEUDO:
        return found.count(PSEUDO, "treated")
    return found.count(pattern.definition.strip("`"))


def show(pair: Count) -> str:
    """Return a count with its share."""
    met, n = pair
    return f"{met} of {n} ({100 * met / n:.1f} %)" if n else "none can be judged"


# ---- tables ----------------------------------------------------------------------------------------------


def _head(*cells: str) -> Iterator[str]:
    yield "| " + " | ".join(cells) + " |"
    yield "| " + " | ".join("---" for _ in cells) + " |"


def _row(*cells: object) -> str:
    return "| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |"


def tell_patterns() -> Iterator[str]:
    """Yield the table of patterns, on and off."""
    yield from _head("pattern", "definition", "on", "taken away", "off", "published")
    for pattern in list_patterns():
        off = "; ".join(
            f"{name.removeprefix(pattern.case).strip()}: {show(count(pattern, name))}"
            for name in pattern.without
        )
        yield _row(
            pattern.title,
            pattern.definition,
            show(count(pattern, pattern.case)),
            pattern.cause,
            off,
            pattern.published or "no rate in the table",
        )
    early, late, off = tell_survival()
    yield _row(
        "Late separation of survival",
        f"restricted means to day {SPLIT:g}, and from there to day {LATE:g} among those alive",
        f"{early}; {late}",
        "killing by T cells",
        off,
        "",
    )


def tell_survival() -> tuple[str, str, str]:
    """Return the differences of mean survival in words: early, late, and both without killing."""
    words: list[str] = []
    for case in ("", ", no killing"):
        halves = compare_halves(*(arm["survival"] for arm in run_arms(case)), split=SPLIT, until=LATE)
        words += [
            f"{name} {half.value:+.1f} days ({half.low:.1f} to {half.high:.1f})"
            for name, half in (("early", halves.early), ("late", halves.late))
        ]
    return words[0], words[1], "; ".join(words[2:])


@cache
def run_arms(case: str) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """Return the clinic's tables of the treated and the untreated arm."""
    treated, untreated = (f"survival {arm}{case}" for arm in ("nivolumab", "untreated"))
    return simulate_setting(CASES[treated])[1], simulate_setting(CASES[untreated])[1]


def count_full() -> Count:
    """Return how many untreated patients had more new lesions than there is room for."""
    from hccresist.overcome.model.ensemble import FULL  # noqa: PLC0415  (loads Numba)

    status = find("placebo").result.status
    return int((status == FULL).sum()), len(status)


def find_first_new() -> float:
    """Return the median day of the first new lesion, of untreated patients who had one."""
    days = find("placebo").result.events[:, 2:]
    first = np.where(np.isfinite(days), days, np.inf).min(axis=1)
    return float(np.median(first[np.isfinite(first)]))


def tell_extinct() -> str:
    """Return how many of those who respond off drug have no tumour cell in any baseline lesion."""
    memory = next(pattern for pattern in list_patterns() if pattern.case == "memory")
    result, met = find("memory").result, who_meets(memory, "memory")
    at = find("memory").find_day(LATE)
    cells = np.zeros(len(met))
    for slot in range(MOST_LESIONS):
        own = slot < result.population.lesions
        cells += np.where(own, result.output("cells_ml", slot=slot)[:, at], 0.0)
    return f"{int((cells[met] <= 0.0).sum())} of {int(met.sum())}"


def list_growth_definitions() -> list[str]:
    """Return the definitions of hyperprogression that can be judged in simulated patients."""
    names = [n for n, item in DEFINITIONS.items() if item.family == "hyperprogression" and item.computable]
    return [name for name in names if find("placebo read").count(name)[1] > 0]


CHANCE: Mapping[str, str] = {
    "nivolumab": "nivolumab, true sizes",
    "nivolumab read": "nivolumab, as read",
    "nivolumab off read": "nivolumab, handles off, as read",
    "placebo": "no treatment, true sizes",
    "placebo read": "no treatment, as read",
}


def tell_chance() -> Iterator[str]:
    """Yield how often each definition is met, with and without reading error."""
    yield from _head("definition", *CHANCE.values())
    for name in list_growth_definitions():
        yield _row(f"`{name}`", *(show(find(case).count(name)) for case in CHANCE))


def tell_default() -> Iterator[str]:
    """Yield the rates of the default population."""
    yield from _head(
        "in the default population",
        "treated or evaluable",
        "nivolumab, true sizes",
        "nivolumab, as read",
        "no treatment, as read",
    )
    for name in (PSEUDO, "pseudo_recist11_response", "pseudo_irecist_control", "pseudo_mrecist_control"):
        for group in ("treated", "after_pd"):
            shown = (
                show(find(case).count(name, group))
                for case in ("nivolumab", "nivolumab read", "placebo read")
            )
            yield _row(f"`{name}`", group.replace("_", " "), *shown)
    for name in HCC:
        shown = (show(find(case).count(name)) for case in ("nivolumab", "nivolumab read", "placebo read"))
        yield _row(f"`{name}`", "evaluable", *shown)


def tell_hyperprogression() -> Iterator[str]:
    """Yield the published rates of hyperprogression."""
    yield from _head("study", "population", "drug", "definition", "published")
    for row in read_published().filter(pl.col("pattern") == "HPD").to_dicts():
        rule = str(row["definition"]).replace(">=", "≥ ")
        yield _row(
            row["study"], row["population"], row["drug"], rule, show((row["events"], row["denominator"]))
        )


def find_share(name: str) -> NDArray[np.float64]:
    """Return tumour's share of growth to day 56, of those who meet the twofold definition."""
    tumour, other = find(name).growth(EARLY)
    return (tumour / (np.abs(tumour) + np.abs(other)))[find(name).who(TWOFOLD)]


def tell_tumour() -> Iterator[str]:
    """Yield what of the growth is tumour."""
    yield from _head(
        "cause",
        f"`{TWOFOLD}`",
        "the same, where infiltrate and fluid take no volume",
        "tumour's share of the growth to day 56, median",
    )
    for name in ("hyper_growth", "hyper_treg", "oedema"):
        with_volume, without = find(name).count(TWOFOLD), find(f"{name} without volume").count(TWOFOLD)
        yield _row(f"`{name}`", show(with_volume), show(without), f"{np.median(find_share(name)):+.2f}")


def tell_chance_words() -> str:
    """Return the paragraph on chance."""
    shares = {name: find("placebo read").count(name) for name in list_growth_definitions()}
    order = sorted(shares, key=lambda name: shares[name][0] / shares[name][1])
    low, high = order[0], order[-1]
    truth = max(find("placebo").count(name)[0] for name in shares)
    return (
        f"Untreated patients of the model never change their growth abruptly: read without error, at most {truth} of them meet any definition. Read with the error of "
        f"one reading of one lesion (standard deviation {READING_SD:g} of the logarithm, Student's t), {show(shares[high])} meet `{high}` and {show(shares[low])} meet `{low}`. That is chance: "
        "two short stretches of growth are divided by each other, and a small first one makes any ratio. Definitions that ask for a ratio alone suffer most; those that "
        "also ask for a rise in points or for progression suffer least. What is above chance is the difference between columns two and three or two and five of the table, not the rate itself."
    )


INTRO = """# Patterns of response in simulated patients

Nothing in the model is written to make a pattern. Here the same simulated patients are given a cause (a handle, a drug, its stop) and not given it, a clinic's scans are
made of them, and *assess* judges these by its published definitions, as it would judge a study. Research software: no prediction for anybody. The rates come **before any
calibration** to trials. Definitions: [Hyperprogression](hyperprogression.md). The model: [The virtual patient](virtual-patient.md).

## Each pattern, with its cause and without

Sizes read without error, so that nothing is by chance. In the upper rows patients are chosen so that the cause can show (`emergence.py` has the values); these shares
say that a pattern comes and goes, not how often it occurs.

"""
COURSES = """
![One patient of each pattern: whole and viable diameters, and the tumour's share of growth](../images/simulated-patterns-courses-light.svg#only-light)
![One patient of each pattern: whole and viable diameters, and the tumour's share of growth](../images/simulated-patterns-courses-dark.svg#only-dark)

One patient of each pattern (of those who show it, the one in the middle by burden; with oedema, of those who respond later). Sum of the diameters of the baseline lesions, in mm: whole (RECIST) and viable (mRECIST);
new lesions apart; in the mixed response the first two lesions each. Below: `tumour_share` of the largest lesion, 1 where all growth is tumour, -1 where all change is loss of
tumour, near 0 where something else changes. Days from the start; for the rebound, from the stop.

"""
TUMOUR = """
## Is it tumour that grows?

"""
TUMOUR_FIGURE = """
![Tumour's share of growth in those who hyperprogress by size](../images/simulated-patterns-tumour-light.svg#only-light)
![Tumour's share of growth in those who hyperprogress by size](../images/simulated-patterns-tumour-dark.svg#only-dark)

Diameters alone cannot tell hyperprogression from oedema. The model can: with infiltrate and fluid without volume, what grew by them no longer meets the definition, and what
grew as tumour still does. In a patient nobody has that number; viable diameters (the mRECIST of the same scans), markers and a later scan are what comes near.

## The default population

Handles on in some patients, as `prevalence.csv` has it (mostly assumptions).

"""
PUBLISHED = """
Published rates of hyperprogression (checkpoint inhibitors, and the two controls of the first study):

"""
CHANCE_HEAD = """
## What reading error does by itself

"""
CHANCE_FIGURE = """
![How often each definition is met, under nivolumab and without treatment, as read](../images/simulated-patterns-chance-light.svg#only-light)
![How often each definition is met, under nivolumab and without treatment, as read](../images/simulated-patterns-chance-dark.svg#only-dark)

"""
SURVIVAL = """
## Survival separates late

No delay is written in: T cells have to be primed, to enter and to divide, and dead tissue has to clear.

![Survival under nivolumab and without treatment](../images/simulated-patterns-survival-light.svg#only-light)
![Survival under nivolumab and without treatment](../images/simulated-patterns-survival-dark.svg#only-dark)

## What does not come out

- Treg that divide under PD-1 block take the T cells away, and a tumour then grows at its own rate and no faster. So `hyper_treg` meets ratios, and {treg} by `kim_2021_hcc`, which asks
  for 40 points of TGR besides. It shows only in tumours that T cells held before.
- Tumours do not die out: of those who respond on day {late} without drug, {extinct} have no tumour cell left. T cells hold what is left; memory is the cause, extinction is not.
- New lesions come early or not at all in too many: {full} of the default population have more of them than the model has room for, and the median day of the first is {first}.
"""


def render_page() -> str:
    """Return the whole page."""
    parts = (
        (INTRO, tell_patterns()),
        (COURSES + TUMOUR, tell_tumour()),
        (TUMOUR_FIGURE, tell_default()),
        (PUBLISHED, tell_hyperprogression()),
        (CHANCE_HEAD + tell_chance_words(), tell_chance()),
        (CHANCE_FIGURE, ()),
        (
            SURVIVAL.format(
                treg=show(find("hyper_treg").count("kim_2021_hcc")),
                late=f"{LATE:g}",
                extinct=tell_extinct(),
                full=show(count_full()),
                first=f"{find_first_new():.0f}",
            ),
            (),
        ),
    )
    blocks = ("\n".join((head.strip(), "", *rows)).strip() for head, rows in parts)
    return NOTE + "\n\n".join(blocks) + "\n"


# ---- figures ---------------------------------------------------------------------------------------------


def choose_patient(pattern: Pattern) -> int:
    """Return the patient of the figure: of those with the pattern and followed to its end, the middle by burden."""
    found = find(pattern.case)
    people = found.result.population
    shown = (
        found.who("pseudo_recist11_response")
        if pattern.case == "oedema"
        else who_meets(pattern, pattern.case)
    )
    met = set(found.names[shown].tolist())
    names = np.array([f"V{number:07d}" in met for number in people.numbers.tolist()])
    burden = people.diameters[:, :MOST_LESIONS].sum(axis=1)
    alive = found.result.ended >= pattern.until + found.setting.origin
    who = np.flatnonzero(names & alive) if (names & alive).any() else np.flatnonzero(names)
    if pattern.case == "micrometastases":
        new = sum(
            np.nan_to_num(found.result.output("whole_mm", slot=slot)).max(axis=1) * (slot >= people.lesions)
            for slot in range(SLOTS)
        )
        who = who[np.asarray(new)[who] > 0]
    return int(who[np.argsort(burden[who], kind="stable")[len(who) // 2]])


def follow(pattern: Pattern) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of one panel: sizes, and shares of growth."""
    at = choose_patient(pattern)
    setting = replace(CASES[pattern.case], looks=7.0)
    one = replace(setting, first=setting.first + at, count=1)
    result, _ = simulate_setting(one)
    days = np.array(make_job(one).visits) - setting.origin
    keep = (days >= (-setting.origin if setting.origin else 0.0)) & (days <= pattern.until)
    keep &= np.isfinite(result.output("whole_mm", slot=0)[0])
    panel = pattern.title
    sizes = [
        {"panel": panel, "line": line, "day": day, "mm": round(size, 2)}
        for line, values in list_lines(pattern, result).items()
        for day, size in zip(days[keep].tolist(), values[keep].tolist(), strict=True)
    ]
    share = result.output("tumour_share", slot=0)[0]
    shares = [
        {"panel": panel, "day": day, "share": round(value, 3)}
        for day, value in zip(days[keep].tolist(), share[keep].tolist(), strict=True)
    ]
    return sizes, shares


def list_lines(pattern: Pattern, result: Result) -> dict[str, NDArray[np.float64]]:
    """Return the lines of a panel: name to mm on each day."""

    def add(name: str, slots: Sequence[int]) -> NDArray[np.float64]:
        return np.asarray(
            sum((np.nan_to_num(result.output(name, slot=slot)[0]) for slot in slots), np.zeros(1))
        )

    lesions = int(result.population.lesions[0])
    if pattern.case == "mixed":
        return {"whole": add("whole_mm", [0]), "second lesion, whole": add("whole_mm", [1])}
    lines = {"whole": add("whole_mm", range(lesions)), "viable": add("viable_mm", range(lesions))}
    new = add("whole_mm", range(lesions, SLOTS))
    return lines | ({"new lesions": new} if pattern.case == "micrometastases" else {})


LINES = ("whole", "viable", "new lesions", "second lesion, whole")


def draw_courses(rows: Sequence[tuple[list[dict[str, object]], list[dict[str, object]]]], theme: str) -> None:
    """Draw the course of one patient of each pattern."""
    import altair as alt  # noqa: PLC0415

    columns: list[alt.VConcatChart] = []
    colours = list(COLOURS[theme])  # pyright: ignore
    for sizes, shares in rows:
        x = alt.X("day:Q", title=None, axis=alt.Axis(tickCount=4, labels=False))
        upper = (
            alt.Chart(alt.Data(values=sizes))
            .mark_line(strokeWidth=1.6)
            .encode(
                x=x,
                y=alt.Y("mm:Q", title=None, scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=4)),
                color=alt.Color(
                    "line:N",
                    title=None,
                    scale=alt.Scale(domain=list(LINES), range=colours),
                    legend=alt.Legend(orient="top"),
                ),
                strokeDash=alt.StrokeDash(
                    "line:N",
                    title=None,
                    scale=alt.Scale(domain=list(LINES), range=[[1, 0], [4, 2], [2, 2], [6, 3]]),
                ),
            )
            .properties(width=165, height=90, title=split_title(str(sizes[0]["panel"])))
        )
        lower = (
            alt.Chart(alt.Data(values=shares))
            .mark_area(line={"color": colours[3], "strokeWidth": 1}, color=colours[3], opacity=0.25)
            .encode(
                x=alt.X("day:Q", title="day", axis=alt.Axis(tickCount=4)),
                y=alt.Y(
                    "share:Q", title=None, scale=alt.Scale(domain=[-1, 1]), axis=alt.Axis(values=[-1, 0, 1])
                ),
            )
            .properties(width=165, height=34)
        )
        columns.append(alt.vconcat(upper, lower, spacing=4).resolve_scale(x="shared"))
    save_chart(f"simulated-patterns-courses-{theme}", alt.concat(*columns, columns=4, spacing=14), theme)


def split_title(title: str) -> list[str]:
    """Return a title in lines of up to 32 letters."""
    lines = [""]
    for word in title.split():
        if len(lines[-1]) + len(word) > 31:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def draw_tumour(theme: str) -> None:
    """Draw the tumour's share of growth of each patient who hyperprogresses by size."""
    import altair as alt  # noqa: PLC0415

    names = ("hyper_growth", "hyper_treg", "oedema")
    rows = [
        {"cause": name, "share": round(value, 3)} for name in names for value in find_share(name).tolist()
    ]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_tick(thickness=2, size=22, opacity=0.6)
        .encode(
            x=alt.X("share:Q", title="tumour's share of growth to day 56", scale=alt.Scale(domain=[-1, 1])),
            y=alt.Y("cause:N", sort=list(names), title=None),
            color=alt.Color(
                "cause:N",
                sort=list(names),
                scale=alt.Scale(domain=list(names), range=list(COLOURS[theme])[:3]),
                legend=None,
            ),  # pyright: ignore
        )
        .properties(width=460, height=alt.Step(34))
    )
    save_chart(f"simulated-patterns-tumour-{theme}", chart, theme)


def draw_chance(theme: str) -> None:
    """Draw how often definitions are met, as read, with and without treatment."""
    import altair as alt  # noqa: PLC0415

    shown = ("nivolumab read", "nivolumab off read", "placebo read")
    rows: list[dict[str, object]] = []
    for name in list_growth_definitions():
        for case in shown:
            met, n = find(case).count(name)
            rows.append({"definition": name, "case": CHANCE[case], "percent": round(100 * met / n, 1)})
    labels = [CHANCE[case] for case in shown]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=alt.X("percent:Q", title="patients who meet it, % of evaluable"),
            y=alt.Y("definition:N", title=None, sort="ascending"),
            yOffset=alt.YOffset("case:N", sort=labels),
            color=alt.Color(
                "case:N",
                title=None,
                sort=labels,
                scale=alt.Scale(domain=labels, range=list(COLOURS[theme])[:3]),
                legend=alt.Legend(orient="top", labelLimit=300),
            ),  # pyright: ignore
        )
        .properties(width=460, height=alt.Step(7))
    )
    save_chart(f"simulated-patterns-chance-{theme}", chart, theme)


def draw_survival(theme: str) -> None:
    """Draw survival of both arms."""
    import altair as alt  # noqa: PLC0415

    labels = ("nivolumab", "no treatment")
    rows: list[dict[str, object]] = []
    for label, tables in zip(labels, run_arms(""), strict=True):
        curve = estimate_survival(tables["survival"])
        days = np.arange(0.0, LATE + 1.0, 7.0)
        at = np.searchsorted(curve.days, days, side="right") - 1
        values = np.where(at >= 0, curve.survival[np.maximum(at, 0)], 1.0)
        rows += [
            {"arm": label, "day": day, "alive": round(100 * value, 2)}
            for day, value in zip(days.tolist(), values.tolist(), strict=True)
        ]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(interpolate="step-after", strokeWidth=1.8)
        .encode(
            x=alt.X("day:Q", title="day", scale=alt.Scale(domain=[0, LATE], nice=False)),
            y=alt.Y("alive:Q", title="alive, %", scale=alt.Scale(domain=[0, 100])),
            color=alt.Color(
                "arm:N",
                title=None,
                sort=list(labels),
                scale=alt.Scale(domain=list(labels), range=list(COLOURS[theme])[:2]),
                legend=alt.Legend(orient="top"),
            ),  # pyright: ignore
        )
        .properties(width=460, height=220)
    )
    save_chart(f"simulated-patterns-survival-{theme}", chart, theme)


def main(arguments: Sequence[str]) -> int:
    """Write page and figures, or compare the page."""
    page = render_page()
    if "--check" in arguments:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
            return 0
        sys.stderr.write(
            "docs/explanation/simulated-patterns.md differs from the model: run python docs/simulated_patterns.py\n"
        )
        return 1
    rows = [follow(pattern) for pattern in list_patterns()]
    for theme in COLOURS:
        draw_courses(rows, theme)
        draw_tumour(theme)
        draw_chance(theme)
        draw_survival(theme)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
