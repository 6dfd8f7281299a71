"""How sure a verdict is: millimetres to the next category, and its probability under measurement error.

Two error models are told apart. ``one_reader``: the same reader measures the same targets again (calliper
error). ``between_readers``: another reader chooses targets of their own; baseline and follow-up of one
reader then go together, so the spread is that of their ratio. Figures and sources stand in
``data/measurement_error.csv``. Errors are multiplicative: the logarithm of a sum is off by a normal error.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.criteria import Criterion, Judge, find_criterion, progression_floor
from hccresist.assess.engine import ENGINES, find_sources, read_chunks
from hccresist.assess.lesions import LesionRows
from hccresist.assess.measure import Ground, Measures, TargetsPart, measure_targets
from hccresist.assess.measuring import GROUND_BY, Measuring
from hccresist.assess.order import opens_group, sort_rows
from hccresist.assess.rules import Rule
from hccresist.assess.steps import walk
from hccresist.assess.visits import Bools, Scans
from hccresist.assess.words import WORDS, Codes
from hccresist.study.policies import Policies
from hccresist.study.study import Study

KEY: Final = ["patient_id", "reader", "criterion", "day"]
MODELS: Final = ("one_reader", "between_readers")
BY_SUM: Final = (Rule.PR.label, Rule.PR_CONTINUING.label, Rule.SD.label, Rule.PD_SUM.label)
"""Rules by which the sum alone decided."""
CERTAIN: Final = {
    "p_CR": (Rule.CR.label, Rule.NONTARGET_CR.label),
    "p_PR": (Rule.CR_NONTARGET_LEFT.label,),
    "p_PD": (
        Rule.PD_NEW_LESION.label,
        Rule.PD_NONTARGET.label,
        Rule.PD_NONTARGET_RETURN.label,
        Rule.PD_RETURN.label,
    ),
}
"""Rules that no error of a diameter changes."""
NODES: Final = 12
"""Nodes of the Gauss–Hermite quadrature over the error of the follow-up sum."""

Floats = NDArray[np.float64]


@cache
def error_figures() -> pl.DataFrame:
    """Return the figures of measurement error with their sources."""
    return pl.read_csv(BytesIO((files("hccresist") / "data" / "measurement_error.csv").read_bytes()))


def reading_error(model: str, criterion: Criterion) -> tuple[float, float]:
    """Return the SD of the logarithm of one reading, for one target and for several.

    Of the spread between readers, which is known for the ratio of two sums, each sum carries half of
    the variance.
    """
    rows = error_figures().filter(
        pl.col("error_model") == model, pl.col("measure") == criterion.measure.value
    )
    if model == "between_readers":
        ratio = float(rows["value"].item())
        return ratio / np.sqrt(2), ratio / np.sqrt(2)
    by_count = dict(zip(rows["lesions"].to_list(), rows["value"].to_list(), strict=True))
    return float(by_count["one"]), float(by_count["several"])


def derive_robustness(
    study: Study,
    *,
    timepoints: pl.DataFrame,
    baselines: pl.DataFrame,
    criteria: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return, for each verdict, its margin, its probabilities, and what it hangs on.

    Parameters
    ----------
    study
        Checked study.
    timepoints, baselines
        Results of *assess*, reasons rendered.
    criteria
        Criteria wanted; those of the study if not given. Criteria that sum areas or look at more than
        the sum are left out: no figure of their error is known.

    Returns
    -------
    polars.DataFrame
        One row a visit and error model, columns as in `hccresist.assess.robustness_results`.
    """
    names = criteria or study.config.criteria
    wanted = [find_criterion(name, study.config.variants) for name in names]
    wanted = [c for c in wanted if c.judge is Judge.SUM and not c.measure.is_area]
    if not wanted:
        return pl.DataFrame(schema=COLUMNS)
    policies = study.config.policies
    given = _numbered(timepoints)
    flips = leave_one_out(study, criteria=[c.name for c in wanted])
    numbered = given.filter(opens_group(["__series"])).select(*KEY[:2], "__series")
    flips, flags = (
        frame.join(numbered, on=KEY[:2], how="inner").drop(KEY[:2])
        for frame in (flips, _flags(study, baselines))
    )
    jobs: list[tuple[pl.DataFrame, Criterion, str, Policies]] = []
    for criterion in dict.fromkeys(wanted):
        rows = _judged(criterion, given, baselines, policies=policies)
        mine = flips.filter(pl.col("criterion") == criterion.name).drop("criterion")
        for known in (mine, flags):
            rows = rows.join(known, on=["__series", "day"], how="left", maintain_order="left")
        jobs += [(rows, criterion, model, policies) for model in sorted(MODELS)]
    with ThreadPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as pool:  # NumPy lets threads run
        table = pl.concat(pool.map(_with_probabilities, *zip(*jobs, strict=True)))
    table = table[np.argsort(table["__row"].to_numpy(), kind="stable")]
    return table.select([pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()])


