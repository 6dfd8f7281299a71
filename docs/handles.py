"""What each resistance handle does in the model, beside what the literature says: page and figures.

::

    python docs/handles.py           run the model, write reference/handles.md and its figures
    python docs/handles.py --check   fail where the page differs from what the model gives

Nothing random but the group of patients, which has its own seed.
"""

# ruff: noqa: E501  (one line of prose a row)

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from chart import save_chart

from hccresist.overcome.model.alike import (
    SAME,
    TREATMENTS,
    VISITS,
    Alike,
    compare_handles,
    find_sensitivities,
    group_alike,
)
from hccresist.overcome.model.handle_facts import FACTOR, Fact, read_facts, read_reversals
from hccresist.overcome.model.handle_groups import MANY, PATIENTS, measure
from hccresist.overcome.model.handle_measures import (
    ESCAPED,
    NEW_LESIONS,
    SPARED,
    TOLERANT,
    add_effects,
    replace_drugs,
    restore,
    reverse,
    switch_on,
)
from hccresist.overcome.model.handle_runs import NOTHING, RESPONDER, follow, name_drugs
from hccresist.overcome.model.parameters import Handle, read_handles

DOCS = Path(__file__).parent
PAGE = DOCS / "reference" / "handles.md"
NOTE = "<!-- Made from the model by docs/handles.py: change the model or its tables, then run it. -->\n\n"
WEEKS = tuple(range(0, 49, 4))
CONDITIONS = ("off", "on", "on, with strategy")
COLOURS: Mapping[str, Sequence[str]] = {
    "light": ("#8a8a8a", "#c8553d", "#0b6e4f"),
    "dark": ("#a9afba", "#ff8f73", "#5fd0a5"),
}
"""Colours for light and dark pages; they differ in lightness too."""
LARGEST = 200.0
LEFT = 0.2
"""Share of a mechanism that a weaker strategy leaves."""
UNITS: Mapping[str, str] = {
    "": "",
    "ratio": "",
    "fold": "",
    "percent": " %",
    "day": " days",
    "month": " months",
}
"""Unit of a fact to what follows the number."""

INTRO = """# Resistance handles against the literature

Each handle of the [virtual patient](../explanation/virtual-patient.md) has to do what its literature says: lower the response to the
drugs that it is known for, spare the others, and give way to the strategy that reverses it. This page shows what the model does today.
Its numbers come from the table's values, before any calibration to trials.

"""

FIGURE = """## What each handle does

One lesion of 50 mm in a patient whose T cells can respond, under the first drug that the handle is known for. Full lines: whole diameter
(RECIST); dashed: viable diameter (mRECIST); per cent of the start. Off: the mechanism is absent. On: at its typical value. With strategy:
on, and the strategy given from the start. Where a line is not seen it lies under another one.

![Whole and viable diameter over 48 weeks for each handle: off, on, and on with its strategy](../images/handles-light.svg#only-light)
![Whole and viable diameter over 48 weeks for each handle: off, on, and on with its strategy](../images/handles-dark.svg#only-dark)

"""


# ---- runs ------------------------------------------------------------------------------------------------


def start_shares(name: str, condition: str) -> dict[str, float]:
    """Return the clones at the start: those that a handle needs to be seen."""
    escaped = ESCAPED if name == "nk" else 0.0
    return {"escaped": escaped, "tolerant": TOLERANT if name == "mutation" and condition != "off" else 0.0}


def follow_handle(handle: Handle, condition: str) -> list[dict[str, object]]:
    """Return the diameters of one condition as rows for the figure."""
    drugs = name_drugs(handle.drugs[0])
    values: Mapping[str, float] = {} if condition == "off" else switch_on(handle.handle)
    added: Mapping[str, float] = NOTHING
    if condition == CONDITIONS[2]:
        added = add_effects(handle.handle)
        values, drugs = reverse(handle.handle, values), replace_drugs(handle.handle, drugs)
    days = tuple(7.0 * week for week in WEEKS)
    course = follow(
        RESPONDER | dict(values), drugs, days, added=added, **start_shares(handle.handle, condition)
    )
    rows: list[dict[str, object]] = []
    for output, word in (("whole_mm", "whole"), ("viable_mm", "viable")):
        size = course.output(output)
        rows += [
            {
                "panel": name_panel(handle),
                "condition": condition,
                "diameter": word,
                "week": week,
                "size": value,
            }
            for week, value in zip(WEEKS, np.round(100 * size / size[0], 1).tolist(), strict=True)
        ]
    return rows


