"""What is associated: scores, alterations, markers and patterns in one long table.

Each row says when the value was known. A sample is one of a patient's: the last before or on day 0,
else the first after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from hccresist.errors import ConfigError
from hccresist.explain.results import METHODS
from hccresist.study.issues import IssueLog, nearest
from hccresist.study.study import Study

KINDS: Final = ("score", "alteration", "marker", "pattern")
"""Kinds of feature. Scores and alterations come from samples; patterns are known only after day 0."""

SAMPLED: Final = ("score", "alteration")
"""Kinds that come from a tissue sample."""

FEATURES: Final = {
    "patient_id": pl.String,
    "sample_id": pl.String,
    "feature": pl.String,
    "kind": pl.String,
    "value": pl.Float64,
    "known_day": pl.Float64,
}
"""Columns of the table of features; `known_day` empty: known at the start of treatment."""

LOGGED: Final = ("afp", "dcp")
"""Markers that span orders of magnitude; their logarithm (base 10, of 1 + the value) is used."""

TUMOUR: Final = ("tumour", "tumor", "primary", "metastasis", "recurrence")
"""Words in `tissue` by which a sample is one of the tumour; an empty tissue is taken as one."""

_FILE: Final = "features"
_RESPONDER: Final = ("responder", "non_responder")
_FAMILIES: Final = ("hyperprogression", "dissociated", "extent")
"""Families of patterns that are known, or known to be absent, on the day of the scan that decides."""

_TWO_MONTHS: Final = ("kato_2017", "lo_russo_2019")
"""Definitions that also ask for time to treatment failure below two months, known only then."""


def check_features(study: Study, features: pl.DataFrame) -> pl.DataFrame:
    """Return the table of features with its columns typed, or raise with every problem.

    Raises
    ------
    InputError
        For a missing column, an unknown kind or patient, a value that is not finite, a feature of
        two kinds, a pattern or marker with two rows for a patient and day.
    """
    issues = IssueLog()
    for name in FEATURES:
        if name not in features.columns:
            issues.error("missing-column", f"column '{name}' is missing", file=_FILE, column=name)
    issues.raise_if_errors()
    typed = _typed(features, issues)
    issues.raise_if_errors()
    _check_kinds(typed, issues)
    _check_patients(study, typed, issues)
    for name in ("value", "known_day"):
        wrong = typed.filter(pl.col(name).is_not_null() & ~pl.col(name).is_finite())
        for patient, feature in wrong.select("patient_id", "feature").iter_rows():
            issues.error(
                "not-finite",
                f"feature '{feature}' has a {name} that is not a finite number",
                hint="Leave what is not known empty.",
                file=_FILE,
                column=name,
                patient=patient,
            )
    issues.raise_if_errors()
    return typed.sort("feature", "patient_id", "known_day", "sample_id")


def _typed(features: pl.DataFrame, issues: IssueLog) -> pl.DataFrame:
    columns: list[pl.Series] = []
    for name, kind in FEATURES.items():
        try:
            columns.append(features[name].cast(kind))
        except pl.exceptions.PolarsError:
            wanted = "numbers" if kind == pl.Float64 else "text"
            issues.error("wrong-type", f"column '{name}' does not hold {wanted}", file=_FILE, column=name)
    made = pl.DataFrame(columns)
    needed = [name for name in ("patient_id", "feature", "kind") if name in made.columns]
    for name in needed:
        empty = made[name].null_count()
        if empty:
            issues.error("missing-value", f"'{name}' is empty in {empty} rows", file=_FILE, column=name)
    return made


def _check_kinds(features: pl.DataFrame, issues: IssueLog) -> None:
    for kind in features["kind"].unique().sort():
        if kind not in KINDS:
            hint = nearest(kind, KINDS) or f"The kinds are {', '.join(KINDS)}."
            issues.error("unknown-kind", f"there is no kind '{kind}'", hint=hint, file=_FILE, column="kind")
    kinds = features.group_by("feature").agg(pl.col("kind").unique().sort())
    for name, found in kinds.filter(pl.col("kind").list.len() > 1).sort("feature").iter_rows():
        said = f"feature '{name}' has two kinds: {', '.join(found)}"
        issues.error("two-kinds", said, hint="Give each a name of its own.", file=_FILE, column="kind")
    plain = features.filter(~pl.col("kind").is_in(SAMPLED))
    key = ("patient_id", "feature", "known_day")
    twice = plain.group_by(key).len().filter(pl.col("len") > 1)
    for patient, name, *_ in twice.sort("feature", "patient_id").iter_rows():
        said = f"feature '{name}' has more than one row of a day"
        issues.error("duplicate-row", said, hint="Keep one.", file=_FILE, patient=patient)


def _check_patients(study: Study, features: pl.DataFrame, issues: IssueLog) -> None:
    known = set(study.patients["patient_id"])
    for patient in features["patient_id"].unique().sort():
        if patient not in known:
            hint = nearest(patient, sorted(known))
            issues.error(
                "unknown-patient", "patient is not in table patients", hint=hint, file=_FILE, patient=patient
            )


def choose_samples(samples: pl.DataFrame) -> pl.DataFrame:
    """Return which sample of each patient is used, and why each other one is not.

    The last sample before or on day 0 is used, else the first after it; of two on one day the first by
    name. A sample without a day is taken as one of day 0. Samples that `tissue` says are not of the
    tumour are never used.

    Parameters
    ----------
    samples
        Columns patient_id, sample_id, day and, where known, tissue.

    Returns
    -------
    pl.DataFrame
        Columns patient_id, sample_id, day, used, reason; one row a sample, sorted by patient and sample.
    """
    day = pl.col("day").fill_null(0.0)
    tissue = pl.col("tissue").str.to_lowercase() if "tissue" in samples.columns else pl.lit(None, pl.String)
    tumour = tissue.is_null() | pl.any_horizontal(tissue.str.contains(w, literal=True) for w in TUMOUR)
    ranked = samples.with_columns(
        tumour=tumour & ~tissue.fill_null("").str.contains("non-tumo", literal=True)
    )
    ranked = ranked.sort(
        "patient_id",
        ~pl.col("tumour"),
        day > 0,
        pl.when(day > 0).then(day).otherwise(-day),
        "sample_id",
    )
    first = (pl.int_range(pl.len()).over("patient_id") == 0) & pl.col("tumour")
    why = (
        pl.when(~pl.col("tumour"))
        .then(pl.lit("not of the tumour"))
        .when(~first)
        .then(pl.lit("another sample of the patient is used"))
        .when(pl.col("day").is_null())
        .then(pl.lit("day not recorded: taken as before treatment"))
        .when(day > 0)
        .then(pl.lit("first after the start of treatment"))
        .otherwise(pl.lit("last before the start of treatment"))
    )
    chosen = ranked.select("patient_id", "sample_id", "day", used=first, reason=why)
    return chosen.sort("patient_id", "sample_id")


def collect_features(
    study: Study,
    *,
    tables: Mapping[str, pl.DataFrame],
    mechanism_scores: pl.DataFrame | None = None,
    alteration_calls: pl.DataFrame | None = None,
    method: str | None = None,
) -> pl.DataFrame:
    """Return everything that can be associated with the outcome, as a table of features.

    1. Scores of one method, by gene set; known on the day of the sample.
    2. Alterations, by gene: 1 where any change is called altered, 0 where all are not altered, else
       unknown.
    3. Markers in the baseline window (value or score, the last day); AFP and DCP as logarithms.
    4. Every verdict of an AFP or DCP rule on its day; patterns (hyperprogression, dissociation, extent of
       progression) on the day of the scan that decides; objective response by the first criterion from its
       first day. Durable response, rebound and pseudoprogression are left out: whether they can be
       judged depends on what comes later.

    Parameters
    ----------
    study
        Table `samples` (days), policies (baseline window, primary reader), criteria.
    tables
        Result tables by name: markers, patterns, best_response are read where they are there.
    mechanism_scores, alteration_calls
        Result tables of *explain*.
    method
        Method of the scores; `rank` where it is there, else the first of `METHODS` that is.

    Returns
    -------
    pl.DataFrame
        Columns of `FEATURES`, sorted by feature, patient and sample.

    Raises
    ------
    ConfigError
        When the method has no scores.
    """
    parts = [pl.DataFrame(schema=FEATURES)]
    if mechanism_scores is not None and mechanism_scores.height:
        parts.append(_scores(study, mechanism_scores, method))
    if alteration_calls is not None and alteration_calls.height:
        parts.append(_alterations(study, alteration_calls))
    if "markers" in tables:
        parts += [_baseline_markers(study, tables["markers"]), _marker_verdicts(tables["markers"])]
    if "patterns" in tables:
        parts.append(_patterns(study, tables["patterns"]))
    if "best_response" in tables:
        parts.append(_responses(study, tables["best_response"]))
    return pl.concat(parts).sort("feature", "patient_id", "sample_id", "known_day")


def _sample_days(study: Study) -> pl.DataFrame:
    samples = study.table("samples")
    if samples is None:
        return pl.DataFrame(schema={"sample_id": pl.String, "patient_id": pl.String, "known_day": pl.Float64})
    tumour = choose_samples(samples).filter(pl.col("reason") != "not of the tumour")
    return tumour.select("sample_id", "patient_id", known_day="day")


def _placed(study: Study, rows: pl.DataFrame) -> pl.DataFrame:
    """Add the day of each sample; samples that are not of the tumour are left out."""
    known = study.table("samples")
    joined = rows.join(
        _sample_days(study).drop("patient_id"), on="sample_id", how="left", maintain_order="left"
    )
    if known is not None:
        other = known.filter(~pl.col("sample_id").is_in(_sample_days(study)["sample_id"].implode()))
        joined = joined.join(other.select("sample_id"), on="sample_id", how="anti")
    return joined.select(pl.col(name).cast(kind) for name, kind in FEATURES.items())


def _scores(study: Study, scores: pl.DataFrame, method: str | None) -> pl.DataFrame:
    there = set(scores["method"].cast(pl.String).unique())
    if method is not None and method not in there:
        msg = f"There are no scores of method '{method}'. {nearest(method, sorted(there))}".strip()
        raise ConfigError(msg)
    wanted = method or next(name for name in METHODS if name in there)
    rows = scores.filter(pl.col("method").cast(pl.String) == wanted, pl.col("score").is_not_null())
    rows = rows.unique(["sample_id", "set"], keep="first", maintain_order=True)
    found = rows.select("patient_id", "sample_id", feature="set", kind=pl.lit("score"), value="score")
    return _placed(study, found)


def _alterations(study: Study, calls: pl.DataFrame) -> pl.DataFrame:
    call = pl.col("call").cast(pl.String)
    found = calls.group_by("sample_id", "patient_id", "gene").agg(
        value=pl.when((call == "altered").any()).then(1.0).when((call == "not_altered").all()).then(0.0)
    )
    rows = found.filter(pl.col("value").is_not_null()).select(
        "patient_id",
        "sample_id",
        feature=pl.format("{} altered", "gene"),
        kind=pl.lit("alteration"),
        value="value",
    )
    return _placed(study, rows)


def _baseline_markers(study: Study, markers: pl.DataFrame) -> pl.DataFrame:
    policies = study.config.policies
    inside = pl.col("day").is_between(policies.baseline_window_start, policies.baseline_window_end)
    plain = pl.col("response").is_null() & pl.col("marker").is_in(_plain_markers())
    rows = markers.filter(inside & plain & pl.col("value").is_not_null() & (pl.col("reader") == ""))
    rows = rows.sort("patient_id", "marker", "day").unique(
        ["patient_id", "marker"], keep="last", maintain_order=True
    )
    logged = pl.col("marker").is_in(LOGGED)
    return _rows(
        rows,
        feature=pl.when(logged)
        .then(pl.format("{} at baseline (log10)", "marker"))
        .otherwise(pl.format("{} at baseline", "marker")),
        kind="marker",
        value=pl.when(logged).then((1 + pl.col("value")).log10()).otherwise("value"),
        known_day=pl.lit(None, dtype=pl.Float64),
    )


def _plain_markers() -> list[str]:
    """Return the markers that are a value or a score, not a change or a verdict."""
    from hccresist.assess.markers import all_definitions  # noqa: PLC0415  (only where there are markers)

    return sorted(item.marker for item in all_definitions() if item.kind in ("value", "score"))


def _marker_verdicts(markers: pl.DataFrame) -> pl.DataFrame:
    """Return every verdict of a marker rule on its day."""
    rows = markers.filter(pl.col("response").is_in(_RESPONDER)).unique(
        ["patient_id", "marker", "day"], keep="first", maintain_order=True
    )
    return _rows(
        rows,
        feature=pl.format("{} response", "marker"),
        kind="pattern",
        value=(pl.col("response") == _RESPONDER[0]).cast(pl.Float64),
        known_day=pl.col("day"),
    )


def _patterns(study: Study, patterns: pl.DataFrame) -> pl.DataFrame:
    rows = of_reader(study, patterns).filter(
        pl.col("evaluable"), pl.col("family").is_in(_FAMILIES), pl.col("day").is_not_null()
    )
    two_months = 2.0 * study.config.policies.hpd_month_length
    late = pl.col("definition").is_in(_TWO_MONTHS)
    return _rows(
        rows,
        feature=pl.col("definition"),
        kind="pattern",
        value=pl.col("met").cast(pl.Float64),
        known_day=pl.when(late).then(pl.max_horizontal("day", pl.lit(two_months))).otherwise("day"),
    )


def _responses(study: Study, best: pl.DataFrame) -> pl.DataFrame:
    """Return objective response: nobody has it at the start, some have it from a day on."""
    criterion = first_criterion(study, best)
    rows = of_reader(study, best.filter(pl.col("criterion") == criterion))
    name = pl.lit(f"objective response ({criterion})")
    never = pl.lit(None, dtype=pl.Float64)
    hit = rows.filter(pl.col("first_response_day").is_not_null())
    return pl.concat(
        [
            _rows(rows, feature=name, kind="pattern", value=pl.lit(0.0), known_day=never),
            _rows(
                hit, feature=name, kind="pattern", value=pl.lit(1.0), known_day=pl.col("first_response_day")
            ),
        ]
    )


def _rows(
    rows: pl.DataFrame, *, feature: pl.Expr, kind: str, value: pl.Expr, known_day: pl.Expr
) -> pl.DataFrame:
    made = rows.select(
        "patient_id",
        sample_id=pl.lit(None, dtype=pl.String),
        feature=feature,
        kind=pl.lit(kind),
        value=value,
        known_day=known_day,
    )
    return made.select(pl.col(name).cast(wanted) for name, wanted in FEATURES.items())


def of_reader(study: Study, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the primary reader, else of each patient's first reader by name."""
    primary = study.config.policies.primary_reader
    if primary in rows["reader"]:
        return rows.filter(pl.col("reader") == primary)
    return rows.filter(pl.col("reader") == pl.col("reader").min().over("patient_id"))


def first_criterion(study: Study, best_response: pl.DataFrame, wanted: str | None = None) -> str:
    """Return the criterion wanted, else the study's first that has results, else the first by name.

    Raises
    ------
    ConfigError
        When the criterion wanted has no results.
    """
    there: Sequence[str] = sorted(best_response["criterion"].unique())
    if wanted is not None and wanted not in there:
        msg = f"There is no best response by criterion '{wanted}'. {nearest(wanted, list(there))}".strip()
        raise ConfigError(msg)
    order = [wanted, *study.config.criteria, *there]
    return next((name for name in order if name is not None and name in there), "")