def _numbered(timepoints: pl.DataFrame) -> pl.DataFrame:
    """Return what is read of the visits, sorted by key, with the number of row and series."""
    given = sort_rows(timepoints.select(_READ), KEY)
    return given.with_columns(
        pl.col("rule").cast(_RULES),
        pl.col("overall").cast(WORDS),
        opens_group(KEY[:2]).cum_sum().alias("__series"),
    ).with_row_index("__row")


COLUMNS: Final[dict[str, type[pl.DataType]]] = {
    "patient_id": pl.String,
    "reader": pl.String,
    "criterion": pl.String,
    "day": pl.Float64,
    "overall": pl.String,
    "margin_mm": pl.Float64,
    "toward": pl.String,
    "p_CR": pl.Float64,
    "p_PR": pl.Float64,
    "p_SD": pl.Float64,
    "p_PD": pl.Float64,
    "error_model": pl.String,
    "fragility": pl.Float64,
    "flips_without": pl.String,
    "flags": pl.String,
}


_READ: Final = (*KEY, "overall", "sum_mm", "baseline_mm", "nadir_mm", "rule")
"""Columns of `timepoints` that are looked at."""
_RULES: Final = pl.Enum([rule.label for rule in Rule])
_CARRIED: Final = ("__row", *KEY, "overall", "margin_mm", "toward", "flips_without", "flags")


def _judged(
    criterion: Criterion, timepoints: pl.DataFrame, baselines: pl.DataFrame, *, policies: Policies
) -> pl.DataFrame:
    """Return the visits under a criterion with their margins."""
    rows = timepoints.filter(pl.col("criterion") == criterion.name)
    targets = baselines.filter(pl.col("criterion") == criterion.name)
    rows = rows.join(targets.select([*KEY[:3], "n_targets"]), on=KEY[:3], how="left", maintain_order="left")
    return rows.with_columns(_margin(criterion, policies))


def _limits(criterion: Criterion, policies: Policies) -> tuple[pl.Expr, pl.Expr]:
    """Return the sums at which PR begins and at which PD begins."""
    response = criterion.response_percent / 100 * pl.col("baseline_mm")
    relative = criterion.progression_percent / 100 * pl.col("nadir_mm")
    floor = progression_floor(criterion, policies) / criterion.measure.per_mm
    return response, pl.max_horizontal(relative, pl.col("nadir_mm") + floor)


def _margin(criterion: Criterion, policies: Policies) -> list[pl.Expr]:
    """Return margin_mm and toward: the nearest other category and how far its limit lies."""
    response, progression = _limits(criterion, policies)
    total, rule = pl.col("sum_mm"), pl.col("rule")
    to_response = pl.when(rule == Rule.SD.label).then(total - response)
    to_stable = pl.when(rule == Rule.PR.label).then(response - total)
    to_complete = pl.when(rule.is_in([Rule.PR.label, Rule.PR_CONTINUING.label])).then(total)
    to_progression = pl.when(rule.is_in(BY_SUM) & (rule != Rule.PD_SUM.label)).then(progression - total)
    from_progression = pl.when(rule == Rule.PD_SUM.label).then(total - progression)
    gaps = [to_response, to_stable, to_complete, to_progression, from_progression]
    below = pl.when(total <= response).then(pl.lit("PR")).otherwise(pl.lit("SD"))
    names = [pl.lit("PR"), pl.lit("SD"), pl.lit("CR"), pl.lit("PD"), below]
    nearest = pl.min_horizontal(gaps)
    toward = pl.coalesce(pl.when(gap == nearest).then(name) for gap, name in zip(gaps, names, strict=True))
    return [nearest.alias("margin_mm"), toward.alias("toward")]


def _with_probabilities(
    rows: pl.DataFrame, criterion: Criterion, model: str, policies: Policies
) -> pl.DataFrame:
    judged = rows.filter(pl.col("rule").is_in(BY_SUM))
    one, several = reading_error(model, criterion)
    p = probabilities(
        *(judged[name].fill_null(np.nan).to_numpy() for name in ("sum_mm", "baseline_mm", "nadir_mm")),
        sd=np.where(judged["n_targets"].fill_null(0).to_numpy() == 1, one, several),
        criterion=criterion,
        floor_mm=progression_floor(criterion, policies) / criterion.measure.per_mm,
    )
    lasting = (judged["rule"] == Rule.PR_CONTINUING.label).to_numpy()
    response = np.where(lasting, 1 - p["PD"], p["PR"])
    found = {"p_CR": 0.0, "p_PR": response, "p_SD": 1 - p["PD"] - response, "p_PD": p["PD"]}
    by_sum = rows["rule"].is_in(BY_SUM).to_numpy()
    sure = {name: rows["rule"].is_in(rules).to_numpy() for name, rules in CERTAIN.items()}
    settled = np.logical_or.reduce(list(sure.values()))
    columns = {name: np.where(settled, sure.get(name, False), np.nan) for name in found}
    for name, value in found.items():
        columns[name][by_sum] = value
    own = np.select(
        [rows["overall"].is_in(words).to_numpy() for words in _WORDS.values()],
        [columns[name] for name in _WORDS],
        default=np.nan,
    )
    return rows.select(_CARRIED).with_columns(
        **{name: pl.Series(values, nan_to_null=True) for name, values in columns.items()},
        fragility=pl.Series(1 - own, nan_to_null=True),
        error_model=pl.lit(model),
    )


