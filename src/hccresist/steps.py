"""What each stage does with a study: the rooms called by name, loaded when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from hccresist.assess.results import RESULTS
from hccresist.errors import ConfigError
from hccresist.manifest import SEED, count_attrition
from hccresist.options import OmicsOptions, TwinOptions
from hccresist.parameter_sets import choose_parameters
from hccresist.study.study import Study

if TYPE_CHECKING:
    from hccresist.assess import Assessment
    from hccresist.explain.signatures import Signature
    from hccresist.overcome.twin import TwinOutlook
    from hccresist.report.page import Report

ASSESSED: Final = tuple(RESULTS)
"""Result tables of *assess* that the later stages start from."""


def assess(study: Study, criteria: Sequence[str] | None) -> Assessment:
    """Return the response of every patient of a study."""
    from hccresist.assess import assess_study  # noqa: PLC0415  (a stage loads what it needs)

    return assess_study(study, criteria=criteria)


def list_closer(
    study: Study, tables: Mapping[str, pl.DataFrame]
) -> tuple[dict[str, Callable[[], pl.DataFrame]], dict[str, str]]:
    """Return the work of each table of the closer look, and why others are not made."""
    from hccresist.assess.closer import BY_PATIENT, Look  # noqa: PLC0415

    look = Look(study, tables)
    why = {name: table.why_not(study) for name, table in BY_PATIENT.items()}
    work = {name: partial(table.make, look) for name, table in BY_PATIENT.items() if not why[name]}
    return work, {name: reason for name, reason in why.items() if reason}


def add_events(study: Study, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return when each endpoint happened; without responses, survival alone."""
    from hccresist.outcomes.endpoints import derive_events  # noqa: PLC0415

    frames = {name: RESULTS[name].create_empty() for name in ASSESSED} | dict(tables)
    return derive_events(study, timepoints=frames["timepoints"], best_response=frames["best_response"])


def list_cohort(made: Mapping[str, pl.DataFrame]) -> dict[str, Callable[[], pl.DataFrame]]:
    """Return the closer look at all patients together: result table to the work that makes it."""
    from hccresist.assess.closer import OF_COHORT  # noqa: PLC0415

    ready = {name: table for name, table in OF_COHORT.items() if set(table.needs) <= set(made)}
    return {name: partial(table.make, made) for name, table in ready.items()}


def name_cohort() -> tuple[str, ...]:
    """Return the tables of `list_cohort`, whether or not they can be made."""
    from hccresist.assess.closer import OF_COHORT  # noqa: PLC0415

    return tuple(OF_COHORT)


def derive_sensitivity(study: Study, criteria: Sequence[str] | None) -> pl.DataFrame:
    """Return rates and medians under each other setting of each policy."""
    from hccresist.assess.sensitivity import derive_sensitivity as derive  # noqa: PLC0415

    return derive(study, criteria=criteria)


def list_summaries(
    study: Study, made: Mapping[str, pl.DataFrame], *, landmark_days: float | None
) -> dict[str, Callable[[], pl.DataFrame]]:
    """Return result table to the work that makes it, for what there is to summarise."""
    from hccresist.outcomes.competing import compute_cumulative_incidence  # noqa: PLC0415
    from hccresist.outcomes.rates import compute_rates  # noqa: PLC0415
    from hccresist.outcomes.survival import compute_curves  # noqa: PLC0415

    work: dict[str, Callable[[], pl.DataFrame]] = {}
    if "best_response" in made:
        assessed = {name: made[name] for name in ASSESSED}
        work["rates"] = lambda: compute_rates(study, **assessed)
    if "events" in made:
        events = made["events"]
        work["survival_summary"] = lambda: _summarise(study, made, landmark_days=landmark_days)
        work["survival_curves"] = lambda: compute_curves(study, events)
        work["cumulative_incidence"] = lambda: compute_cumulative_incidence(study, events)
    return work


def _summarise(
    study: Study, made: Mapping[str, pl.DataFrame], *, landmark_days: float | None
) -> pl.DataFrame:
    """Return survival in numbers; responders are compared with others at a landmark or not at all."""
    from hccresist.outcomes.compare import landmark_comparison  # noqa: PLC0415
    from hccresist.outcomes.results import SurvivalSummary  # noqa: PLC0415
    from hccresist.outcomes.survival import summarise_survival  # noqa: PLC0415

    config = study.config
    reference = config.reference_arm or None
    summary = summarise_survival(study, made["events"], strata=config.strata, reference_arm=reference)
    if landmark_days is None or "best_response" not in made:
        return summary
    compared = landmark_comparison(
        study, made["events"], best_response=made["best_response"], landmark_days=landmark_days
    )
    return pl.concat([summary, compared]).sort(SurvivalSummary.primary_key())


def list_published(
    study: Study, made: Mapping[str, pl.DataFrame]
) -> tuple[dict[str, Callable[[], pl.DataFrame]], dict[str, str]]:
    """Return the work of the table that sets the study beside published trials, or why it is not made."""
    from hccresist.outcomes.published_comparison import compare_with_published  # noqa: PLC0415

    name = "published_comparison"
    if not {"treatments", "procedures"} & set(study.tables):
        return {}, {name: "the study has no treatments or procedures: its regimen is not known"}
    if not {"rates", "survival_summary"} & set(made):
        return {}, {name: "there are no rates and no survival to set beside published ones"}
    own = {"rates": made.get("rates"), "survival": made.get("survival_summary")}
    return {name: lambda: compare_with_published(study, **own)}, {}


