"""Markers, liver scores and stages of every patient, over time.

Steps, each a small function of its own module; `docs/explanation/markers.md` says what each decides.

1. Laboratory values are brought to one unit a test; what would have to be guessed is refused and told
   (`marker_units`, `marker_labs`). Observations are read from words (`marker_observations`).
2. AFP and DCP: values, change from baseline, nadir, doubling time (`marker_changes`); response under
   every registered rule (`marker_rules`, `marker_response`); divergence from size (`marker_divergence`).
3. Scores of liver function and inflammation on each day on which they are complete (`marker_panel`,
   `marker_assembly`, pure functions in `marker_scores`).
4. Tumour burden and stage at baseline (`staging`, `marker_stages`).
5. Circulating tumour DNA (`ctdna`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess import ctdna, marker_changes, marker_divergence, staging
from hccresist.assess.marker_assembly import score_rows
from hccresist.assess.marker_changes import add_changes, trajectory_rows
from hccresist.assess.marker_definitions import Definition, definitions_table, readings_table
from hccresist.assess.marker_divergence import divergence_rows
from hccresist.assess.marker_labs import normalise_labs
from hccresist.assess.marker_observations import read_observations
from hccresist.assess.marker_panel import SCORES
from hccresist.assess.marker_response import response_rows
from hccresist.assess.marker_results import MarkerIssues, Markers
from hccresist.assess.marker_rules import FIFTY_TEN, RULES
from hccresist.assess.marker_stages import stage_rows
from hccresist.study.policies import Policies
from hccresist.study.study import Study

WINDOW_DAYS: Final = 7.0
"""Days that a component may be older than the score it enters: our choice."""

VITAMIN_K_ANTAGONISTS: Final = (
    "warfarin",
    "phenprocoumon",
    "acenocoumarol",
    "fluindione",
    "dicoumarol",
    "vitamin k antagonist",
)
"""Drugs under which DCP rises without a tumour."""

VKA_FLAG: Final = "vitamin_k_antagonist"
_KEY: Final = ["patient_id", "reader", "day", "marker"]
_POINTS: Final = ("ascites_points", "encephalopathy_points")


def derive_markers(
    study: Study,
    *,
    timepoints: pl.DataFrame | None = None,
    baselines: pl.DataFrame | None = None,
    window_days: float = WINDOW_DAYS,
) -> pl.DataFrame:
    """Return table `markers`; what was refused on the way is in `derive_marker_tables`.

    Parameters
    ----------
    study
        Tables labs, observations, lesions, treatments and patients; any but the last may be missing.
    timepoints, baselines
        As `assess_study` makes them: for divergence from size, the day of the first evaluation, and the
        day of the baseline scan. Without them those rows are missing or say so.
    window_days
        Days that a component may be older than the score it enters (our choice: 7).

    Returns
    -------
    pl.DataFrame
        As `hccresist.assess.marker_results.Markers`, sorted by key.

    Examples
    --------
    >>> from hccresist.study.frames import study_from_frames
    >>> study = study_from_frames(
    ...     patients=pl.DataFrame({"patient_id": ["P1"]}),
    ...     sums=pl.DataFrame({"patient_id": ["P1"], "measure": ["longest"], "day": [0], "sum": [40.0]}),
    ...     labs=pl.DataFrame({"patient_id": ["P1", "P1"], "day": [0, 0], "test": ["bilirubin", "albumin"],
    ...                        "value": [1.2, 3.5], "unit": ["mg/dL", "g/dL"]}),
    ... )
    >>> found = derive_markers(study).filter(pl.col("marker") == "albi")
    >>> found.select(pl.col("value").round(2), "grade").rows()
    [(-2.11, '2')]
    """
    return _derive(study, timepoints, baselines, window_days=window_days)[0]


def derive_marker_tables(
    study: Study,
    *,
    timepoints: pl.DataFrame | None = None,
    baselines: pl.DataFrame | None = None,
    window_days: float = WINDOW_DAYS,
) -> dict[str, pl.DataFrame]:
    """Return `markers`, `marker_issues`, `marker_definitions` and `marker_readings`.

    Parameters
    ----------
    study, timepoints, baselines, window_days
        As for `derive_markers`.

    Returns
    -------
    dict[str, pl.DataFrame]
        Tables as in `hccresist.assess.marker_results.RESULTS`. `marker_issues` names every laboratory value
        and observation that was refused, or used under an assumption, with patient, day, test, unit and
        what to do; `hccresist.assess.marker_labs.log_issues` turns it into warnings.
    """
    markers, issues = _derive(study, timepoints, baselines, window_days=window_days)
    return {
        "markers": markers,
        "marker_issues": issues,
        "marker_definitions": definitions_table(all_definitions()),
        "marker_readings": readings_table(all_definitions()),
    }


def _derive(
    study: Study,
    timepoints: pl.DataFrame | None,
    baselines: pl.DataFrame | None,
    *,
    window_days: float,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `markers` and `marker_issues`."""
    policies = study.config.policies
    labs, lab_issues = normalise_labs(study.table("labs"), policies=policies)
    observed, word_issues = read_observations(study.table("observations"))
    labs = _with_points(labs, observed)
    changes = add_changes(labs, policies=policies)
    scores = score_rows(labs, policies=policies, window_days=window_days)
    ctdna_found, ctdna_issues = ctdna.ctdna_rows(observed, policies=policies)
    ward = _ward(study, scores, observed)
    parts = [
        trajectory_rows(changes, labs),
        response_rows(changes, first_evaluation=_first_evaluation(timepoints)),
        divergence_rows(changes, timepoints=timepoints),
        _compare_child_pugh(scores, study),
        stage_rows(study, baselines=baselines, ward=ward),
        ctdna_found,
    ]
    spans = pl.concat([_treated_spans(study), _observed_spans(observed)])
    markers = _flag_vka(pl.concat(parts), spans, changes)
    issues = pl.concat([lab_issues, word_issues, ctdna_issues])
    issues = issues.sort("patient_id", "day", "table", "test")
    return Markers.validate(markers.sort(_KEY)), MarkerIssues.validate(issues)


