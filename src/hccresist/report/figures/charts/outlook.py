"""Chart of the twins: a chance of each patient with its interval, over that of the prior."""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from hccresist.report import theme
from hccresist.report.figures.figure import WIDTH

NAMES: Final = 150
"""Pixels for the names of patients."""
SAID: Final = 150
"""Pixels for the numbers in words."""
_ROW: Final = 18


def chart_twins(patients: list[str], *, title: str) -> Any:  # noqa: ANN401
    """Return chances in percent with 90 % intervals; below each, thin, those of the prior.

    Data: ``rows`` (patient, value, low, high, prior_low, prior_high, firm, said). Twins that rest on few
    virtual patients are not ``firm`` and drawn hollow.
    """
    wide = WIDTH - NAMES - SAID - 20
    y = alt.Y("patient:N", sort=patients, scale=alt.Scale(domain=patients, padding=0.2)).axis(
        title=None,
        labelLimit=NAMES - 8,
        minExtent=NAMES,
        maxExtent=NAMES,
        ticks=False,
        domain=False,
        labelColor=theme.light("ink"),
        labelFontSize=11,
    )
    scale = alt.Scale(domain=[0, 100], nice=False, clamp=True)
    x, low, before = (alt.X(f"{name}:Q", title=title, scale=scale) for name in ("value", "low", "prior_low"))
    base = alt.Chart(alt.NamedData("rows"))
    prior = base.mark_rule(strokeWidth=1.4, yOffset=4, color=theme.light("ne")).encode(
        x=before, x2=alt.X2("prior_high:Q"), y=y
    )
    now = base.mark_rule(strokeWidth=2, yOffset=-1, color=theme.light("accent")).encode(
        x=low, x2=alt.X2("high:Q"), y=y
    )
    firm = base.transform_filter("datum.firm").mark_square(
        size=48, yOffset=-1, opacity=1, color=theme.light("accent")
    )
    few = base.transform_filter("!datum.firm").mark_point(
        size=38, yOffset=-1, shape="square", opacity=1, fill=theme.light("halo"), stroke=theme.light("accent")
    )
    said = base.mark_text(align="left", fontSize=11, color=theme.light("ink")).encode(
        x=alt.value(wide + 10), y=y, text=alt.Text("said:N")
    )
    layers = (prior, now, firm.encode(x=x, y=y), few.encode(x=x, y=y), said)
    return alt.layer(*layers).properties(width=wide, height=_ROW * len(patients))
