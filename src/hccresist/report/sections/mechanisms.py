"""Mechanisms: what could be measured, scores, alterations and classes of the cohort."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.figures.mechanisms import plot_heatmap
from hccresist.report.mechanism_names import (
    LOW_COVERAGE,
    count_samples,
    explain_mark,
    find_accepted,
    name_family,
    name_mechanism,
    sort_mechanisms,
)
from hccresist.report.render import Table, soften, widen
from hccresist.report.sections.resistance import (
    MOST_FOLDED,
    make_figure,
    make_fold,
    make_heading,
    make_notice,
    make_table,
)

TABLES: Final = ("mechanism_scores", "alteration_calls", "classes", "evidence_matches")
"""Tables of which one is enough for the section and for the cards."""

_CALLS: Final = ("altered", "uncertain", "not_altered", "not_measured")
_CHANGES_SHOWN: Final = 3
_HOW: Final = {
    "previous": "former symbol",
    "alias": "alias",
    "ensembl": "Ensembl identifier",
    "entrez": "Entrez number",
    "ambiguous": "ambiguous name",
    "unknown": "unknown name",
    "duplicate": "duplicate",
}
_CLASSIFICATIONS: Final = {
    "hoshida_2009": "Hoshida 2009",
    "boyault_2007_g3": "Boyault 2007, G3",
    "chiang_2008_proliferation": "Chiang 2008, proliferation",
    "lee_2004": "Lee 2004",
    "roessler_2010": "Roessler 2010",
    "woo_2008": "Woo 2008",
}


def build(facts: Facts) -> Markup:
    """Return what was measured, the heatmap, alterations and classes."""
    if all(facts.table(name) is None for name in TABLES):
        return make_notice(explain_nothing(facts), "plain")
    parts = (*_measured(facts), *_scores(facts), *_alterations(facts), *_classes(facts))
    return Markup("").join(parts)


def explain_nothing(facts: Facts) -> str:
    """Return in one sentence why nothing is said of mechanisms."""
    if "explain" not in facts.skipped and not facts.failed and not _has_omics(facts):
        return (
            "The study has no expression and no alterations, so nothing is said of mechanisms of resistance."
        )
    return facts.why_absent("evidence_matches")


def label_classification(name: str) -> str:
    """Return a classification in words; one that is not known keeps its name."""
    return _CLASSIFICATIONS.get(name, name)


def _has_omics(facts: Facts) -> bool:
    return bool({"expression", "alterations"} & set(facts.study.tables))


# What was measured ---------------------------------------------------------------------------------


def _measured(facts: Facts) -> Iterator[Markup]:
    yield make_heading("What was measured", "mechanisms-measured")
    rows = [*_samples(facts), *_genes(facts), *_looked_at(facts)]
    if rows:
        yield make_table(
            Table(caption="Samples and genes", head=("What", "Found"), rows=tuple(rows), text_columns=(0, 1))
        )
    coverage = facts.table("coverage")
    if coverage is None:
        if facts.study.table("expression") is None:
            yield make_notice(
                "The study has no expression: no mechanism is scored, alterations stand alone.", "plain"
            )
    else:
        yield make_table(_families(coverage))
        yield make_fold(
            f"Every gene set with its coverage ({words.plural(coverage.height, 'set')})", _sets(coverage)
        )
    yield make_fold("What expression cannot tell, and what can", _unmeasurable())


def _samples(facts: Facts) -> Iterator[tuple[str, str]]:
    report = facts.table("sample_report")
    if report is None:
        return
    used = report.filter("used")
    said = f"{words.count(used.height)} of {words.plural(report.height, 'sample')}"
    yield "Expression scored", f"{said}, of {words.plural(used['patient_id'].n_unique(), 'patient')}"
    scales = used.group_by("scale", "note").len().sort("len", "scale", descending=[True, False])
    for scale, note, n in scales.iter_rows():
        yield "Scale found", f"{scale}{f': {note}' if note else ''} ({words.plural(n, 'sample')})"
    low, high = used["genes"].min(), used["genes"].max()
    if used.height:
        span = (
            words.count(int(str(low)))
            if low == high
            else f"{words.count(int(str(low)))} to {words.count(int(str(high)))}"
        )
        yield "Genes with a value", f"{span} a sample"
    out = report.filter(~pl.col("used")).group_by("note").len().sort("len", "note", descending=[True, False])
    for note, n in out.iter_rows():
        yield "Left out", f"{words.plural(n, 'sample')}: {note or 'no reason given'}"


def _genes(facts: Facts) -> Iterator[tuple[str, str]]:
    report = facts.table("gene_report")
    if report is None:
        return
    how = pl.col("how").cast(pl.String)
    renamed = report.filter(pl.col("symbol").is_not_null()).group_by(how).len().sort("how")
    lost = report.filter(pl.col("symbol").is_null()).group_by(how).len().sort("how")
    for title, found in (("Genes under another name", renamed), ("Genes lost", lost)):
        said = [f"{_HOW.get(name, name)} {words.count(n)}" for name, n in found.iter_rows()]
        if said:
            yield title, f"{words.count(int(found['len'].sum()))}: {', '.join(said)}"


def _looked_at(facts: Facts) -> Iterator[tuple[str, str]]:
    calls = facts.table("alteration_calls")
    if calls is not None:
        samples = words.plural(calls["sample_id"].n_unique(), "sample")
        yield (
            "Alterations looked at",
            f"{samples}, {words.plural(calls['gene'].n_unique(), 'gene or locus', 'genes and loci')}",
        )


def _families(coverage: pl.DataFrame) -> Table:
    own = coverage.with_columns(family=_map("mechanism_id", name_family))
    rows: list[tuple[str | Markup, ...]] = []
    for family in dict.fromkeys(name_family(m) for m in sort_mechanisms(own["mechanism_id"].to_list())):
        part = own.filter(pl.col("family") == family)
        scored = part.filter("scored")
        accepted = scored.filter(pl.col("reason").is_not_null()).height
        mark = f" ({words.count(accepted)} {LOW_COVERAGE})" if accepted else ""
        why = (
            part.filter(~pl.col("scored")).group_by(_why()).len().sort("len", "why", descending=[True, False])
        )
        rows.append(
            (
                family,
                words.count(part.height),
                words.count(scored.height) + mark,
                words.count(part.height - scored.height),
                widen("; ".join(f"{n} {reason}" for reason, n in why.iter_rows()) or words.EMPTY),
            )
        )
    marked = (
        " " + explain_mark(["coverage below what is usual"]).strip()
        if any(LOW_COVERAGE in r[2] for r in rows)
        else ""
    )
    return Table(
        caption="Gene sets that were scored, by family",
        head=("Family", "Sets", "Scored", "Refused", "Why refused"),
        rows=tuple(rows),
        text_columns=(0, 4),
        note=f"A set is refused where too few of its genes were measured.{marked}",
    )


def _why() -> pl.Expr:
    """Return why a set was refused without its own numbers."""
    short = pl.col("reason").fill_null("no reason given").str.replace(r"^.*?\(\d+%\):? ?", "")
    named = short.str.replace(r"^(fewer than \d+)$", "$1 genes").str.replace(
        r"^below (\d+)%$", "below $1\u00a0%"
    )
    return named.alias("why")


def _sets(coverage: pl.DataFrame) -> Table:
    order = {
        mechanism: at for at, mechanism in enumerate(sort_mechanisms(coverage["mechanism_id"].to_list()))
    }
    rows = sorted(coverage.iter_rows(named=True), key=lambda row: (order[row["mechanism_id"]], row["set"]))
    return Table(
        caption="Gene sets",
        head=("Set", "Mechanism", "Genes measured", "Scored", "Missing, up to twenty"),
        rows=tuple(
            (
                Markup("<code>{}</code>").format(row["set"]),
                name_mechanism(row["mechanism_id"]),
                f"{row['found']} of {row['genes']} ({words.percent(100 * row['coverage'], 0)})",
                "yes"
                if row["scored"] and not row["reason"]
                else f"yes {LOW_COVERAGE}"
                if row["scored"]
                else "no",
                widen(row["missing"].replace(";", " ") or words.EMPTY),
            )
            for row in rows[:MOST_FOLDED]
        ),
        text_columns=(0, 1, 3, 4),
        note=f"{LOW_COVERAGE} low coverage accepted."
        if coverage.filter("scored", pl.col("reason").is_not_null()).height
        else "",
    )


def _unmeasurable() -> Table:
    from hccresist.explain.signatures import read_not_measurable  # noqa: PLC0415

    frame = read_not_measurable()
    told = {row["mechanism_id"]: row for row in frame.iter_rows(named=True)}
    return Table(
        caption="Mechanisms that expression cannot tell",
        head=("Mechanism", "Family", "Why", "Where to look instead"),
        rows=tuple(
            (name_mechanism(m), name_family(m), widen(told[m]["reason"]), told[m]["instead"])
            for m in sort_mechanisms(told)
        ),
        text_columns=(0, 1, 2, 3),
    )


# Scores, alterations, classes ----------------------------------------------------------------------


def _scores(facts: Facts) -> Iterator[Markup]:
    scores = facts.table("mechanism_scores")
    if scores is None:
        return
    yield make_heading("Scores of mechanisms", "mechanisms-scores")
    figure = plot_heatmap(facts)
    if figure is not None:
        yield make_figure(figure)
        return
    many = scores["sample_id"].n_unique() > 1
    why = scores.filter(pl.col("score").is_null())["reason"].drop_nulls().unique().sort()
    yield make_notice(
        "No two tumours could be compared"
        + (f": {why[0]}." if many and len(why) else "; the patient's card has the scores."),
        "plain",
    )
    accepted = find_accepted(scores)
    if accepted:
        yield Markup('<p class="note">{}</p>').format(explain_mark(accepted).strip())


def _alterations(facts: Facts) -> Iterator[Markup]:
    calls = facts.table("alteration_calls")
    if calls is None:
        return
    yield make_heading("Alterations", "mechanisms-alterations")
    yield make_table(_genes_altered(calls))


def _genes_altered(calls: pl.DataFrame) -> Table:
    own = count_samples(calls)
    counts = own.group_by("mechanism_id", "gene").agg(
        *((pl.col("call") == call).sum().alias(call) for call in _CALLS)
    )
    often = counts.sort("altered", "uncertain", "gene", "mechanism_id", descending=[True, True, False, False])
    return Table(
        caption="Genes and loci, by how often they are altered",
        head=(
            "Gene",
            "Mechanism",
            "Altered",
            "Uncertain",
            "Not altered",
            "Not measured",
            "Most frequent changes",
        ),
        rows=tuple(_gene_row(own, row) for row in often.iter_rows(named=True)),
        text_columns=(0, 1, 6),
        note="Samples; percent of all, or the count of those in which it was looked at. Uncertain: a change "
        "whose meaning the rule does not know. Not measured is never taken as not altered.",
    )


def _gene_row(own: pl.DataFrame, row: dict[str, Any]) -> tuple[str | Markup, ...]:
    looked = row["altered"] + row["uncertain"] + row["not_altered"]
    of = (
        words.percent(100 * row["altered"] / looked) if looked and not row["not_measured"] else f"of {looked}"
    )
    share = soften(f"({of})")
    found = own.filter(
        pl.col("gene") == row["gene"],
        pl.col("mechanism_id") == row["mechanism_id"],
        pl.col("call") == "altered",
    )
    often = (
        found.filter(pl.col("change") != "")
        .group_by("change")
        .len()
        .sort("len", "change", descending=[True, False])
    )
    said = [f"{change} ({n})" for change, n in often.head(_CHANGES_SHOWN).iter_rows()]
    more = often.height - len(said)
    return (
        row["gene"],
        name_mechanism(row["mechanism_id"]),
        Markup("{} {}").format(words.count(row["altered"]), share) if looked else words.EMPTY,
        *(words.count(row[call]) if looked or call == "not_measured" else words.EMPTY for call in _CALLS[1:]),
        widen(", ".join(said) + (f" and {more} more" if more else "") or words.EMPTY),
    )


def _classes(facts: Facts) -> Iterator[Markup]:
    frame = facts.table("classes")
    if frame is None:
        return
    yield make_heading("HCC classes", "mechanisms-classes")
    rows: list[tuple[str | Markup, ...]] = []
    for (name,), part in frame.sort("classification").group_by("classification", maintain_order=True):
        counts = part.filter(pl.col("label") != "unclassified").group_by("label").len().sort("label")
        told = [f"{label} {words.count(n)}" for label, n in counts.iter_rows()]
        open_ = part.filter(pl.col("label") == "unclassified")
        rows.append(
            (
                label_classification(str(name)),
                ", ".join(told) or "none",
                words.count(open_.height),
                widen(_why_open(open_)),
                words.percent(100 * float(str(part["coverage"].max())), 0),
            )
        )
    yield make_table(
        Table(
            caption="Classes by nearest template",
            head=("Classification", "Classes", "Unclassified", "Why unclassified", "Template measured"),
            rows=tuple(rows),
            text_columns=(0, 1, 3),
            note="Samples. A sample is unclassified where its distance from the nearest template is no "
            "smaller than chance would give, or where too few genes of a template were measured.",
        )
    )


def _why_open(rows: pl.DataFrame) -> str:
    """Return why samples have no class; reasons that differ in their numbers alone are one."""
    near = pl.col("reason").str.starts_with("nearest is")
    reason = pl.when(near).then(pl.lit("no template is near enough")).otherwise(pl.col("reason"))
    counts = (
        rows.group_by(why=reason.fill_null("no reason given"))
        .len()
        .sort("len", "why", descending=[True, False])
    )
    return "; ".join(f"{why} ({words.count(n)})" for why, n in counts.head(3).iter_rows()) or words.EMPTY


def _map(column: str, name: Any) -> pl.Expr:  # noqa: ANN401
    return pl.col(column).map_elements(name, return_dtype=pl.String)