def list_explanation(
    study: Study,
    made: Mapping[str, pl.DataFrame],
    options: OmicsOptions,
    *,
    landmark_days: float | None = None,
) -> tuple[dict[str, Callable[[], pl.DataFrame]], dict[str, str]]:
    """Return the work of each table of *explain*, and why others are not made."""
    from hccresist.explain.look import TABLES, Inquiry  # noqa: PLC0415
    from hccresist.explain.reference import load_reference  # noqa: PLC0415

    inquiry = Inquiry(
        study=study,
        tables=made,
        reference=None if options.reference is None else load_reference(options.reference),
        signatures=read_gene_sets(options.gene_sets),
        min_coverage=options.min_coverage,
        covariates=options.covariates,
        landmark_days=landmark_days,
        scale=options.scale,
        platform=options.platform,
    )
    why = {name: table.why_not(study) for name, table in TABLES.items()}
    work = {name: partial(table.make, inquiry) for name, table in TABLES.items() if not why[name]}
    return work, {name: reason for name, reason in why.items() if reason}


def list_strategies(
    study: Study, made: Mapping[str, pl.DataFrame]
) -> tuple[dict[str, Callable[[], pl.DataFrame]], str]:
    """Return the work of each table of *overcome*, or why none is made."""
    from hccresist.overcome.strategies import explain_skip, rank_strategies  # noqa: PLC0415

    reason = explain_skip(made)
    return {} if reason else {"strategies": lambda: rank_strategies(study, made)}, reason


def make_outlook(study: Study, made: Mapping[str, pl.DataFrame], options: TwinOptions) -> TwinOutlook:
    """Return what virtual patients like each patient do next."""
    from hccresist.overcome.twin import PARTICLES  # noqa: PLC0415
    from hccresist.overcome.twin import make_outlook as make  # noqa: PLC0415

    particles = PARTICLES if options.particles is None else options.particles
    sets = choose_parameters()
    return make(
        study,
        tables=made,
        members=sets.twins,
        particles=particles,
        progress=options.report,
        seed=SEED,
    )


def tell_parameters() -> str:
    """Return in words which typical values the twins are drawn from."""
    return choose_parameters().words


def list_outlook(
    study: Study, made: Mapping[str, pl.DataFrame], outlook: TwinOutlook
) -> dict[str, Callable[[], pl.DataFrame]]:
    """Return the work of each table of *twin*; strategies are ranked anew where any gain was simulated."""
    from hccresist.overcome.strategies import rank_strategies  # noqa: PLC0415

    work: dict[str, Callable[[], pl.DataFrame]] = {
        "outlook": lambda: outlook.outlook,
        "outlook_fit": lambda: outlook.outlook_fit,
    }
    if outlook.gains.height and "strategies" in made:
        work["strategies"] = lambda: rank_strategies(study, made, simulated=outlook.gains)
    return work


def read_gene_sets(files: Sequence[Path]) -> tuple[Signature, ...]:
    """Return the gene sets of the package and those of the user's own files.

    Raises
    ------
    InputError
        With every problem of the files at once.
    """
    from hccresist.explain.signatures import gather_signatures  # noqa: PLC0415
    from hccresist.study.issues import IssueLog  # noqa: PLC0415

    log = IssueLog()
    found = gather_signatures(files, log=log)
    log.raise_if_errors()
    return found


def check_omics(options: OmicsOptions) -> None:
    """Look up what *explain* is asked for, before anything is read.

    Raises
    ------
    ConfigError
        When the coverage is no share or there is no reference of that name.
    InputError
        With every problem of the gene sets.
    """
    from hccresist.explain.reference import load_reference  # noqa: PLC0415
    from hccresist.explain.scale import SCALES  # noqa: PLC0415

    if options.scale is not None and options.scale not in SCALES:
        msg = f"There is no scale '{options.scale}'. Choose from {', '.join(SCALES)}."
        raise ConfigError(msg)
    share = options.min_coverage
    if share is not None and not 0 <= share <= 1:
        msg = f"The coverage is a share from 0 to 1; {share:g} is not."
        raise ConfigError(msg)
    if options.reference is not None:
        load_reference(options.reference)
    if options.gene_sets:
        read_gene_sets(options.gene_sets)


def render(study: Study, tables: Mapping[str, pl.DataFrame], manifest: Mapping[str, object]) -> Report:
    """Return the report."""
    from hccresist.report.page import render_report  # noqa: PLC0415

    return render_report(study, tables, manifest=manifest)


def count_losses(study: Study, made: Mapping[str, pl.DataFrame]) -> list[dict[str, object]]:
    """Return the attrition of a run, where it assessed."""
    if "best_response" not in made:
        return []
    return count_attrition(study.patients["patient_id"], made["baselines"], made["timepoints"])


def list_criteria(study: Study, made: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return the criteria that have results, in the order of the study."""
    if "best_response" not in made:
        return []
    order = list(study.config.criteria)
    found: list[str] = sorted(made["best_response"]["criterion"].unique())
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))


def list_tags(study: Study, made: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return the tags of what a run used, by which its references are chosen."""
    tags = [f"table:{name}" for name, frame in made.items() if frame.height]
    for name in list_criteria(study, made):
        base = study.config.variants.get(name, {}).get("base", name)
        tags.append(f"criterion:{base}")
    if "survival_summary" in made:
        tags += [f"statistic:{word}" for word in made["survival_summary"]["statistic"].unique()]
    return tags
