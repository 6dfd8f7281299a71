"""Charts of simulated patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from hccresist.report import theme
from hccresist.report.figures.figure import WIDTH, month_axis


def chart_sizes(panels: Sequence[str], *, longest: float) -> Any:  # noqa: ANN401
    """Return panels with a line a patient, from rows ``patient_id``, ``day``, ``panel``, ``change``."""
    ticks, label = month_axis(longest)
    x = alt.X("day:Q", title="Months since start of treatment").axis(values=ticks, labelExpr=label)
    charts = []
    for panel in panels:
        base = alt.Chart(alt.NamedData("rows"), title=panel, width=WIDTH / 2 - 60, height=240)
        lines = (
            base.transform_filter(alt.datum.panel == panel)
            .mark_line(strokeWidth=1.2, opacity=0.55, color=theme.light("accent"))
            .encode(x=x, y=alt.Y("change:Q", title="Change from baseline (%)"), detail="patient_id:N")
        )
        charts.append(lines)
    return alt.hconcat(*charts).resolve_scale(y="shared")
