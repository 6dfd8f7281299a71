"""What the tumour did: waterfall, spider and swimmer, one of each a criterion and reader."""

from __future__ import annotations

from markupsafe import Markup

from hccresist.report.facts import Facts, View
from hccresist.report.figures.response import plot_spider, plot_waterfall
from hccresist.report.figures.swimmer import plot_swimmer
from hccresist.report.render import render


def build(facts: Facts) -> Markup:
    """Return the figures of every criterion and reader."""
    absent = facts.table("timepoints") is None
    return render(
        "tumour",
        absent=facts.why_absent("timepoints") if absent else "",
        views=() if absent else tuple(_view(facts, view) for view in facts.views),
    )


def _view(facts: Facts, view: View) -> dict[str, object]:
    waterfall = plot_waterfall(facts, view)
    return {
        "view": view,
        "figures": tuple(
            figure
            for figure in (waterfall, plot_spider(facts, view), plot_swimmer(facts, view))
            if figure is not None
        ),
        "unmeasured": waterfall is None,
    }
