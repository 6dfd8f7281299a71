"""What counts as an alteration, what was not measured, and how this agrees with calls made elsewhere."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccresist.errors import InputError
from hccresist.explain.alteration_burden import EXOME_MB, HIGH_TMB, PLAUSIBLE_GENES
from hccresist.explain.alteration_changes import SEVERITY, judge, read_change
from hccresist.explain.alteration_rules import (
    COUNTS,
    DIRECTIONS,
    NEEDS,
    read_kinds,
    read_rules,
    read_targets,
)
from hccresist.explain.alterations import call_alterations
from hccresist.explain.results import AlterationCalls
from hccresist.study.frames import study_from_frames
from hccresist.study.study import Study

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
TCGA = SHARED / "tcga_lihc"
Row = tuple[str, str, str | None]


def make_study(rows: dict[str, list[Row]], **samples: list[str | None]) -> Study:
    """A study of one sample a patient; rows are gene, change and kind by sample."""
    names = sorted({*rows, *(f"S{n}" for n in range(1, 1 + max(map(len, samples.values()), default=0)))})
    patients = [name.replace("S", "P") for name in names]
    flat = [(name, *row) for name, found in rows.items() for row in found]
    return study_from_frames(
        patients=pl.DataFrame({"patient_id": patients}),
        samples=pl.DataFrame({"sample_id": names, "patient_id": patients, **samples}),
        alterations=pl.DataFrame(flat, schema=["sample_id", "gene", "change", "kind"], orient="row"),
    )


def call_of(
    study: Study, gene: str, sample: str = "S1", mechanism: str | None = None
) -> list[tuple[str, str]]:
    """Change and call of a gene in a sample."""
    calls = call_alterations(study).filter(gene=gene, sample_id=sample)
    if mechanism is not None:
        calls = calls.filter(mechanism_id=mechanism)
    return list(calls.select("change", "call").iter_rows())


# The rules as data


def test_rules_are_complete_and_name_mechanisms_of_the_taxonomy() -> None:
    taxonomy = SHARED / "evidence" / "taxonomy.csv"
    if not taxonomy.is_file():
        pytest.skip("the shared taxonomy is not here")
    mechanisms = {row["mechanism_id"] for row in csv.DictReader(taxonomy.read_text("utf-8").splitlines())}
    rules = read_rules()
    assert {rule.mechanism_id for rule in rules} <= mechanisms
    assert len({rule.rule_id for rule in rules}) == len(rules)
    source = re.compile(r"ours|10\.\d{4,}/\S+|PMID:\d+|PMC\d+")
    for rule in rules:
        assert rule.counts in COUNTS, rule.rule_id
        assert rule.needs in NEEDS, rule.rule_id
        assert rule.direction in DIRECTIONS, rule.rule_id
        assert source.fullmatch(rule.source), rule.rule_id
        assert source.fullmatch(rule.drug_source), rule.rule_id
        assert bool(rule.residues) == (rule.counts in ("hotspot", "in_frame", "exon_skipping", "promoter"))
    assert all(len({rule.needs for rule in target.rules}) == 1 for target in read_targets())
    assert set(read_kinds().values()) <= set(SEVERITY)


def test_every_family_of_the_issue_has_a_rule() -> None:
    genes = {rule.gene for rule in read_rules()}
    wanted = "CTNNB1 AXIN1 APC TP53 FGF19 CCND1 11q13 VEGFA MET JAK1 JAK2 B2M HLA-A HLA-B HLA-C KEAP1 NFE2L2"
    wanted += " TSC1 TSC2 PTEN ARID1A ARID2 TERT MDM2 MDM4 TMB MSI"
    assert set(wanted.split()) <= genes


# Reading one change


@pytest.mark.parametrize(
    ("change", "kind", "effect", "first"),
    [
        ("p.S45P", "Missense_Mutation", "missense", 45),
        ("S45P", None, "missense", 45),
        ("p.Ser45Pro", None, "missense", 45),
        ("p.(Arg249Ser)", None, "missense", 249),
        ("ENSP00000269305.4:p.Arg249Ser", None, "missense", 249),
        ("p.Q192*", None, "truncating", 192),
        ("p.Gln192Ter", None, "truncating", 192),
        ("p.P301Qfs*44", None, "truncating", 301),
        ("p.Pro301GlnfsTer44", None, "truncating", 301),
        ("X126_splice", None, "truncating", 126),
        ("p.X126_splice", "Splice_Site", "truncating", 126),
        ("p.M1?", None, "truncating", 1),
        ("p.P191del", None, "in_frame", 191),
        ("p.V157_R158dup", None, "in_frame", 157),
        ("p.W25_I140del", "In_Frame_Del", "in_frame", 25),
        ("p.D868=", None, "silent", 868),
        ("p.A10A", None, "silent", 10),
        ("p.*394Kext*9", None, "other", 394),
        ("whatever", None, "unknown", None),
        ("p.S45P", "missense_variant&splice_region_variant", "missense", 45),
        ("p.R249S", "Silent", "silent", 249),
        ("c.-124C>T", None, "promoter", None),
    ],
)
def test_a_change_is_read_by_its_kind_or_its_text(
    change: str, kind: str | None, effect: str, first: int | None
) -> None:
    read = read_change(change, kind)
    assert (read.effect, read.first, read.copies) == (effect, first, None)


@pytest.mark.parametrize(
    ("change", "kind", "copies"),
    [
        ("2", "copy_number", 2.0),
        ("-2", None, -2.0),
        ("-1.5", "CNA", -1.5),
        ("0", "copy_number", 0.0),
        ("Amplification", None, 2.0),
        ("deep deletion", "copy_number", -2.0),
        ("HOMDEL", None, -2.0),
        ("gain", "copy_number", 1.0),
        ("7", "copy_number", None),
        ("loss", "copy_number", None),
    ],
)
def test_copy_number_is_read_from_gistic_values_and_words(
    change: str, kind: str | None, copies: float | None
) -> None:
    read = read_change(change, kind)
    assert (read.effect, read.copies) == ("copy_number", copies)


@given(
    change=st.text(max_size=40),
    kind=st.none() | st.text(max_size=20) | st.sampled_from(sorted(read_kinds())),
)
def test_whatever_is_recorded_is_read_and_judged_without_failing(change: str, kind: str | None) -> None:
    read = read_change(change, kind)
    assert {judge(read, rule) for rule in read_rules() if rule.counts in COUNTS[:8]} <= {
        "altered",
        "uncertain",
        None,
    }


# What counts


@pytest.mark.parametrize(
    ("gene", "change", "kind", "call"),
    [
        ("CTNNB1", "p.D32G", "Missense_Mutation", "altered"),
        ("CTNNB1", "p.S45P", "Missense_Mutation", "altered"),
        ("CTNNB1", "p.K335I", "Missense_Mutation", "altered"),
        ("CTNNB1", "p.A5_A80del", "In_Frame_Del", "altered"),
        ("CTNNB1", "p.S45del", "In_Frame_Del", "altered"),
        ("CTNNB1", "p.Q600del", "In_Frame_Del", "uncertain"),
        ("CTNNB1", "p.R185G", "Missense_Mutation", "uncertain"),
        ("AXIN1", "p.R395*", "Nonsense_Mutation", "altered"),
        ("AXIN1", "p.R62S", "Missense_Mutation", "uncertain"),
        ("AXIN1", "-2", "copy_number", "altered"),
        ("APC", "p.E1309Dfs*4", "Frame_Shift_Del", "altered"),
        ("TP53", "p.R249S", "Missense_Mutation", "altered"),
        ("TP53", "p.X126_splice", "Splice_Site", "altered"),
        ("TP53", "p.P72R", "Missense_Mutation", "uncertain"),
        ("FGF19", "2", "copy_number", "altered"),
        ("VEGFA", "2", "copy_number", "altered"),
        ("VEGFA", "1", "copy_number", "uncertain"),
        ("MET", "2", "copy_number", "altered"),
        ("MET", "p.X1010_splice", "Splice_Site", "altered"),
        ("MET", "p.D1010N", "Missense_Mutation", "altered"),
        ("MET", "MET exon 14 skipping", None, "altered"),
        ("MET", "p.H1238L", "Missense_Mutation", "uncertain"),
        ("JAK1", "p.K860Nfs*16", "Frame_Shift_Del", "altered"),
        ("JAK2", "p.V617F", "Missense_Mutation", "uncertain"),
        ("B2M", "-2", "copy_number", "altered"),
        ("B2M", "-1.5", "copy_number", "uncertain"),
        ("HLA-A", "p.W157*", "Nonsense_Mutation", "altered"),
        ("KEAP1", "p.G333C", "Missense_Mutation", "uncertain"),
        ("KEAP1", "p.Q86*", "Nonsense_Mutation", "altered"),
        ("NFE2L2", "p.E79K", "Missense_Mutation", "altered"),
        ("NFE2L2", "p.D29H", "Missense_Mutation", "altered"),
        ("NFE2L2", "p.A500V", "Missense_Mutation", "uncertain"),
        ("TSC2", "p.R611W", "Missense_Mutation", "uncertain"),
        ("PTEN", "p.R233*", "Nonsense_Mutation", "altered"),
        ("ARID1A", "p.Q1334del", "In_Frame_Del", "uncertain"),
        ("ARID2", "p.R314*", "Nonsense_Mutation", "altered"),
        ("TERT", "c.-124C>T", None, "altered"),
        ("TERT", "C250T", None, "altered"),
        ("TERT", "chr5:1295113", "5'Flank", "altered"),
        ("TERT", "chr5:1295000", "5'Flank", "uncertain"),
        ("MDM2", "amplification", None, "altered"),
        ("MDM4", "7", "copy_number", "uncertain"),
    ],
)
def test_what_counts_is_called(gene: str, change: str, kind: str | None, call: str) -> None:
    found = call_of(make_study({"S1": [(gene, change, kind)]}), gene)
    assert [verdict for _, verdict in found] == [call]
    assert change in found[0][0]


@pytest.mark.parametrize(
    ("gene", "change", "kind"),
    [
        ("CTNNB1", "p.Q28*", "Nonsense_Mutation"),
        ("CTNNB1", "p.S45S", "Silent"),
        ("CTNNB1", "c.14-3C>T", "Splice_Region"),
        ("NFE2L2", "p.E79*", "Nonsense_Mutation"),
        ("TP53", "chr17:7675000", "Intron"),
        ("PTEN", "-1", "copy_number"),
        ("AXIN1", "p.R10=", None),
        ("MDM2", "1", "copy_number"),
        ("FGF19", "-2", "copy_number"),
    ],
)
def test_what_does_not_count_leaves_an_empty_change(gene: str, change: str, kind: str | None) -> None:
    rows: list[Row] = [(gene, change, kind), ("OTHER", "p.A1V", "Missense_Mutation")]
    assert set(call_of(make_study({"S1": rows}), gene)) == {("", "not_altered")}


@given(
    st.permutations(
        [("CTNNB1", "p.S45P", "Missense_Mutation"), ("TP53", "p.R249S", None), ("PTEN", "-2", None)]
    )
)
def test_the_order_of_rows_changes_nothing(rows: list[Row]) -> None:
    first = call_alterations(make_study({"S1": sorted(rows, key=str), "S2": rows[:1]}))
    again = call_alterations(make_study({"S2": rows[:1], "S1": rows}))
    assert first.filter(sample_id="S1").equals(again.filter(sample_id="S1"))


def test_the_locus_needs_two_amplified_genes() -> None:
    rows: dict[str, list[Row]] = {
        "S1": [("CCND1", "2", "copy_number"), ("FGF19", "2", "copy_number"), ("FGF3", "0", "copy_number")],
        "S2": [("CCND1", "2", "copy_number"), ("FGF19", "1", "copy_number")],
        "S3": [("CCND1", "0", "copy_number"), ("FGF19", "1", "copy_number")],
        "S4": [("CCND1", "0", "copy_number")],
        "S5": [("TP53", "p.R249S", "Missense_Mutation")],
    }
    study = make_study(rows)
    for mechanism in ("GEN-FGF", "RSP-HPD"):
        assert [call_of(study, "11q13", f"S{n}", mechanism) for n in range(1, 6)] == [
            [("CCND1 FGF19 amplified", "altered")],
            [("CCND1 amplified", "uncertain")],
            [("", "not_altered")],
            [("", "not_measured")],
            [("", "not_measured")],
        ]


# What was measured


def test_a_sample_with_mutations_only_has_no_copy_number_calls() -> None:
    study = make_study({"S1": [("CTNNB1", "p.S45P", "Missense_Mutation")]})
    calls = call_alterations(study)
    assert AlterationCalls.is_valid(calls)
    copied = calls.filter(pl.col("gene").is_in(["FGF19", "CCND1", "VEGFA", "MDM2", "MDM4", "MET", "11q13"]))
    assert set(copied["call"]) == {"not_measured"}
    assert call_of(study, "TP53") == [("", "not_altered")]
    assert call_of(study, "TERT") == [("", "not_measured")]
    assert "copy number not measured" in calls.filter(gene="PTEN")["rule"][0]


def test_a_sample_with_copy_number_only_has_no_mutation_calls() -> None:
    study = make_study({"S1": [("PTEN", "0", "copy_number"), ("AXIN1", "-2", "copy_number")]})
    assert call_of(study, "PTEN") == [("", "not_measured")]
    assert call_of(study, "AXIN1") == [("copy number -2", "altered")]
    assert call_of(study, "CTNNB1") == [("", "not_measured")]
    assert call_of(study, "MDM2") == [("", "not_measured")]


def test_a_panel_measures_its_genes_only() -> None:
    rows: dict[str, list[Row]] = {"S1": [("TP53", "p.R249S", "Missense_Mutation")]}
    panel = {"sequenced": ["panel"], "panel_genes": ["TP53; CTNNB1;TERT_promoter"], "copy_number": ["panel"]}
    study = make_study(rows, **panel)
    assert call_of(study, "TP53") == [("p.R249S", "altered")]
    assert call_of(study, "CTNNB1") == [("", "not_altered")]
    assert call_of(study, "AXIN1") == [("", "not_measured")]
    assert call_of(study, "TERT") == [("", "not_altered")]
    assert call_of(study, "TMB") == [("", "not_measured")]


def test_a_sample_without_rows_counts_as_looked_at_where_the_study_says_so() -> None:
    rows: dict[str, list[Row]] = {"S1": [("CTNNB1", "p.S45P", "Missense_Mutation")]}
    said = make_study(rows, sequenced=[None, "exome", "none"], copy_number=[None, "genome", None])
    assert call_of(said, "CTNNB1", "S2") == [("", "not_altered")]
    assert call_of(said, "FGF19", "S2") == [("", "not_altered")]
    assert call_of(said, "CTNNB1", "S3") == []
    silent = make_study(rows, tissue=["tumour", "tumour"])
    assert call_of(silent, "CTNNB1", "S2") == []


def test_a_list_of_genes_alone_says_panel() -> None:
    study = make_study({"S1": [("TP53", "p.R249S", None)]}, panel_genes=["TP53"])
    assert call_of(study, "AXIN1") == [("", "not_measured")]


@pytest.mark.parametrize(
    ("column", "word"), [("sequenced", "deeply"), ("copy_number", "x"), ("sequenced_mb", "big")]
)
def test_what_is_said_of_an_assay_and_not_known_is_refused(column: str, word: str) -> None:
    study = make_study({"S1": [("TP53", "p.R249S", None)]}, **{column: [word]})
    with pytest.raises(InputError, match=word):
        call_alterations(study)


def test_a_whole_genome_covers_the_promoter() -> None:
    study = make_study({"S1": [("TP53", "p.R249S", None)]}, sequenced=["WGS"])
    assert call_of(study, "TERT") == [("", "not_altered")]


# Burden and instability


def many(n: int) -> list[Row]:
    """Missense changes of so many genes, and as many silent ones."""
    genes = [(f"G{k}", "p.A1V", "Missense_Mutation") for k in range(n)]
    return [*genes, *((f"G{k}", "p.A2A", "Silent") for k in range(n))]


def test_burden_is_counted_by_a_stated_or_plausible_size() -> None:
    stated = make_study({"S1": many(30)}, sequenced=["panel"], sequenced_mb=["1.5"])
    assert call_of(stated, "TMB") == [("20.0 mutations/Mb", "altered")]
    exome = make_study({"S1": many(int(EXOME_MB))}, sequenced=["exome"])
    assert call_of(exome, "TMB") == [("1.0 mutations/Mb", "not_altered")]
    unsaid = make_study({"S1": many(PLAUSIBLE_GENES - 1)})
    assert call_of(unsaid, "TMB") == [("", "not_measured")]
    plausible = make_study({"S1": many(PLAUSIBLE_GENES), "S2": many(1)})
    assert call_of(plausible, "TMB")[0][1] == "altered"
    assert call_of(plausible, "TMB", "S2")[0][1] == "not_altered"


def test_a_burden_at_the_threshold_is_high() -> None:
    study = make_study({"S1": many(int(HIGH_TMB))}, sequenced=["panel"], sequenced_mb=["1"])
    assert call_of(study, "TMB")[0][1] == "altered"


def test_a_recorded_burden_serves_where_none_can_be_counted() -> None:
    study = make_study({"S1": many(3)}, TMB_NONSYNONYMOUS=["12.5"])
    assert call_of(study, "TMB") == [("12.5 mutations/Mb", "altered")]


@pytest.mark.parametrize(
    ("column", "value", "call"),
    [
        ("msi_status", "MSI-H", "altered"),
        ("MSI", "MSS", "not_altered"),
        ("msi_type", "Instable", "altered"),
        ("msi", "Indeterminate", "uncertain"),
        ("MSI_SCORE_MANTIS", "0.41", "altered"),
        ("MSI_SCORE_MANTIS", "0.4", "not_altered"),
        ("msi_sensor_score", "10", "altered"),
        ("msi_sensor_score", "3.2", "not_altered"),
        ("msi", None, "not_measured"),
    ],
)
def test_instability_is_as_recorded(column: str, value: str | None, call: str) -> None:
    study = make_study({"S1": many(1)}, **{column: [value]})
    assert [verdict for _, verdict in call_of(study, "MSI")] == [call]


# Samples and patients


def test_without_samples_a_sample_bears_its_patients_name_or_is_refused() -> None:
    patients = pl.DataFrame({"patient_id": ["P1"]})
    row = {"gene": ["TP53"], "change": ["p.R249S"], "kind": [None]}
    same = study_from_frames(patients=patients, alterations=pl.DataFrame({"sample_id": ["P1"], **row}))
    assert set(call_alterations(same)["patient_id"]) == {"P1"}
    other = study_from_frames(patients=patients, alterations=pl.DataFrame({"sample_id": ["P1-01"], **row}))
    with pytest.raises(InputError, match=r"samples\.csv"):
        call_alterations(other)


def test_without_alterations_there_are_no_calls() -> None:
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}),
        sums=pl.DataFrame({"patient_id": ["P1"], "measure": ["longest"], "day": [0], "sum": [30]}),
    )
    calls = call_alterations(study)
    assert calls.is_empty()
    assert AlterationCalls.is_valid(calls)


# TCGA-LIHC


@pytest.fixture(scope="module")
def tcga() -> pl.DataFrame:
    """Calls of the 414 tumours, with the patient."""
    if not TCGA.is_dir():
        pytest.skip("shared/data/tcga_lihc is not here")
    rows = pl.read_parquet(TCGA / "mutations.parquet").rename({"sample": "sample_id", "class": "kind"})
    change = (
        pl.when(pl.col("protein_change") != "")
        .then("protein_change")
        .otherwise(pl.format("{}:{}", "chrom", "pos_hg38"))
    )
    samples = rows.select("sample_id", patient_id="patient").unique()
    study = study_from_frames(
        patients=samples.select("patient_id").unique(),
        samples=samples,
        alterations=rows.select("sample_id", "gene", "kind", change=change).unique(
            ["sample_id", "gene", "change"]
        ),
    )
    return call_alterations(study)


def by_patient(calls: pl.DataFrame, gene: str, *wanted: str) -> pl.DataFrame:
    """Whether a patient has a call of these words in any sample."""
    hit = pl.col("call").is_in(wanted).any().alias("ours")
    return calls.filter(gene=gene).group_by("patient_id").agg(hit)


@pytest.mark.parametrize(("gene", "percent"), [("TP53", 26.0), ("CTNNB1", 22.9)])
def test_tcga_mutated_patients_are_those_of_the_data_sets_readme(
    tcga: pl.DataFrame, gene: str, percent: float
) -> None:
    mutated = by_patient(tcga, gene, "altered", "uncertain")
    assert mutated.height == 411
    assert round(100 * mutated["ours"].mean(), 1) == percent


def agreement(calls: pl.DataFrame, gene: str) -> pl.DataFrame:
    """Our calls beside those of Sanchez-Vega (Cell 2018, 173:321)."""
    theirs = pl.read_parquet(TCGA / "pathway_gene_alterations.parquet").select(
        patient_id=pl.col("SAMPLE_BARCODE").str.slice(0, 12), theirs=pl.col(gene) == 1
    )
    return by_patient(calls, gene, "altered").join(theirs, on="patient_id")


def kappa(table: pl.DataFrame) -> float:
    """Cohen's kappa."""
    ours, theirs = table["ours"].mean(), table["theirs"].mean()
    observed = (table["ours"] == table["theirs"]).mean()
    expected = ours * theirs + (1 - ours) * (1 - theirs)
    return (observed - expected) / (1 - expected)