def name_panel(handle: Handle) -> str:
    """Return the title of a panel."""
    return f"{handle.handle} · {'+'.join(name_drugs(handle.drugs[0]))}"


def follow_all() -> list[dict[str, object]]:
    """Return the rows of all panels."""
    rows: list[dict[str, object]] = []
    for handle in read_handles():
        shown = CONDITIONS if handle.handle in read_reversals() else CONDITIONS[:2]
        for condition in shown:
            rows += follow_handle(handle, condition)
    return rows


# ---- figures ---------------------------------------------------------------------------------------------


def draw_panels(rows: Sequence[Mapping[str, object]], theme: str) -> None:
    """Draw the small multiples."""
    import altair as alt  # noqa: PLC0415

    colours = COLOURS[theme]
    lines = (
        alt.Chart()
        .mark_line(clip=True, strokeWidth=1.4)
        .encode(
            x=alt.X("week:Q", title="weeks", axis=alt.Axis(values=[0, 24, 48])),
            y=alt.Y(
                "size:Q",
                title=None,
                axis=alt.Axis(values=[0, 50, 100, 150, 200]),
                scale=alt.Scale(domain=[0, LARGEST], clamp=False),
            ),
            color=alt.Color(
                "condition:N",
                title=None,
                scale=alt.Scale(domain=list(CONDITIONS), range=list(colours)),  # pyright: ignore
                legend=alt.Legend(orient="top"),
            ),
            strokeDash=alt.StrokeDash(
                "diameter:N",
                title=None,
                scale=alt.Scale(domain=["whole", "viable"], range=[[1, 0], [3, 2]]),
                legend=alt.Legend(orient="top"),
            ),
        )
        .properties(width=128, height=84)
    )
    order = [name_panel(handle) for handle in read_handles()]
    facet = alt.Facet("panel:N", title=None, sort=order, header=alt.Header(labelFontSize=10, labelPadding=2))
    save_chart(f"handles-{theme}", lines.facet(facet, columns=5, data=alt.Data(values=list(rows))), theme)


def draw_alike(pairs: Sequence[Alike], theme: str) -> None:
    """Draw the cosines of all pairs."""
    import altair as alt  # noqa: PLC0415

    names = [handle.handle for handle in read_handles()]
    rows = [
        {"first": one, "second": two, "cosine": None if pair.cosine is None else round(pair.cosine, 2)}
        for pair in pairs
        for one, two in ((pair.first, pair.second), (pair.second, pair.first))
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("first:N", sort=names, title=None, axis=alt.Axis(labelAngle=-60, orient="top")),
        y=alt.Y("second:N", sort=names, title=None),
    )
    scale = alt.Scale(domain=[-1, 0, 1], range=["#2c6fb5", "#f3f3f3", "#b5422c"])
    cells = base.mark_rect().encode(color=alt.Color("cosine:Q", scale=scale, title="cosine"))
    marks = base.mark_text(text="●", fontSize=7, color="#111111").transform_filter(f"datum.cosine > {SAME}")
    save_chart(
        f"handles-alike-{theme}", (cells + marks).properties(width=alt.Step(15), height=alt.Step(15)), theme
    )


# ---- tables ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def ask_all() -> dict[Fact, float]:
    """Return the model's number for every fact that is asked."""
    return {fact: measure(fact) for fact in read_facts() if fact.asked}


def show(number: float | None, digits: int = 4) -> str:
    """Return a number for a table."""
    if number is None:
        return ""
    if math.isinf(number):
        return "no limit" if number > 0 else ""
    return f"{number:.{digits}g}"


