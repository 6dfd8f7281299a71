"""Tumour mutational burden, counted where that is sound, and microsatellite instability as recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from hccresist.explain.alteration_rules import AlterationRule, read_rules
from hccresist.explain.alteration_samples import covariate
from hccresist.study.study import Study

EXOME_MB: Final = 38.0
"""Megabases of coding sequence that count as one exome where a study states none (our convention)."""
HIGH_TMB: Final = 10.0
"""Mutations per megabase from which the burden is high (PMC6964127)."""
PLAUSIBLE_GENES: Final = 1_000
"""Distinct mutated genes of a study from which no panel is plausible: panels have some 500 at most (ours)."""
NON_SYNONYMOUS: Final = ("truncating", "missense", "in_frame", "other")
"""Effects that count towards the burden."""
MANTIS: Final = 0.4
"""MANTIS score above which a tumour counts as unstable (our convention)."""
MSISENSOR: Final = 10.0
"""MSIsensor score from which a tumour counts as unstable (our convention)."""

TMB_NAMES: Final = ("tmb", "tmb_per_mb", "tmb_nonsynonymous")
MSI_NAMES: Final = ("msi", "msi_status", "msi_type")
MANTIS_NAMES: Final = ("msi_score_mantis", "mantis")
MSISENSOR_NAMES: Final = ("msi_sensor_score", "msi_score", "msisensor")
_UNSTABLE: Final = ("msi", "msi_h", "msi_high", "high", "unstable", "instable", "positive", "yes", "true")
_STABLE: Final = ("mss", "msi_l", "msi_low", "low", "stable", "negative", "no", "false")


def call_burden(alterations: pl.DataFrame, samples: pl.DataFrame, *, study: Study) -> pl.DataFrame:
    """Call the tumour mutational burden of each sample.

    1. Size: ``sequenced_mb`` where stated. Else `EXOME_MB` where the sample is stated to be an exome
       or genome, or where the study has `PLAUSIBLE_GENES` distinct mutated genes and nothing says
       panel.
    2. Burden: non-synonymous coding mutations of the sample by that size.
    3. Where no size is known, a burden recorded in `samples` or `patients` (`TMB_NAMES`) is taken.
    4. Else it is not measured.

    Parameters
    ----------
    alterations
        Table `alterations` with ``effect``.
    samples
        As `hccresist.explain.alteration_samples.read_samples` returns them.
    study
        For recorded values.
    """
    mutations = alterations.filter(pl.col("effect").is_in(NON_SYNONYMOUS))
    whole = mutations["gene"].n_unique() >= PLAUSIBLE_GENES
    counts = mutations.group_by("sample_id").agg(n=pl.len())
    frame = samples.join(counts, on="sample_id", how="left").with_columns(pl.col("n").fill_null(0))
    frame = frame.join(_recorded(samples, study, TMB_NAMES), on="sample_id", how="left")
    exome = pl.col("sequenced").is_in(["exome", "genome"]) | ((pl.col("sequenced") == "assumed") & whole)
    size = pl.when(pl.col("sequenced") != "none").then(
        pl.when(pl.col("sequenced_mb") > 0).then("sequenced_mb").when(exome).then(EXOME_MB)
    )
    given = pl.col("value").cast(pl.Float64, strict=False)
    frame = frame.with_columns(size=size, given=pl.when(given >= 0).then(given))
    frame = frame.with_columns(burden=pl.coalesce(pl.col("n") / pl.col("size"), "given"))
    return _burden_rows(frame)


def _burden_rows(frame: pl.DataFrame) -> pl.DataFrame:
    rule = _rule("burden")
    high = pl.col("burden") >= HIGH_TMB
    known = pl.col("burden").is_not_null()
    counted = pl.format(
        f"TMB: {{}} non-synonymous mutations in {{}} Mb, {HIGH_TMB:g} per Mb count", "n", "size"
    )
    recorded = pl.format(f"TMB: {{}} as recorded, {HIGH_TMB:g} per Mb count", "given")
    refused = pl.lit("TMB: no whole exome is stated or plausible; state sequenced or sequenced_mb in samples")
    return frame.with_columns(
        mechanism_id=pl.lit(rule.mechanism_id),
        gene=pl.lit(rule.gene),
        change=pl.when(known)
        .then(pl.format("{} mutations/Mb", pl.col("burden").round(2)))
        .otherwise(pl.lit("")),
        call=pl.when(~known)
        .then(pl.lit("not_measured"))
        .when(high)
        .then(pl.lit("altered"))
        .otherwise(pl.lit("not_altered")),
        rule=pl.coalesce(counted, recorded, refused),
        source=pl.lit(rule.source),
    )


def call_recorded(samples: pl.DataFrame, *, study: Study) -> pl.DataFrame:
    """Call microsatellite instability from what `samples` or `patients` record.

    A status (`MSI_NAMES`) comes first, then a MANTIS score (above `MANTIS` is unstable), then an
    MSIsensor score (`MSISENSOR` or more). Without any the sample is not measured.

    Parameters
    ----------
    samples
        As `hccresist.explain.alteration_samples.read_samples` returns them.
    study
        The study.
    """
    rule = _rule("recorded")
    frame = samples.select("sample_id")
    for name, names in (("status", MSI_NAMES), ("mantis", MANTIS_NAMES), ("sensor", MSISENSOR_NAMES)):
        frame = frame.join(
            _recorded(samples, study, names).rename({"value": name}), on="sample_id", how="left"
        )
    word = pl.col("status").str.to_lowercase().str.strip_chars().str.replace_all(r"[\s-]+", "_")
    mantis, sensor = (pl.col(name).cast(pl.Float64, strict=False) for name in ("mantis", "sensor"))
    call = (
        pl.when(word.is_in(_UNSTABLE) | word.is_in(_STABLE))
        .then(_two(word.is_in(_UNSTABLE)))
        .when(mantis.is_not_null())
        .then(_two(mantis > MANTIS))
        .when(sensor.is_not_null())
        .then(_two(sensor >= MSISENSOR))
        .when(word.is_not_null())
        .then(pl.lit("uncertain"))
        .otherwise(pl.lit("not_measured"))
    )
    found = pl.coalesce(
        "status",
        pl.when(mantis.is_not_null()).then(pl.format("MANTIS {}", "mantis")),
        pl.when(sensor.is_not_null()).then(pl.format("MSIsensor {}", "sensor")),
        pl.lit(""),
    )
    words = f"MSI: as recorded; MANTIS above {MANTIS:g} or MSIsensor {MSISENSOR:g} and more count"
    return frame.with_columns(
        mechanism_id=pl.lit(rule.mechanism_id),
        gene=pl.lit(rule.gene),
        change=found,
        call=call,
        rule=pl.when(call == "not_measured")
        .then(pl.lit("MSI: nothing is recorded"))
        .otherwise(pl.lit(words)),
        source=pl.lit(rule.source),
    )


def _two(condition: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(pl.lit("altered")).otherwise(pl.lit("not_altered"))


def _recorded(samples: pl.DataFrame, study: Study, names: Sequence[str]) -> pl.DataFrame:
    """Return sample_id and value (text) as recorded with the sample, else with its patient."""
    frame = samples.select("sample_id", "patient_id")
    values: list[pl.Expr] = []
    for table, key in (("samples", "sample_id"), ("patients", "patient_id")):
        source = study.table(table)
        column = None if source is None else covariate(source, names)
        if source is not None and column is not None:
            columns = source.select(key, pl.col(column).cast(pl.String).alias(f"value_{table}"))
            frame = frame.join(columns, on=key, how="left")
            values.append(pl.col(f"value_{table}"))
    value = pl.coalesce(*values) if values else pl.lit(None, dtype=pl.String)
    return frame.select("sample_id", value=value)


def _rule(counts: str) -> AlterationRule:
    return next(rule for rule in read_rules() if rule.counts == counts)