_WORDS: Final = {
    "p_CR": ["CR", "iCR"],
    "p_PR": ["PR", "iPR"],
    "p_SD": ["SD", "iSD"],
    "p_PD": ["PD", "iUPD", "iCPD"],
}


def probabilities(
    total: Floats, baseline: Floats, nadir: Floats, *, sd: Floats, criterion: Criterion, floor_mm: float
) -> dict[str, Floats]:
    r"""Return the probability that a re-reading gives PR or PD by the sum.

    Sums F (now), B (baseline) and N (nadir) are read with independent errors,
    ``log F' = log F + sd·z``; where the nadir is the baseline, N and B are one reading. Given F', PD is
    ``N' ≤ min(F'/1.2, F' − floor)`` and PR ``B' ≥ F'/0.7``; the error of F' is integrated by Gauss–Hermite
    quadrature.

    Parameters
    ----------
    total, baseline, nadir
        Sums in mm, shape (n,).
    sd
        SD of the logarithm of one reading, shape (n,).
    criterion
        Thresholds.
    floor_mm
        Rise in mm that PD needs besides.

    Returns
    -------
    dict
        PR and PD, each of shape (n,); NaN where a sum is missing or 0.
    """
    from scipy.special import ndtr  # noqa: PLC0415  (slow to import, needed here only)

    z, weight = np.polynomial.hermite_e.hermegauss(NODES)
    weight = weight / weight.sum()
    shared = baseline == nadir
    response, progression = criterion.response_percent / 100, criterion.progression_percent / 100
    p_response, p_progression = np.zeros(len(total)), np.zeros(len(total))
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.log(total / baseline * (1 / response)) / sd
        log_nadir = np.log(nadir)
        for node, share in zip(z, weight, strict=True):
            now = total * np.exp(sd * node)
            limit = np.maximum(np.minimum(now / progression, now - floor_mm), 1e-300)
            grown = ndtr((np.log(limit) - log_nadir) / sd)
            shrunk = ndtr(-away - node)
            p_progression += share * grown
            p_response += share * np.where(shared, 1.0, 1 - grown) * shrunk
    known = (total > 0) & (baseline > 0) & (nadir > 0)
    return {
        "PR": np.where(known, p_response, np.nan),
        "PD": np.where(known, p_progression, np.nan),
    }