def show_interval(fact: Fact) -> str:
    """Return the published number with its interval."""
    unit = UNITS[fact.unit]
    value = show(fact.value)
    if fact.low is None and fact.high is None:
        return f"{value}{unit}"
    low, high = show(fact.low), show(fact.high)
    bounds = f"{low} to {high}" if low and high else f"{low} or more" if low else f"up to {high}"
    return f"{value} ({bounds}){unit}" if value and value not in {low, high} else f"{bounds}{unit}"


def _head(cells: Sequence[str]) -> Iterator[str]:
    yield "| " + " | ".join(cells) + " |"
    yield "| " + " | ".join("---" for _ in cells) + " |"


def _row(*cells: object) -> str:
    return "| " + " | ".join("" if cell is None else str(cell).replace("|", "/") for cell in cells) + " |"


def tell_numbers() -> Iterator[str]:
    """Yield the table of magnitudes and time courses."""
    yield from ("## Magnitudes and time courses", "")
    yield (
        f"A printed number without an interval is met within a factor of {FACTOR}; intervals are never widened. Group measures use "
        f"{PATIENTS} virtual patients with one lesion, the same with the handle on and off, and {MANY} where all handles are on in as many as "
        "`prevalence.csv` says. Where a source gives a level for patients without the handle, the growth rates of the group are first scaled "
        "so that the group has that level. Everyone is followed for two years or to death; new lesions, dropout and reading error are left out. "
        "The prevalence of `pdl1` was chosen so that its ratio is met. *Not met* means that the model or its tables have to change, not the published number."
    )
    yield ""
    numbers = [fact.holds(value) for fact, value in ask_all().items() if fact.kind in {"magnitude", "time"}]
    yield f"{sum(numbers)} of {len(numbers)} are met."
    yield ""
    yield from _head(("handle", "what", "drug", "published", "model", "met", "source"))
    for fact, number in ask_all().items():
        if fact.kind in {"magnitude", "time"}:
            met = "yes" if fact.holds(number) else "**not met**"
            what = f"{fact.statement}. *Asked:* {fact.quantity}"
            cells = (fact.drug or "none", show_interval(fact), show(number, 3), met, name_source(fact))
            yield _row(f"`{fact.handle}`", what, *cells)
    yield ""


def name_source(fact: Fact) -> str:
    """Return the source with its record."""
    record = f" ({fact.record_id})" if fact.record_id else ""
    return f"{fact.source}{record}{'' if fact.status == 'verified' else ', unverified'}"


def tell_directions() -> Iterator[str]:
    """Yield the table of directions."""
    yield from ("## Directions", "")
    yield from _head(("handle", "published", "in", "drug", "asked of the model", "met", "source"))
    for fact, number in ask_all().items():
        if fact.kind == "direction":
            met = "yes" if fact.holds(number) else "**not met**"
            words = fact.measure.replace("_", " ")
            yield _row(
                f"`{fact.handle}`", fact.statement, fact.system, fact.drug, words, met, name_source(fact)
            )
    yield ""
    yield (
        f"A handle that acts on T cells leaves kinase inhibitors and VEGF block, and a handle inside the tumour cell leaves checkpoint "
        f"inhibitors, within {100 * SPARED:.0f} % of the drug's effect. Vessels, hypoxia and the ER stress that hypoxia feeds act on "
        "everything."
    )
    yield ""


def tell_strategies() -> Iterator[str]:
    """Yield the table of reversals."""
    yield from ("## What reverses each handle", "")
    yield (
        "Strategies of the evidence base (`hccresist overcome` lists them). How strongly one acts is an assumption where nothing else is "
        "said: 97 % of the mechanism blocked, from the start. *Given back:* share of the lost shrinkage at 24 weeks "
        "(new lesions for `emt`); above 100 % the strategy does more than take the handle away. Last column: the same with 80 % blocked."
    )
    yield ""
    yield from _head(("handle", "strategy", "in the model", "status", "given back, %", "at 80 % blocked, %"))
    for handle in read_handles():
        reversal = read_reversals().get(handle.handle)
        if reversal is None:
            yield _row(f"`{handle.handle}`", "none in the evidence base", "", "", "", "")
            continue
        acts = [f"`{name}` × {factor:g}" for name, factor in reversal.factors.items()]
        acts += [f"`{name}` + {size:g}" for name, size in reversal.added.items()]
        acts += [f"{' + '.join(reversal.instead)} instead"] if reversal.instead else []
        cells = (reversal.strategy_id, ", ".join(acts), reversal.status, tell_given(handle))
        yield _row(f"`{handle.handle}`", *cells, "" if reversal.instead else tell_given(handle, left=LEFT))
    yield ""


