"""The fit report: page and figures, from the tables that `hccresist calibrate` left.

::

    python docs/calibration.py           write explanation/calibration.md and its figures
    python docs/calibration.py --check   fail where the page differs from the tables

Every number of the page comes from `src/hccresist/data/overcome/calibration/`.
"""

# ruff: noqa: E501  (one line of prose a row)

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from calibration_figure import COLOURS, draw_fit
from markdown_tables import head, percent, row_of, show_interval, show_value

from hccresist.outcomes.published import read_trials
from hccresist.overcome.calibrate import LEARNT
from hccresist.overcome.calibrate_between import compare_arms
from hccresist.overcome.calibrate_data import (
    DISCREPANCY,
    MOST_A_DRUG,
    MOST_FITTED,
    read_fit_targets,
    read_fitted,
)
from hccresist.overcome.calibrate_lopo import MOST_K
from hccresist.overcome.calibrate_scores import summarise_fit
from hccresist.overcome.calibrate_weights import SPREAD
from hccresist.overcome.ensemble_file import read_ensemble
from hccresist.overcome.prevalence_weights import find_features, read_weighting
from hccresist.overcome.trial_prior import LIVER_MIN, LIVES
from hccresist.overcome.trial_spec import BASELINE_DAYS

DOCS = Path(__file__).parent
PAGE = DOCS / "explanation" / "calibration.md"
FOLDER = DOCS.parent / "src" / "hccresist" / "data" / "overcome" / "calibration"
RECOVERY = DOCS.parent / "benchmarks" / "results" / "calibration.json"
"""Left by benchmarks/bench_calibration.py."""
INVERSION = RECOVERY.with_name("calibration_inversion.json")
"""What that benchmark found of the method that was there before (commit 0f2caeb)."""
NOTE = "<!-- Made of the calibration's tables by docs/calibration.py: calibrate anew, then run it. -->\n\n"
COVERAGE = (0.80, 0.97)
"""Between which the coverage of 90 % intervals is wanted (issue 6, done when 1)."""
FEW_ARMS = 5
"""Arms below which the coverage of a class can hardly lie between these."""
MOST_WIDTH = 1.5
"""Most that a predicted interval may be of the published one, in the median."""


@cache
def read(name: str) -> pl.DataFrame:
    """Read one table of the calibration."""
    return pl.read_csv(FOLDER / f"{name}.csv", infer_schema_length=None)


@cache
def read_facts() -> Mapping[str, object]:
    """Read what the calibration was."""
    return json.loads((FOLDER / "calibration.json").read_text(encoding="utf-8"))


def tell_summary(name: str, by: str) -> Iterator[str]:
    """Tell coverage, width and scores by a column."""
    yield from head(
        by.replace("_", " "),
        "numbers",
        "arms",
        "coverage of 90 % intervals",
        "width to published",
        "interval score",
        "of the class average",
        "better",
    )
    for row in summarise_fit(read(name), by).iter_rows(named=True):
        better = "yes" if row["score"] < row["naive_score"] else "no"
        yield row_of(
            row[by],
            row["targets"],
            row["arms"],
            percent(row["coverage"]),
            f"{row['width_ratio']:.2f}",
            f"{row['score']:.2f}",
            f"{row['naive_score']:.2f}",
            better,
        )


def tell_verdict() -> Iterator[str]:
    """Tell which of the aims are met, number by number."""
    for name, where in (("fit", "in sample"), ("out_of_sample", "out of sample")):
        for by in ("family", "drug_class"):
            rows = summarise_fit(read(name), by)
            shown = [
                (row["arms"], f"{row[by]} {percent(row['coverage'])}")
                for row in rows.iter_rows(named=True)
                if not COVERAGE[0] <= row["coverage"] <= COVERAGE[1]
            ]
            out = [words for arms, words in shown if arms >= FEW_ARMS]
            few = [words for arms, words in shown if arms < FEW_ARMS]
            said = f"outside in {', '.join(out)}" if out else "inside everywhere"
            rest = (
                f" (in classes of fewer than {FEW_ARMS} arms, which cannot tell: {', '.join(few)})"
                if few
                else ""
            )
            yield f"- Coverage of 80 to 97 % by {by.replace('_', ' ')}, {where}: {said}{rest}."
        rows = summarise_fit(read(name), "family")
        width = [f"{row['family']} {row['width_ratio']:.2f}" for row in rows.iter_rows(named=True)]
        yield f"- Median width of the predicted to the published interval, {where} (aim: at most {MOST_WIDTH}): {', '.join(width)}."
        score = [
            f"{row['family']} {row['score']:.2f} against {row['naive_score']:.2f}"
            for row in rows.iter_rows(named=True)
        ]
        yield f"- Mean interval score against the class average (lower is better), {where}: {'; '.join(score)}."
        yield from tell_what_costs(name, where)
    rows = summarise_fit(read("fit_bare"), "family")
    bare = [
        f"{row['family']} {percent(row['coverage'])} at {row['width_ratio']:.2f} of the width"
        for row in rows.iter_rows(named=True)
    ]
    yield f"- Without the allowance for what one population cannot give, coverage in sample is {', '.join(bare)}."


