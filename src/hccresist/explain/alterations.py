"""Mutations and copy number as calls per mechanism: altered, not altered, uncertain or not measured.

The rules are data (`hccresist.explain.alteration_rules`); which genes were looked at at all is said
in `hccresist.explain.alteration_samples`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from hccresist.explain.alteration_burden import call_burden, call_recorded
from hccresist.explain.alteration_changes import Change, judge, read_change
from hccresist.explain.alteration_rules import AlterationRule, Target, read_targets
from hccresist.explain.alteration_samples import find_measured, read_samples
from hccresist.explain.results import AlterationCalls
from hccresist.study.study import Study

KEY: Final = ("sample_id", "mechanism_id", "gene", "change")
_COLUMNS: Final = (*KEY, "call", "rule", "source")
_SHOWN_RESIDUES: Final = 14
"""Hotspot lists up to this length stand in the rule's words."""


def call_alterations(study: Study) -> pl.DataFrame:
    """Call every alteration that a rule of resistance asks about.

    1. Each recorded change of a gene is read (`read_change`) and judged by the rules of that gene.
       What counts is a row ``altered``; a missense change of unknown meaning in such a gene is a
       row ``uncertain``. Silent and intronic changes never count.
    2. A gene without such a row is one row with an empty change: ``not_altered`` where what its
       rules need was measured in this sample, else ``not_measured``.
    3. The locus 11q13 is altered where at least two of FGF3, FGF4, FGF19 and CCND1 are amplified.
    4. TMB is counted where a whole exome is plausible or its size is stated; MSI is as recorded.

    Parameters
    ----------
    study
        A study with a table `alterations`.

    Returns
    -------
    pl.DataFrame
        Rows of `hccresist.explain.results.AlterationCalls`, sorted by key; empty without
        `alterations`.

    Raises
    ------
    InputError
        When a sample belongs to no patient: there is no table `samples` and the sample is not
        called as a patient is.

    Examples
    --------
    >>> from hccresist.study.frames import study_from_frames
    >>> study = study_from_frames(
    ...     patients=pl.DataFrame({"patient_id": ["P1"]}),
    ...     samples=pl.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"]}),
    ...     alterations=pl.DataFrame(
    ...         {"sample_id": ["S1"], "gene": ["CTNNB1"], "change": ["p.S45P"], "kind": ["Missense_Mutation"]}
    ...     ),
    ... )
    >>> calls = call_alterations(study)
    >>> calls.filter(gene="CTNNB1")["call"].to_list(), calls.filter(gene="FGF19")["call"].to_list()
    (['altered'], ['not_measured'])
    """
    table = study.table("alterations")
    if table is None:
        return AlterationCalls.create_empty()
    alterations, changes = _read_table(table)
    samples = read_samples(study, alterations)
    parts = [
        _call_genes(alterations, changes, samples),
        _call_loci(alterations, changes, samples),
        call_burden(alterations, samples, study=study),
        call_recorded(samples, study=study),
    ]
    rows = pl.concat([part.select(_COLUMNS) for part in parts])
    return _finish(rows, samples.select("sample_id", "patient_id"))