def tell_given(handle: Handle, *, left: float | None = None) -> str:
    """Return what the strategy gives back under each drug."""
    shares = {drug: restore(handle.handle, name_drugs(drug), left=left) for drug in handle.drugs}
    return ", ".join(f"{drug} {100 * share:.0f}" for drug, share in shares.items())


def tell_rest() -> Iterator[str]:
    """Yield what is not asked, and where nothing was seen."""
    yield from ("## What is published and not asked, and where nothing was seen", "")
    yield from _head(("handle", "published", "number", "why it is not asked", "source"))
    for fact in read_facts():
        if fact.kind != "none" and not fact.asked:
            shown = "" if fact.kind == "direction" else show_interval(fact)
            yield _row(f"`{fact.handle}`", fact.statement, shown, fact.why_not, name_source(fact))
    yield ""
    yield from (f"- `{fact.handle}`: {fact.statement}" for fact in read_facts() if fact.kind == "none")
    yield ""


def tell_alike(pairs: Sequence[Alike]) -> Iterator[str]:
    """Yield how alike handles look on scans."""
    drugs = ", ".join("+".join(names) or "no drug" for names in TREATMENTS)
    yield from ("## Which handles look alike on scans", "")
    yield (
        f"Cosine of the sensitivities of the logarithms of whole and viable diameter, over scans every eight weeks to week "
        f"{VISITS[-1] / 7:.0f} under {drugs}. Above {SAME} two handles are *not distinguishable from scans* "
        "(dots in the figure), however many scans there are: other data have to tell them apart."
    )
    alt = "Cosine of the effects on scans of every pair of handles"
    yield ""
    yield f"![{alt}](../images/handles-alike-light.svg#only-light)"
    yield f"![{alt}](../images/handles-alike-dark.svg#only-dark)"
    yield ""
    for group in group_alike(pairs):
        yield f"- {', '.join(f'`{name}`' for name in group)}: each not distinguishable from at least one other of these"
    yield ""
    yield from _head(("handle", "most like", "cosine", "not distinguishable from"))
    for handle in read_handles():
        yield _nearest(handle.handle, pairs)
    yield ""


def _nearest(name: str, pairs: Sequence[Alike]) -> str:
    """Return the row of one handle."""
    others = [
        (pair.cosine, pair.second if pair.first == name else pair.first, pair.same)
        for pair in pairs
        if name in {pair.first, pair.second} and pair.cosine is not None
    ]
    if not others:
        return _row(
            f"`{name}`", "", "no effect on diameters", "new lesions only" if name in NEW_LESIONS else ""
        )
    cosine, near, _ = max(others)
    same = ", ".join(f"`{other}`" for _, other, alike in sorted(others, reverse=True) if alike)
    return _row(f"`{name}`", f"`{near}`", f"{cosine:.2f}", same or "none")


def render_page(pairs: Sequence[Alike]) -> str:
    """Return the whole page."""
    parts = [tell_numbers(), tell_directions(), tell_strategies(), tell_alike(pairs), tell_rest()]
    return NOTE + INTRO + FIGURE + "\n".join(line for part in parts for line in part)


def main(arguments: Sequence[str]) -> int:
    """Write page and figures, or compare the page."""
    pairs = compare_handles(find_sensitivities())
    page = render_page(pairs)
    if "--check" in arguments:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
            return 0
        sys.stderr.write("docs/reference/handles.md differs from the model: run python docs/handles.py\n")
        return 1
    rows = follow_all()
    for theme in COLOURS:
        draw_panels(rows, theme)
        draw_alike(pairs, theme)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
