"""Sums of targets at every visit, those before baseline included: what growth is measured on."""

from __future__ import annotations

import numpy as np
import polars as pl

from hccresist.assess.criteria import Measure, find_criterion
from hccresist.assess.engine import read_chunks
from hccresist.assess.measuring import measure
from hccresist.errors import ConfigError
from hccresist.study.study import Study

SIZES = {
    "patient_id": pl.String,
    "reader": pl.String,
    "day": pl.Float64,
    "sum_mm": pl.Float64,
    "phase": pl.String,
}


def derive_sizes(study: Study, *, criterion: str = "recist11") -> pl.DataFrame:
    """Return the complete sums of the baseline's targets at every visit.

    Parameters
    ----------
    study
        Checked study.
    criterion
        Criterion whose targets and measurement are used; one that sums lengths.

    Returns
    -------
    polars.DataFrame
        patient_id, reader, day, sum_mm, phase (``before``, ``baseline``, ``after``), sorted by key. Visits at
        which not every target was evaluated are left out, as are patients without a baseline. New
        lesions are not in the sum.

    Raises
    ------
    ConfigError
        When the criterion sums areas.
    """
    chosen = find_criterion(criterion, study.config.variants)
    if chosen.measure not in (Measure.LONGEST, Measure.VIABLE):
        msg = f"Growth is measured on lengths; {chosen.title} sums areas."
        raise ConfigError(msg)
    policies = study.config.policies
    parts = [pl.DataFrame(schema=SIZES)]
    for rows, scans in read_chunks(study):
        measures = measure(rows, scans, criterion=chosen, policies=policies)
        series = scans.visit_series
        base, wanted = measures.baseline[series], measures.n_targets[series]
        visit = np.arange(scans.n_visits)
        after = (visit > base) & (scans.visit_first > policies.baseline_window_end)
        counts = (base >= 0) & (wanted > 0) & (measures.n_evaluated == wanted)
        counts &= (visit <= base) | after
        phase = np.select([visit < base, visit == base], ["before", "baseline"], "after")
        at = np.flatnonzero(counts)
        parts.append(
            scans.series[series[at]].with_columns(
                day=pl.Series(scans.visit_last[at]),
                sum_mm=pl.Series(measures.sum[at] / chosen.measure.per_mm),
                phase=pl.Series(phase[at].tolist(), dtype=pl.String),
            )
        )
    return pl.concat(parts).sort("patient_id", "reader", "day")