def tell_what_costs(name: str, where: str) -> Iterator[str]:
    """Tell which numbers make a family's score worse than the class average: those without which it is not."""
    for row in summarise_fit(read(name), "family").iter_rows(named=True):
        if row["score"] < row["naive_score"]:
            continue
        own = read(name).filter(family=row["family"]).sort(pl.col("naive_score") - pl.col("score"))
        for count in range(1, own.height):
            rest = own.slice(count).select(pl.col("score", "naive_score").mean()).row(0)
            if rest[0] < rest[1]:
                break
        else:
            continue
        arms = ", ".join(f"`{arm}`" for arm in own["arm_id"].head(count))
        yield (
            f"- {row['family'].capitalize()}, {where}: without {count} of {own.height} numbers ({arms}) the score "
            f"is {rest[0]:.2f} against {rest[1]:.2f}."
        )


def _count_wide() -> str:
    """Count the rows in which no interval without a term of the trial is as narrow as wanted."""
    widths = compare_arms(read_fit_targets())["width"]
    return f"{(widths > MOST_WIDTH).sum()} of {len(widths)}"


def tell_between() -> Iterator[str]:
    """Tell how far arms of the same drug differ, beside what the fit assumes."""
    yield from head(
        "family",
        "drug, line",
        "endpoint",
        "arms",
        "published",
        "spread beyond sampling",
        "assumed",
        "width at best",
    )
    for row in compare_arms(read_fit_targets()).iter_rows(named=True):
        yield row_of(
            row["family"],
            f"{row['drugs']}, {row['line']}",
            " ".join(filter(None, (row["endpoint"], row["criterion"]))),
            row["arms"],
            f"{show_value(row['lowest'], row['unit'])} to {show_value(row['highest'], row['unit'])}",
            f"{row['spread']:.2f}",
            f"{row['discrepancy']:.2f}",
            f"{row['width']:.2f}",
        )


def tell_errors() -> Iterator[str]:
    """Tell errors in the units of the trials, out of sample."""
    table = read("out_of_sample")
    orr = table.filter(pl.col("endpoint") == "ORR")
    os = table.filter(pl.col("endpoint") == "mOS")
    pfs = table.filter(pl.col("endpoint").is_in(["mPFS", "mTTP"]))
    ratios = table.filter(pl.col("unit") == "ratio")
    error = (orr["simulated"] - orr["observed"]).abs()
    yield f"- Response rate: mean absolute error {error.mean():.1f} points, median {error.median():.1f}, over {orr.height} arms."
    for name, rows in (("survival", os), ("progression", pfs)):
        factor = (rows["simulated"].log() - rows["observed"].log()).abs()
        yield f"- Median {name}: typical factor {2.718281828 ** float(factor.median() or 0):.2f} off, over {rows.height} arms."
    share = 100 * (2.0 ** (-12.0 / os["observed"]) - 2.0 ** (-12.0 / os["simulated"])).abs()
    yield f"- Survival at 12 months (by the exponential curve through the median; few trials print it): mean absolute error {share.mean():.1f} points."
    right = ((ratios["simulated"] < 1) == (ratios["observed"] < 1)).sum()
    yield f"- Hazard ratios that are fitted: sign right in {right} of {ratios.height}."
    how = {
        row["how"]: row["len"]
        for row in table.group_by("programme")
        .agg(pl.col("how").first())
        .group_by("how")
        .len()
        .iter_rows(named=True)
    }
    yield f"- Programmes predicted by weights (Pareto k below {MOST_K}): {how.get('weights', 0)}; by learning the other programmes' numbers from the runs of the prior: {how.get('prior', 0)}; by a full calibration without the programme: {how.get('refit', 0)}."


def _tell_refits() -> str:
    """Tell which programmes were left out by a full calibration, and its size."""
    refits = read_facts().get("refits", {})
    assert isinstance(refits, Mapping)
    names = [
        f"{name} ({size['members']} sets, {size['patients']} patients an arm)"
        for name, size in refits.items()
    ]
    return f"; by a full calibration without it: {', '.join(names)}" if names else ""