@pytest.mark.parametrize("gene", ["CTNNB1", "AXIN1", "APC", "TP53"])
def test_tcga_calls_of_mutated_genes_agree_with_sanchez_vega(tcga: pl.DataFrame, gene: str) -> None:
    """Kappa above 0.8 is almost perfect agreement (Landis and Koch 1977)."""
    assert kappa(agreement(tcga, gene)) > 0.8


GENES = ("CTNNB1", "AXIN1", "APC", "TP53", "KEAP1", "NFE2L2", "PTEN", "TSC1", "TSC2")


def test_tcga_differences_from_sanchez_vega_are_copy_number_fusions_and_unclear_missense(
    tcga: pl.DataFrame,
) -> None:
    """They also count deep deletions, amplifications and fusions, which are not in this table.

    So whom they alone call has no truncating mutation here; whom we alone call is hardly anybody.
    """
    maf = pl.read_parquet(TCGA / "mutations.parquet")
    truncating = maf.filter(
        pl.col("class").str.contains("Nonsense|Frame_Shift|Splice_Site|Translation_Start")
    )
    ours_only = 0
    for gene in GENES:
        table = agreement(tcga, gene)
        ours_only += table.filter(pl.col("ours") & ~pl.col("theirs")).height
        missed = table.filter(~pl.col("ours") & pl.col("theirs"))["patient_id"]
        assert not set(missed) & set(truncating.filter(gene=gene)["patient"]), gene
    assert ours_only <= 5


def test_the_page_shows_the_agreement_as_it_is_measured(tcga: pl.DataFrame) -> None:
    page = Path(__file__).parents[2] / "docs" / "explanation" / "alterations.md"
    shown = re.findall(
        r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|$", page.read_text("utf-8"), re.MULTILINE
    )
    assert {row[0] for row in shown} == set(GENES)
    for gene, *numbers in shown:
        table = agreement(tcga, gene)
        ours, theirs = table["ours"], table["theirs"]
        counts = [(ours & theirs).sum(), (ours & ~theirs).sum(), (~ours & theirs).sum()]
        assert [int(number) for number in numbers[:3]] == counts, gene
        assert float(numbers[3]) == round(kappa(table), 2), gene


def test_tcga_exomes_leave_copy_number_promoter_and_instability_unmeasured(tcga: pl.DataFrame) -> None:
    genes = ["FGF19", "CCND1", "11q13", "VEGFA", "MDM2", "MDM4", "TERT", "MSI"]
    assert set(tcga.filter(pl.col("gene").is_in(genes))["call"]) == {"not_measured"}
    burden = tcga.filter(gene="TMB")
    assert burden.height == 414
    assert (burden["call"] == "altered").mean() < 0.05
