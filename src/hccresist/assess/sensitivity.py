"""How much the answers of a study depend on the policies: one policy changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import polars as pl

from hccresist.assess.closer_results import Sensitivity
from hccresist.assess.engine import assess_study
from hccresist.outcomes.endpoints import derive_events
from hccresist.outcomes.rates import compute_rates
from hccresist.outcomes.survival import summarise_survival
from hccresist.study.policies import Policies
from hccresist.study.study import Study

SETTINGS: Final[dict[str, tuple[object, ...]]] = {
    "visit_window_days": (0, 7, 28),
    "baseline_window_start": (-42, -56),
    "target_selection": ("rule",),
    "tstm_value": (0,),
    "pd_on_partial_sum": (False,),
    "ne_updates_nadir": (True,),
    "continuing_pr": (False,),
    "reappearance_rule": ("always", "never"),
    "nadir_zero": ("progression",),
    "mrecist_5mm_floor": (True,),
    "mrecist_new_lesion_mm": (0,),
    "irecist_min_days": (21,),
    "irecist_unconfirmed": ("ignore",),
    "sd_min_days": (28, 56),
    "sd_min_reference": ("baseline",),
    "confirm_days": (21, 42),
    "max_ne": (0, 2),
    "accept_one_sd": (True,),
    "cr_then_pr": ("table3", "pd"),
    "pd_date": ("first",),
    "new_therapy": ("ignore",),
    "missed_visits_to_censor": (0,),
    "curative_procedure": ("event", "ignore"),
    "denominator": ("measurable", "evaluable"),
}
"""Other settings that are found in protocols, for each policy that can change a rate or a median."""

COLUMNS: Final = {name: column.dtype for name, column in Sensitivity.columns().items()}


def derive_sensitivity(
    study: Study,
    *,
    criteria: Sequence[str] | None = None,
    settings: dict[str, tuple[object, ...]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Return ORR, DCR and median PFS under each other setting of each policy, one at a time.

    Parameters
    ----------
    study
        Checked study; its policies are the setting in force.
    criteria
        Criteria wanted; those of the study if not given.
    settings
        Policies to change and their values; `SETTINGS` if not given.
    progress
        Called with settings done and settings in all.

    Returns
    -------
    polars.DataFrame
        policy (empty for the setting in force), setting, in_force, reader, criterion, measure (ORR,
        ORR_confirmed, DCR in per cent; median_PFS or median_iPFS in days), value with 95 % limits, n,
        and the change from the setting in force.
    """
    wanted = SETTINGS if settings is None else settings
    now = study.config.policies.values()
    runs = [("", "", study.config.policies)]
    runs += [
        (name, str(value), Policies.parse({name: value}, base=study.config.policies))
        for name, values in wanted.items()
        for value in values
        if value != now[name]
    ]
    frames: list[pl.DataFrame] = []
    for done, (name, value, policies) in enumerate(runs):
        answers = _answers(study.with_policies(policies), criteria)
        frames.append(
            answers.with_columns(policy=pl.lit(name), setting=pl.lit(value), in_force=pl.lit(name == ""))
        )
        if progress is not None:
            progress(done + 1, len(runs))
    return _with_change(pl.concat(frames))


def _answers(study: Study, criteria: Sequence[str] | None) -> pl.DataFrame:
    tables = assess_study(study, criteria=criteria, reasons=False).tables
    assessed = {name: tables[name] for name in ("timepoints", "best_response", "baselines")}
    rates = compute_rates(study, **assessed).filter(pl.col("group") == "all")
    confirmed = pl.when(pl.col("confirmed")).then(pl.lit("_confirmed")).otherwise(pl.lit(""))
    shares = rates.filter(pl.col("measure").cast(pl.String).is_in(["ORR", "DCR"])).select(
        "reader",
        "criterion",
        pl.format("{}{}", pl.col("measure").cast(pl.String), confirmed).alias("measure"),
        pl.col("percent").alias("value"),
        "low",
        "high",
        "n",
    )
    events = derive_events(study, timepoints=tables["timepoints"], best_response=tables["best_response"])
    medians = summarise_survival(study, events.filter(pl.col("endpoint").is_in(["PFS", "iPFS"]))).filter(
        pl.col("statistic") == "median", pl.col("group") == "all"
    )
    times = medians.select(
        "reader",
        "criterion",
        pl.format("median_{}", "endpoint").alias("measure"),
        "value",
        "low",
        "high",
        "n",
    )
    return pl.concat([shares, times])


def _with_change(frame: pl.DataFrame) -> pl.DataFrame:
    key = ["reader", "criterion", "measure"]
    base = frame.filter(pl.col("in_force")).select(*key, base="value")
    changed = frame.join(base, on=key, how="left").with_columns(change=pl.col("value") - pl.col("base"))
    return changed.select(list(COLUMNS)).cast(COLUMNS).sort("policy", "setting", *key)  # pyright: ignore[reportArgumentType]