def tell_drift() -> Iterator[str]:
    """Tell survival under sorafenib from trial to trial."""
    years = dict(
        read_trials("trial_context")
        .filter(pl.col("value_name") == "enrolment_last_year")
        .select("arm_id", "value")
        .iter_rows()
    )
    arms = dict(read_trials("arms").select("arm_id", "drugs").iter_rows())
    rows = [
        row
        for row in read("fit").filter(pl.col("endpoint") == "mOS").iter_rows(named=True)
        if arms[row["arm_id"]] == "sorafenib"
    ]
    yield from head(
        "trial", "last year of enrolment", "published median survival, months", "predicted, months"
    )
    for row in sorted(rows, key=lambda r: (int(years[r["arm_id"]]), r["trial"])):
        yield row_of(
            row["trial"],
            years[row["arm_id"]],
            show_interval(row, "observed"),
            show_interval(row, "simulated"),
        )
    early = [row for row in rows if int(years[row["arm_id"]]) <= 2012]
    late = [row for row in rows if int(years[row["arm_id"]]) > 2012]

    def mean(some: Sequence[Mapping[str, float]], name: str) -> float:
        return sum(row[name] for row in some) / max(len(some), 1)

    yield ""
    yield (
        f"Published: {mean(early, 'observed'):.1f} months on average in the {len(early)} trials enrolled until 2012, {mean(late, 'observed'):.1f} in the {len(late)} later ones. "
        f"Predicted: {mean(early, 'simulated'):.1f} and {mean(late, 'simulated'):.1f}. What the model explains of it comes from later therapy (which drug was at hand in which year), baseline and visits; there is no term for a trial or a year."
    )


def tell_parameters() -> Iterator[str]:
    """Tell what was learnt of each parameter."""
    yield from head(
        "parameter", "class", "prior (90 %)", "fitted (90 %)", "prior variance taken away", "label"
    )
    for row in read("parameters").iter_rows(named=True):
        prior = f"{row['prior']:.3g} ({row['prior_low']:.3g} to {row['prior_high']:.3g})"
        now = f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"
        yield row_of(
            f"`{row['name']}`", row["class"], prior, now, percent(max(row["contraction"], 0.0)), row["label"]
        )


def tell_recovery() -> Iterator[str]:
    """Tell how known parameters were found again from synthetic trials."""
    found = json.loads(RECOVERY.read_text(encoding="utf-8"))
    yield (
        f"Before it is trusted with published numbers, the calibration has to find parameters that are known. Each of {found['truths']} sets drawn from the prior was the truth in turn: the {found['targets']} numbers of {found['trials']} trials that it gave, on patients that no other set has, disturbed by the errors that published numbers are taken to have, were the data; and all of them were learnt in one round from sets that were not in the truth's fold ({found['folds']} folds)."
    )
    yield ""
    yield from head(
        "parameters",
        "number",
        "true value inside the 90 % interval",
        "distance from truth, prior (standard deviations)",
        "after",
    )
    for words, count, pre in (
        ("all", found["parameters"], ""),
        (f"prior variance taken away by {percent(LEARNT)} or more", found["told"], "told_"),
    ):
        inside, before, after = (
            found[f"{pre}{part}"] for part in ("inside_90", "error_before", "error_after")
        )
        yield row_of(words, count, percent(inside), f"{before:.2f}", f"{after:.2f}")
    yield ""
    yield from head(
        "parameter", "inside the 90 % interval", "distance, prior", "after", "prior variance taken away"
    )
    for name, one in sorted(found["by_parameter"].items(), key=lambda pair: -pair[1]["contraction"]):
        yield row_of(
            f"`{name}`",
            percent(one["inside_90"]),
            f"{one['error_before']:.2f}",
            f"{one['error_after']:.2f}",
            percent(max(one["contraction"], 0.0)),
        )


def tell_weighting() -> Iterator[str]:
    """Tell the odds of enrolment, the farthest from one first."""
    weighting = read_weighting(read_ensemble().centre)
    assert weighting is not None
    yield from head("parameter", "odds a standard deviation")
    pairs = sorted(zip(weighting.names, weighting.log_odds, strict=True), key=lambda pair: -abs(pair[1]))
    for name, log_odds in pairs:
        yield row_of(f"`{name}`", f"{math.exp(log_odds):.2f}")


