"""Plan a trial by simulation: power, sample size, doses, schedules, sequences.

Power is the share of virtual trials whose log-rank test is significant. Doses, schedules and sequences are
compared on the same virtual patients (common random numbers), which no clinic can do: the difference is then
far less noisy than that of two trials, and says nothing of the power to see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from hccresist.errors import ConfigError
from hccresist.outcomes.rates import clopper_pearson
from hccresist.overcome.dosing import find_regimen
from hccresist.overcome.trial import Values, simulate_replicates
from hccresist.overcome.trial_endpoints import ENDPOINTS, name_unit, predict
from hccresist.overcome.trial_file import share_out
from hccresist.overcome.trial_spec import CRITERIA, Arm, Spec

TESTED: Final = ("OS", "PFS", "TTP")
_ARMS: Final = 2


@dataclass(frozen=True)
class Power:
    """Power of a planned trial.

    Attributes
    ----------
    n
        Patients of both arms.
    replicates
        Virtual trials in which the test could be made.
    share
        Share of them with p below alpha (two-sided log-rank test).
    low, high
        Exact 95 % limits of the share: what more replicates would narrow.
    favourable
        Share with p below alpha and a hazard ratio below 1.
    """

    n: int
    replicates: int
    share: float
    low: float
    high: float
    favourable: float


def find_power(
    spec: Spec,
    *,
    endpoint: str = "OS",
    criterion: str = "recist11",
    alpha: float = 0.05,
    values: Values = (),
    engine: str = "cpu",
    threads: int | None = None,
) -> Power:
    """Find the power of a two-arm trial by simulation.

    Parameters
    ----------
    endpoint
        OS, PFS or TTP.
    criterion
        Criterion of PFS and TTP.
    alpha
        Two-sided level of the log-rank test.

    Raises
    ------
    ConfigError
        Where the trial has not two arms with one control, or endpoint or level cannot be used.
    """
    _check_two_arms(spec, endpoint, criterion, alpha)
    rows = simulate_replicates(spec, values=values, engine=engine, threads=threads)
    return _share_significant(rows, spec, endpoint, criterion, alpha)


def _check_two_arms(spec: Spec, endpoint: str, criterion: str, alpha: float) -> None:
    problems = list[str]()
    if len(spec.arms) != _ARMS or spec.control is None:
        problems.append(f"power needs two arms, one with control = true; {spec.name} has {len(spec.arms)}")
    if endpoint not in TESTED:
        problems.append(f"no endpoint {endpoint!r} to test. Known: {', '.join(TESTED)}")
    if criterion not in spec.criteria:
        problems.append(f"no criterion {criterion!r} in this trial. It has: {', '.join(spec.criteria)}")
    if not 0 < alpha < 1:
        problems.append(f"alpha is {alpha:g}; it must lie between 0 and 1")
    if problems:
        raise ConfigError("\n".join(problems))


def _share_significant(rows: pl.DataFrame, spec: Spec, endpoint: str, criterion: str, alpha: float) -> Power:
    wanted = None if endpoint == "OS" else CRITERIA[criterion]
    kept = rows.filter(pl.col("criterion").eq_missing(pl.lit(wanted, dtype=pl.String)))

    def of(prefix: str) -> pl.DataFrame:
        own = kept.filter(pl.col("endpoint") == f"{prefix}_{endpoint}").drop_nulls("value")
        return own.select("replicate", pl.col("value").alias(prefix))

    tests = of("p").join(of("HR"), on="replicate", how="left")
    hits = int((tests["p"] < alpha).sum())
    better = int(((tests["p"] < alpha) & (tests["HR"] < 1.0)).sum())
    count = tests.height
    low, high = clopper_pearson([hits], [max(count, 1)])
    n = sum(arm.n for arm in spec.arms)
    whole = max(count, 1)
    return Power(n, count, hits / whole, float(low[0]), float(high[0]), better / whole)


def find_sample_size(
    spec: Spec,
    *,
    sizes: Sequence[int],
    power: float = 0.8,
    endpoint: str = "OS",
    criterion: str = "recist11",
    alpha: float = 0.05,
    values: Values = (),
    engine: str = "cpu",
    threads: int | None = None,
) -> tuple[int | None, tuple[Power, ...]]:
    """Find the smallest of some numbers of patients that gives a power.

    Larger trials hold the patients of smaller ones: an arm enrols its patients in the same order whatever
    its size, so that power rises with less noise.

    Returns
    -------
    tuple
        The smallest number of patients (both arms) with at least this power, None where none has it; and
        the power of each.
    """
    _check_two_arms(spec, endpoint, criterion, alpha)
    found = list[Power]()
    for total in sorted(set(sizes)):
        arms = share_out(total, [arm.n for arm in spec.arms])
        if min(arms) < 1:
            message = f"{total} patients are too few for two arms"
            raise ConfigError(message)
        sized = replace(spec, arms=tuple(replace(a, n=n) for a, n in zip(spec.arms, arms, strict=True)))
        rows = simulate_replicates(sized, values=values, engine=engine, threads=threads)
        found.append(_share_significant(rows, sized, endpoint, criterion, alpha))
    enough = [each.n for each in found if each.share >= power]
    return (min(enough) if enough else None), tuple(found)


def compare_variants(
    spec: Spec,
    variants: Mapping[str, Arm],
    *,
    values: Values = (),
    engine: str = "cpu",
    threads: int | None = None,
) -> pl.DataFrame:
    """Give the same virtual patients one variant of treatment after the other.

    Parameters
    ----------
    variants
        Name of each variant to its arm; the first is what the others are compared with. All get the number
        of patients and the eligibility of the first.

    Returns
    -------
    DataFrame
        Columns variant, endpoint, criterion, unit, value, low, high (median and 90 % prediction interval over
        replicates), difference, difference_low, difference_high (to the first variant, replicate by
        replicate; null where either is not reached or not estimable in a replicate).
    """
    if not variants:
        message = "there is no variant to compare"
        raise ConfigError(message)
    first = next(iter(variants.values()))
    frames = list[pl.DataFrame]()
    for name, arm in variants.items():
        own = replace(arm, arm_id="variant", control=False, n=first.n, eligibility=first.eligibility)
        rows = simulate_replicates(replace(spec, arms=(own,)), values=values, engine=engine, threads=threads)
        frames.append(rows.select(pl.lit(name).alias("variant"), pl.exclude("arm_id", "comparator_arm", "n")))
    return _compare(pl.concat(frames), list(variants), spec)


def _compare(rows: pl.DataFrame, names: Sequence[str], spec: Spec) -> pl.DataFrame:
    key = ["replicate", "endpoint", "criterion"]
    first = rows.filter(pl.col("variant") == names[0]).select(*key, pl.col("value").alias("first"))
    joined = rows.join(first, on=key, how="left", nulls_equal=True).with_columns(
        difference=pl.col("value") - pl.col("first"),
        value=pl.when("not_reached").then(float("inf")).otherwise("value"),
    )
    found = list[dict[str, object]]()
    for (name, endpoint, criterion), group in joined.group_by("variant", "endpoint", "criterion"):
        values, gaps = group["value"].drop_nulls().to_list(), group["difference"].drop_nulls().to_list()
        if not values or endpoint not in (spec.endpoints or ENDPOINTS):
            continue
        value = [None if np.isinf(each) else each for each in predict(values)]
        gap = predict(gaps) if gaps else (None, None, None)
        found.append(
            {
                "variant": name,
                "endpoint": endpoint,
                "criterion": criterion,
                "unit": name_unit(str(endpoint)),
                **dict(zip(("value", "low", "high"), value, strict=True)),
                **dict(zip(("difference", "difference_low", "difference_high"), gap, strict=True)),
            }
        )
    place = {name: k for k, name in enumerate(names)}
    rank = {name: k for k, name in enumerate(ENDPOINTS)}
    found.sort(
        key=lambda row: (rank[str(row["endpoint"])], str(row["criterion"] or ""), place[str(row["variant"])])
    )
    texts = ("variant", "endpoint", "criterion", "unit")
    numbers = ("value", "low", "high", "difference", "difference_low", "difference_high")
    schema = {**dict.fromkeys(texts, pl.String), **dict.fromkeys(numbers, pl.Float64)}
    return pl.DataFrame(found, schema=schema)


def sweep_doses(
    spec: Spec,
    arm: str,
    *,
    drug: str,
    factors: Sequence[float],
    values: Values = (),
    engine: str = "cpu",
    threads: int | None = None,
) -> pl.DataFrame:
    """Give an arm's drug at several doses, as factors on its planned one; columns as `compare_variants`.

    Raises
    ------
    ConfigError
        Where the arm or the drug is not there, or a factor is negative.
    """
    own = spec.arm(arm)
    if any(factor < 0 for factor in factors):
        message = "a dose cannot be negative"
        raise ConfigError(message)
    at = _find_plan(own, drug)
    variants = {
        f"{drug} x {factor:g}": _with_plan(own, at, drug, factor=factor) for factor in dict.fromkeys(factors)
    }
    return compare_variants(spec, variants, values=values, engine=engine, threads=threads)


def sweep_schedules(
    spec: Spec,
    arm: str,
    *,
    drug: str,
    regimens: Sequence[str],
    values: Values = (),
    engine: str = "cpu",
    threads: int | None = None,
) -> pl.DataFrame:
    """Give an arm's drug by several regimens; columns as `compare_variants`.

    Raises
    ------
    ConfigError
        Where the arm, the drug or a regimen is not there.
    """
    own = spec.arm(arm)
    at = _find_plan(own, drug)
    variants = {
        name: _with_plan(own, at, drug, regimen=find_regimen(name).regimen)
        for name in dict.fromkeys(regimens)
    }
    return compare_variants(spec, variants, values=values, engine=engine, threads=threads)


def _find_plan(arm: Arm, drug: str) -> int:
    """Find the first plan of an arm that holds a drug."""
    wanted = find_regimen(drug).drug
    for k, plan in enumerate(arm.drugs):
        if wanted in {find_regimen(name).drug for name in plan.regimens}:
            return k
    message = f"arm {arm.arm_id} has no {drug}"
    raise ConfigError(message)


def _with_plan(arm: Arm, at: int, drug: str, *, factor: float = 1.0, regimen: str = "") -> Arm:
    """Change dose or regimen of one drug; drugs that were planned with it keep theirs."""
    plan, wanted = arm.drugs[at], find_regimen(drug).drug
    own = tuple(name for name in plan.regimens if find_regimen(name).drug == wanted)
    rest = tuple(name for name in plan.regimens if name not in own)
    changed = replace(plan, regimens=(regimen,) if regimen else own, intensity=plan.intensity * factor)
    others = (replace(plan, regimens=rest),) if rest else ()
    return replace(arm, drugs=(*arm.drugs[:at], changed, *others, *arm.drugs[at + 1 :]))


def compare_sequences(
    spec: Spec,
    first: str,
    second: str,
    *,
    values: Values = (),
    engine: str = "cpu",
    threads: int | None = None,
) -> pl.DataFrame:
    """Give the same patients one arm's drugs then another's (A then B against B then A), for example.

    Parameters
    ----------
    first, second
        Arms of the trial, for example sorafenib then nivolumab, and nivolumab then sorafenib.

    Returns
    -------
    DataFrame
        Columns as `compare_variants`.
    """
    variants = {name: spec.arm(name) for name in (first, second)}
    return compare_variants(spec, variants, values=values, engine=engine, threads=threads)