def leave_one_out(study: Study, *, criteria: Sequence[str]) -> pl.DataFrame:
    """Return, for each visit, the targets without which its overall response would be another.

    Returns
    -------
    polars.DataFrame
        Columns of `KEY` and `flips_without`: ranks of targets (from 1, in order of lesion_id), joined by
        a comma. Only visits whose verdict hangs on a single one of several targets have a row.
    """
    sources, _ = find_sources(study, [find_criterion(name, study.config.variants) for name in criteria])
    measured = [criterion for criterion, source in sources.items() if source == "measured"]
    schema = {"patient_id": pl.String, "reader": pl.String, "criterion": pl.String, "day": pl.Float64}
    frames = [pl.DataFrame(schema={**schema, "flips_without": pl.String})]
    if measured:
        for rows, scans in read_chunks(study):
            chunk = _Chunk(Measuring(rows, scans, study.config.policies))
            frames += [_flips(chunk, criterion) for criterion in measured]
    return pl.concat(frames)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Lesions of some patients, measured whole and without one target, once for criteria alike."""

    measuring: Measuring
    _less: dict[tuple[object, ...], TargetsPart] = field(
        default_factory=dict[tuple[object, ...], TargetsPart]
    )

    def without(self, criterion: Criterion, rank: int) -> TargetsPart:
        """Return what targets give without the one of a rank."""
        key = (*(getattr(criterion, name) for name in GROUND_BY), rank)
        if key not in self._less:
            ground = self.measuring.ground(criterion)
            rows, scans = self.measuring.rows, self.measuring.scans
            self._less[key] = _leave_out(rank, ground, rows=rows, scans=scans, criterion=criterion)
        return self._less[key]


def _leave_out(
    rank: int, ground: Ground, *, rows: LesionRows, scans: Scans, criterion: Criterion
) -> TargetsPart:
    """Return what targets give without one target of each series that has more than one.

    The target is that of a rank (from 0, in order of lesion_id). All else stays as measured.
    """
    roles = ground.roles
    fewer = replace(roles, target=roles.target & ~_targets_of_rank(rows, roles.target, rank))
    return measure_targets(replace(ground, roles=fewer), rows, scans, criterion=criterion)


def _targets_of_rank(rows: LesionRows, target: Bools, rank: int) -> Bools:
    """Return the target of a rank in each series that has more than one."""
    before = np.cumsum(target) - target
    start = np.searchsorted(rows.lesion_series, rows.lesion_series)
    number = np.bincount(rows.lesion_series[target], minlength=int(rows.lesion_series.max(initial=-1)) + 1)
    return target & (before - before[start] == rank) & (number[rows.lesion_series] > 1)


def _flips(chunk: _Chunk, criterion: Criterion) -> pl.DataFrame:
    scans, policies = chunk.measuring.scans, chunk.measuring.policies
    visits = np.flatnonzero(scans.visit_first > policies.baseline_window_end)
    steps = walk(visits, scans.visit_series[visits])

    def overall(measures: Measures) -> Codes:
        engine = ENGINES[criterion.new_lesions]
        return engine(measures, scans, steps=steps, criterion=criterion, policies=policies).overall[visits]

    whole = chunk.measuring.measure(criterion)
    verdict, mask = overall(whole), np.zeros(len(visits), dtype=np.int64)
    most = int(whole.n_targets.max(initial=0))
    for rank in range(most if most > 1 else 0):
        less = replace(whole, **chunk.without(criterion, rank))
        mask |= (overall(less) != verdict).astype(np.int64) << rank
    hangs = np.flatnonzero(mask)
    ranks = {0: ""} | {
        int(m): ",".join(str(r + 1) for r in range(most) if m >> r & 1) for m in np.unique(mask[hangs])
    }
    return scans.series[scans.visit_series[visits[hangs]]].with_columns(
        criterion=pl.lit(criterion.name),
        day=pl.Series(scans.visit_last[visits[hangs]]),
        flips_without=pl.Series(mask[hangs]).replace_strict(ranks, return_dtype=pl.String),
    )


def _flags(study: Study, baselines: pl.DataFrame) -> pl.DataFrame:
    """Return, per patient, reader and day, what casts doubt on a comparison with baseline."""
    parts = [_changed_modality(study, baselines), _treated_locally(study, baselines)]
    found = (
        pl.concat(part for part in parts if part is not None) if any(p is not None for p in parts) else None
    )
    if found is None:
        schema = {"patient_id": pl.String, "reader": pl.String, "day": pl.Float64, "flags": pl.String}
        return pl.DataFrame(schema=schema)
    return found.group_by("patient_id", "reader", "day").agg(pl.col("flags").unique().sort().str.join("; "))


def _base_days(baselines: pl.DataFrame) -> pl.DataFrame:
    first = baselines.drop_nulls("day").sort("criterion")
    return first.group_by("patient_id", "reader").agg(pl.col("day").first().alias("base_day"))


def _changed_modality(study: Study, baselines: pl.DataFrame) -> pl.DataFrame | None:
    visits = study.table("visits")
    if visits is None or visits["modality"].null_count() == visits.height:
        return None
    scans = visits.drop_nulls("modality").select(
        "patient_id", "reader", "day", pl.col("modality").cast(pl.String)
    )
    base = scans.join(_base_days(baselines), on=["patient_id", "reader"]).filter(
        pl.col("day") == pl.col("base_day")
    )
    later = scans.join(base.select("patient_id", "reader", before="modality"), on=["patient_id", "reader"])
    text = pl.format("modality changed from {} to {}", "before", "modality")
    return (
        later.filter(pl.col("modality") != pl.col("before"))
        .rechunk()
        .select("patient_id", "reader", "day", text.alias("flags"))
    )


def _treated_locally(study: Study, baselines: pl.DataFrame) -> pl.DataFrame | None:
    procedures, lesions = study.table("procedures"), study.table("lesions")
    if procedures is None or lesions is None:
        return None
    days = lesions.select("patient_id", "reader", "day").unique()
    base = _base_days(baselines)
    between = (
        days.join(base, on=["patient_id", "reader"])
        .join(procedures.select("patient_id", "kind", treated="day"), on="patient_id")
        .filter(pl.col("treated") > pl.col("base_day"), pl.col("treated") <= pl.col("day"))
    )
    text = pl.format(
        "{} on day {} since baseline", pl.col("kind").cast(pl.String), pl.col("treated").cast(pl.Int64)
    )
    return between.rechunk().select("patient_id", "reader", "day", text.alias("flags"))