def tell_lean() -> Iterator[str]:
    """Tell which way predictions lean, by family, class and line."""
    table = read("fit").with_columns(
        lean=pl.when(pl.col("unit") == "percent")
        .then(pl.col("simulated") - pl.col("observed"))
        .otherwise(pl.col("simulated") / pl.col("observed"))
    )
    groups = (
        table.group_by("family", "drug_class", "line", "unit")
        .agg(pl.len(), pl.col("lean").mean())
        .filter(pl.col("len") >= 2)
    )
    yield from head("family", "class", "line", "numbers", "predicted less published")
    for row in groups.sort("family", "drug_class", "line", "unit").iter_rows(named=True):
        lean = (
            f"{row['lean']:+.1f} points"
            if row["unit"] == "percent"
            else f"{100 * (row['lean'] - 1):+.0f} % of it"
        )
        yield row_of(row["family"], row["drug_class"], row["line"], row["len"], lean)


def tell_outside() -> Iterator[str]:
    """Tell what lies outside its interval, the worst first."""
    table = read("fit").filter(~pl.col("inside")).sort("score", descending=True)
    yield from head("trial", "arm", "number", "published (90 %)", "predicted (90 %)")
    for row in table.iter_rows(named=True):
        yield row_of(
            row["trial"],
            f"`{row['arm_id']}`",
            " ".join(filter(None, (row["endpoint"], row["criterion"]))),
            show_interval(row, "observed"),
            show_interval(row, "simulated"),
        )


def tell_targets() -> Iterator[str]:
    """Tell every target, in sample and out of sample."""
    left = {row["key"]: row for row in read("out_of_sample").iter_rows(named=True)}
    yield from head(
        "arm", "number", "published (90 %)", "predicted (90 %)", "inside", "left out (90 %)", "inside"
    )
    for row in read("fit").sort("trial", "arm_id", "endpoint").iter_rows(named=True):
        other = left[row["key"]]
        yield row_of(
            f"`{row['arm_id']}`",
            " ".join(filter(None, (row["endpoint"], row["criterion"]))),
            show_interval(row, "observed"),
            show_interval(row, "simulated"),
            "yes" if row["inside"] else "**no**",
            show_interval(other, "simulated"),
            "yes" if other["inside"] else "**no**",
        )