def all_definitions() -> tuple[Definition, ...]:
    """Return the definition of every marker, in the order of the flow."""
    return (
        *marker_changes.DEFINITIONS,
        *(rule.definition for rule in RULES),
        FIFTY_TEN,
        *marker_divergence.DEFINITIONS,
        *(score.definition for score in SCORES),
        *staging.DEFINITIONS,
        *ctdna.DEFINITIONS,
    )


def _with_points(labs: pl.DataFrame, observed: pl.DataFrame) -> pl.DataFrame:
    """Add ascites and encephalopathy from the observations; what the laboratory table holds comes first."""
    points = observed.filter(pl.col("name").is_in(_POINTS)).select(
        "patient_id", "day", test="name", value="value", comparator=pl.lit(None, dtype=pl.String)
    )
    both = pl.concat([labs, points]).unique(["patient_id", "day", "test"], keep="first", maintain_order=True)
    return both.sort("patient_id", "day", "test")


def _first_evaluation(timepoints: pl.DataFrame | None) -> pl.DataFrame:
    if timepoints is None:
        return pl.DataFrame(schema={"patient_id": pl.String, "evaluation_day": pl.Float64})
    return timepoints.group_by("patient_id").agg(pl.col("day").min().alias("evaluation_day"))


def _in_window(policies: Policies) -> pl.Expr:
    return pl.col("day").is_between(policies.baseline_window_start, policies.baseline_window_end)


def _ward(study: Study, scores: pl.DataFrame, observed: pl.DataFrame) -> pl.DataFrame:
    """Return Child-Pugh class and ECOG of each patient at baseline, as derived and as observed."""
    inside = _in_window(study.config.policies)
    known = scores.filter((pl.col("marker") == "child_pugh") & pl.col("grade").is_not_null() & inside)
    liver = known.sort("patient_id", "day").group_by("patient_id", maintain_order=True).last()
    status = observed.filter((pl.col("name") == "ecog") & inside).sort("patient_id", "day")
    status = status.group_by("patient_id", maintain_order=True).last()
    ward = study.patients.select("patient_id")
    ward = ward.join(liver.select("patient_id", child_pugh_class="grade"), on="patient_id", how="left")
    return ward.join(status.select("patient_id", observed_ecog="value"), on="patient_id", how="left")


def _compare_child_pugh(scores: pl.DataFrame, study: Study) -> pl.DataFrame:
    """Flag Child-Pugh scores of the baseline window that differ from the one recorded for the patient."""
    recorded = study.patients.select("patient_id", pl.col("child_pugh_score").alias("recorded"))
    rows = scores.join(recorded, on="patient_id", how="left", maintain_order="left")
    differs = (
        (pl.col("marker") == "child_pugh")
        & _in_window(study.config.policies)
        & (pl.col("value") != pl.col("recorded"))
    )
    flag = pl.format("differs_from_recorded ({})", pl.col("recorded"))
    return rows.with_columns(pl.when(differs).then(flag).otherwise(pl.col("flag")).alias("flag")).drop(
        "recorded"
    )


def _flag_vka(markers: pl.DataFrame, spans: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Flag DCP that was measured, or whose baseline was, under a vitamin K antagonist."""
    if spans.is_empty():
        return markers
    dcp = markers.filter(pl.col("marker").str.starts_with("dcp")).select(_KEY)
    base = changes.filter(pl.col("test") == "dcp").select("patient_id", "base_day").unique()
    dcp = dcp.join(base, on="patient_id", how="left").join(spans, on="patient_id", how="inner")
    days = [pl.when(pl.col("marker") != "dcp").then(pl.col("base_day")), pl.col("day")]
    hit = dcp.filter(
        pl.any_horizontal(
            ((day >= pl.col("from_day")) & (day <= pl.col("to_day"))).fill_null(value=False) for day in days
        )
    )
    hit = hit.select(_KEY).unique().with_columns(pl.lit(VKA_FLAG).alias("__flag"))
    flagged = markers.join(hit, on=_KEY, how="left", maintain_order="left")
    return flagged.with_columns(pl.coalesce("__flag", "flag").alias("flag")).drop("__flag")


def _treated_spans(study: Study) -> pl.DataFrame:
    treatments = study.table("treatments")
    if treatments is None:
        return pl.DataFrame(schema=_SPAN)
    drug = pl.col("drug").str.to_lowercase().str.replace_all("[-_]", " ")
    named = pl.any_horizontal(drug.str.contains(name, literal=True) for name in VITAMIN_K_ANTAGONISTS)
    return treatments.filter(named).select(
        "patient_id",
        pl.col("start_day").fill_null(-float("inf")).alias("from_day"),
        pl.col("end_day").fill_null(float("inf")).alias("to_day"),
    )


_MOMENT: Final = 1e-6
_SPAN: Final = {"patient_id": pl.String, "from_day": pl.Float64, "to_day": pl.Float64}


def _observed_spans(observed: pl.DataFrame) -> pl.DataFrame:
    """Return from when to when a vitamin K antagonist was observed: until it was observed to be absent."""
    rows = observed.filter(pl.col("name") == VKA_FLAG).sort("patient_id", "day")
    until = (pl.col("day").shift(-1).over("patient_id") - _MOMENT).fill_null(float("inf"))
    spans = rows.with_columns(until.alias("to_day")).filter(pl.col("value") > 0)
    return spans.select("patient_id", pl.col("day").alias("from_day"), "to_day")