def _finish(rows: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    frame = rows.join(patients, on="sample_id", how="left").select(AlterationCalls.column_names())
    return AlterationCalls.validate(frame.cast({"call": AlterationCalls.call.dtype}), cast=True).sort(KEY)


def _read_table(table: pl.DataFrame) -> tuple[pl.DataFrame, Mapping[tuple[str, str | None], Change]]:
    """Return the table with the effect of each change, and each distinct change as it was read."""
    pairs = table.select("change", "kind").unique()
    changes = {(change, kind): read_change(change, kind) for change, kind in pairs.iter_rows()}
    effects = pairs.with_columns(
        effect=pl.Series([changes[pair].effect for pair in pairs.iter_rows()], dtype=pl.String)
    )
    frame = table.select("sample_id", pl.col("gene").str.strip_chars().str.to_uppercase(), "change", "kind")
    return frame.join(effects, on=["change", "kind"], how="left", nulls_equal=True), changes


def _call_genes(
    alterations: pl.DataFrame, changes: Mapping[tuple[str, str | None], Change], samples: pl.DataFrame
) -> pl.DataFrame:
    targets = [target for target in read_targets() if not target.counts & {"locus", "burden", "recorded"}]
    genes = sorted({target.gene for target in targets})
    rows = alterations.filter(pl.col("gene").is_in(genes))
    found = _judge_rows(rows, targets, changes)
    return pl.concat([found, _call_rest(found, rows, targets, find_measured(samples, alterations, genes))])


def _judge_rows(
    rows: pl.DataFrame, targets: Sequence[Target], changes: Mapping[tuple[str, str | None], Change]
) -> pl.DataFrame:
    """Return a row for each recorded change that counts, or whose meaning is uncertain."""
    verdicts = [
        (gene, change, kind, target.mechanism_id, *verdict)
        for gene, change, kind in rows.select("gene", "change", "kind").unique().iter_rows()
        for target in targets
        if target.gene == gene and (verdict := _judge_change(changes[change, kind], target)) is not None
    ]
    schema = {"gene": pl.String, "change": pl.String, "kind": pl.String, "mechanism_id": pl.String}
    schema |= {"call": pl.String, "rule": pl.String, "source": pl.String}
    frame = pl.DataFrame(verdicts, schema=schema, orient="row")
    keys = ["gene", "change", "kind"]
    found = rows.join(frame, on=keys, how="inner", nulls_equal=True)
    return (
        found.with_columns(change=_shown_change()).select(_COLUMNS).sort(_COLUMNS).unique(KEY, keep="first")
    )


def _shown_change() -> pl.Expr:
    """Return the change as recorded; a copy number is told as such."""
    is_copy = pl.col("effect") == "copy_number"
    return pl.when(is_copy).then(pl.format("copy number {}", "change")).otherwise("change")


def _judge_change(change: Change, target: Target) -> tuple[str, str, str] | None:
    """Return call, words and source of the rule that decides; ``None`` where no rule says anything."""
    if change.effect == "copy_number" and change.copies is None:
        words = f"{target.gene}: the copy number cannot be read as -2 to 2"
        return "uncertain", words, "ours"
    verdicts = [(judge(change, rule), rule) for rule in target.rules]
    for verdict, rule in verdicts:
        if verdict == "altered":
            return "altered", f"{rule.rule_id}: {_say(change, rule)}{_list_residues(rule)}", rule.source
    unclear = [rule for verdict, rule in verdicts if verdict == "uncertain"]
    if not unclear:
        return None
    names = ", ".join(rule.rule_id for rule in unclear)
    return "uncertain", f"{names}: {_say(change, unclear[0])} is of unknown meaning here", "ours"


def _say(change: Change, rule: AlterationRule) -> str:
    if change.copies is not None:
        return f"copy number {change.copies:g} ({_COPY_WORDS[rule.counts]})"
    what = change.effect.replace("_", " ")
    return what if change.first is None else f"{what} at codon {change.first}"


_COPY_WORDS: Final = {
    "amplification": "2 or more counts",
    "gain": "1 is a gain and no amplification",
    "deep_deletion": "-2 counts",
}


def _list_residues(rule: AlterationRule) -> str:
    if not rule.residues:
        return ""
    if len(rule.residues) > _SHOWN_RESIDUES:
        return f", {len(rule.residues)} codons count"
    return f", {', '.join(str(residue) for residue in sorted(rule.residues))} count"


def _call_rest(
    found: pl.DataFrame, rows: pl.DataFrame, targets: Sequence[Target], measured: pl.DataFrame
) -> pl.DataFrame:
    """Return a row with an empty change for each sample and gene of which no change counts."""
    words = pl.DataFrame(
        [(target.mechanism_id, target.gene, target.needs, _name_rules(target)) for target in targets],
        schema=["mechanism_id", "gene", "needs", "names"],
        orient="row",
    )
    rest = measured.join(words, on="gene").join(found, on=["sample_id", "mechanism_id", "gene"], how="anti")
    copies = (
        rows.filter(pl.col("effect") == "copy_number")
        .group_by("sample_id", "gene")
        .agg(copies=pl.col("change").sort().first())
    )
    rest = rest.join(copies, on=["sample_id", "gene"], how="left")
    enough = (
        pl.when(pl.col("needs") == "mutation")
        .then("mutation")
        .when(pl.col("needs") == "promoter")
        .then("promoter")
        .otherwise("copy_number")
    )
    return rest.with_columns(
        change=pl.lit(""),
        call=pl.when(enough).then(pl.lit("not_altered")).otherwise(pl.lit("not_measured")),
        rule=pl.format("{}: nothing that counts; {}", "names", _say_measured()),
        source=pl.lit("ours"),
    ).select(_COLUMNS)


def _name_rules(target: Target) -> str:
    return ", ".join(rule.rule_id for rule in target.rules)


def _say_measured() -> pl.Expr:
    mutation = (
        pl.when("mutation").then(pl.lit("mutations looked for")).otherwise(pl.lit("mutations not measured"))
    )
    copies = (
        pl.when(pl.col("copies").is_not_null())
        .then(pl.format("copy number {}", "copies"))
        .when("copy_number")
        .then(pl.lit("copy number not changed"))
        .otherwise(pl.lit("copy number not measured"))
    )
    promoter = (
        pl.when("promoter").then(pl.lit("promoter looked at")).otherwise(pl.lit("promoter not measured"))
    )
    return (
        pl.when(pl.col("needs") == "promoter").then(promoter).otherwise(pl.format("{}, {}", mutation, copies))
    )


def _call_loci(
    alterations: pl.DataFrame, changes: Mapping[tuple[str, str | None], Change], samples: pl.DataFrame
) -> pl.DataFrame:
    """Call the loci: at least two member genes amplified; one alone is uncertain."""
    targets = [target for target in read_targets() if "locus" in target.counts]
    members = sorted({gene for target in targets for gene in target.rules[0].members})
    measured = find_measured(samples, alterations, members).filter("copy_number").select("sample_id", "gene")
    rows = alterations.filter((pl.col("effect") == "copy_number") & pl.col("gene").is_in(members))
    copies = pl.Series(
        [changes[pair].copies for pair in rows.select("change", "kind").iter_rows()], dtype=pl.Float64
    )
    rows = rows.with_columns(amplified=copies >= 2).select("sample_id", "gene", "amplified")
    genes = measured.join(rows, on=["sample_id", "gene"], how="left").with_columns(
        pl.col("amplified").fill_null(value=False)
    )
    parts = [_call_locus(genes, target, samples) for target in targets]
    return pl.concat(parts)


def _call_locus(genes: pl.DataFrame, target: Target, samples: pl.DataFrame) -> pl.DataFrame:
    rule = target.rules[0]
    counts = (
        genes.filter(pl.col("gene").is_in(rule.members))
        .group_by("sample_id")
        .agg(
            looked_at=pl.col("gene").n_unique(),
            n=pl.col("gene").filter("amplified").n_unique(),
            names=pl.col("gene").filter("amplified").unique().sort().str.join(" "),
        )
    )
    frame = samples.select("sample_id").join(counts, on="sample_id", how="left")
    frame = frame.with_columns(pl.col("looked_at", "n").fill_null(0))
    some = pl.col("n") >= 1
    call = (
        pl.when(pl.col("n") >= 2)
        .then(pl.lit("altered"))
        .when(some)
        .then(pl.lit("uncertain"))
        .when(pl.col("looked_at") >= 2)
        .then(pl.lit("not_altered"))
        .otherwise(pl.lit("not_measured"))
    )
    words = f"{rule.rule_id}: {{}} of {{}} measured genes amplified ({' '.join(rule.members)}), 2 count"
    return frame.with_columns(
        mechanism_id=pl.lit(target.mechanism_id),
        gene=pl.lit(target.gene),
        change=pl.when(some).then(pl.format("{} amplified", "names")).otherwise(pl.lit("")),
        call=call,
        rule=pl.format(words, "n", "looked_at"),
        source=pl.lit(rule.source),
    ).select(_COLUMNS)