def render_page() -> str:
    """Write the page."""
    facts, fitted = read_facts(), read_fitted()
    before = json.loads(INVERSION.read_text(encoding="utf-8"))
    drugs = sorted({each.drug for each in fitted if each.drug})
    current = (
        ""
        if read_ensemble().is_current
        else "\n\n!!! warning\n    The model has changed since this calibration: its tables and equations are not those that were fitted."
    )
    allowance = ", ".join(f"{name} {value:.2f}" for name, value in DISCREPANCY.items())
    return (
        NOTE
        + f"""# Calibrated to published trials

Research only. Nothing here is a prediction for a patient's care, nor of a trial's result.{current}

What is fitted: the {facts["targets"]} numbers of use *fit* of the [table of targets](../reference/targets.md) whose arms the model can run, one a family (response, progression, survival) of each group of patients. Check rows, held-out trials, the evidence base and the strategies are not in it.

How: {len(fitted)} parameters (at most {MOST_FITTED} in all, at most {MOST_A_DRUG} a drug, none of a trial) are drawn {facts["design"]} times from their prior; every trial is run with each set, on virtual patients of its own ({facts["patients"]} an arm), and read by the same *assess* and *outcomes* as a real study. Then each parameter is regressed on the numbers, disturbed as published ones are; the regression at the published numbers is the mean of the posterior, and what is left of sets that it has not seen is its covariance. So each set was a known truth that had to be found again, and an interval is as wide as these errors were: a parameter of which the numbers tell nothing keeps its prior. As trials are not linear in parameters, half of the data is taken in at first (errors times the root of two), {2 * facts["members"]} sets are drawn from what that gives and run, then the other half; the {facts["members"]} sets drawn then are the ensemble. This is an ensemble smoother with multiple data assimilation (doi:10.1016/j.cageo.2012.03.011) whose gain is a regression (doi:10.1093/genetics/162.4.2025) chosen by leaving sets out. Ensemble Kalman inversion with common random numbers, polished by an emulator, was there before: tried on a known truth ({before["members"]} sets, {before["patients"]} patients an arm) it held {percent(before["inside_90"])} of the parameters in its 90 % intervals and moved away from the truth ({before["error_before"]:.2f} to {before["error_after"]:.2f} standard deviations of the prior): few sets on the same few patients fit chance. Prevalences of handles are not fitted.

Who is enrolled: virtual patients whose lesions all grow untreated (a tumour that shrinks by itself could not have come to its size), and who can be expected to live twelve weeks, as protocols ask (a chance of {percent(LIVES)} by their hazard of the day: an assumption). Patients of later lines have had sorafenib in the same model until it failed (a fifth of them: until it was not tolerated). What follows progression is one of the drugs that were at hand in the trial's years and region, in equal parts, for the share who had any, made up from those who are fit for it: by liver reserve ({LIVER_MIN:g} or more) and by the same chance to live, which is what the model has of performance status. A second progression is not looked for.

How patients are looked at: the baseline is within {BASELINE_DAYS:g} days before treatment, evenly (RECIST 1.1 sets the limit, doi:10.1016/j.ejca.2008.10.026; trials do not print the days). Diameters are read with an error whose size and tails are those of lesions that were read twice (doi:10.1016/j.ejca.2015.10.014, PMID 21730273). Scans and treatment end at progression by RECIST 1.1, or by mRECIST in trials of which the table holds progression by mRECIST alone (REFLECT's independent review found the same medians by both criteria, PMID 29433850; the model does not: by mRECIST progression comes later): judged by the other criterion, whoever had progressed by the first would be censored, and medians would be too long.

At last the patients are weighted, once for all trials: each is enrolled with a chance that depends on the patient's own parameters alone ({len(find_features())} of them), fitted to all numbers on one run of the ensemble's centre, patient by patient, with a prior that draws it to no weighting (log odds a standard deviation: {SPREAD:g}). The idea is that of prevalence weights of virtual patients (doi:10.1186/1471-2105-14-221). The effective share of the population is {percent(float(facts["effective_share"]))} (at least a third, by the way the chances are made).

What one population without terms of trials cannot give has a standard deviation of its own, the same for all trials (logit of a response rate or logarithm of a median; an assumption): {allowance}. Predicted intervals hold it, the spread of the ensemble, and the sampling of so many patients as the trial had.

Fitted drugs: {", ".join(drugs)}. Other drugs have the values of the table: PD-1 and PD-L1 antibodies are told apart by kinetics and target only; apatinib is known by class only.

## What is met and what is not

{chr(10).join(tell_verdict())}

![Published and predicted numbers with 90 % intervals](../images/calibration-fit-light.svg#only-light)
![Published and predicted numbers with 90 % intervals](../images/calibration-fit-dark.svg#only-dark)

### In sample

{chr(10).join(tell_summary("fit", "family"))}

{chr(10).join(tell_summary("fit", "drug_class"))}

### Out of sample: each programme left out

{chr(10).join(tell_summary("out_of_sample", "family"))}

{chr(10).join(tell_summary("out_of_sample", "drug_class"))}

{chr(10).join(tell_errors())}

A programme is left out by weighing the members by one over the likelihood of its numbers, smoothed by Pareto; where the weights are too uneven (Pareto k of {MOST_K} or more), by what the runs of the prior tell of the other programmes' numbers, all at once{_tell_refits()}. The weighting of patients is fitted again without the programme each time. The class average is the mean of the other arms of the same class and line, with their spread.

## How far trials of the same drug differ

Arms that had the same drug in the same line differ by more than sampling. How much more is the standard deviation of their truths by the method of moments (doi:10.1016/0197-2456(86)90046-2), on the scale of the fit; it is what the allowance above stands for, and it was set before it was measured so. The last column is the median width of an interval, against the published, of somebody who knew the mean of all these trials exactly and had no term for the trial: more than {MOST_WIDTH} in {_count_wide()} rows.

{chr(10).join(tell_between())}

## Survival under sorafenib over the years

{chr(10).join(tell_drift())}

## Parameters: what the trials told

A parameter of which the numbers took away less than a fifth of the prior variance is labelled *stays at its prior*, here and wherever the ensemble is used.

{chr(10).join(tell_parameters())}

## Known parameters, found again

{chr(10).join(tell_recovery())}

## Weighting: who is found at a trial's clinic

Odds to be enrolled of a patient who is one standard deviation above the typical value of a parameter. Odds near one: the numbers did not ask for it.

{chr(10).join(tell_weighting())}

## Where predictions lean

Means of predicted less published numbers, in groups of two or more. What leans the same way in a class or a line is structure that one population lacks; no parameter was added to take it away.

{chr(10).join(tell_lean())}

## Numbers outside their interval

{chr(10).join(tell_outside())}

## Every number

{chr(10).join(tell_targets())}
"""
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with ``--check`` compare it."""
    text = render_page()
    if arguments == ["--check"]:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        if not same:
            print(
                "explanation/calibration.md is not what the calibration's tables give: python docs/calibration.py"
            )
        return int(not same)
    PAGE.write_text(text, encoding="utf-8")
    for theme in COLOURS:
        draw_fit(read("fit"), theme)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
