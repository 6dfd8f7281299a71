"""Names in a text: genes, RNAs, cells, targets, abbreviations and substances, on sentences of our own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.explain.genes import read_genes
from hccresist.explain.knowledge import read_base
from hccresist.explain.tagger import tag_text
from hccresist.explain.tagger_explained import find_explanations
from hccresist.explain.tagger_rules import read_full_names, read_words
from hccresist.explain.tagger_spans import find_rnas, find_targets, is_cell
from hccresist.explain.tagger_substances import is_drug_name, mend_spelling

BASE = read_base()


def read_genes_of(text: str) -> tuple[str, ...]:
    return tag_text(text, BASE).genes


def read_drugs_of(text: str) -> tuple[str, ...]:
    return tag_text(text, BASE).drugs


@pytest.mark.parametrize(
    ("text", "genes"),
    [
        ("FLT-3 and Mcl-1 were lost", ("FLT3", "MCL1")),
        ("pSTAT3 and siMETTL3 were seen", ("STAT3", "METTL3")),
        ("c-myc and c-kit in small letters", ("MYC", "KIT")),
        ("MYC and EGF rose", ("MYC", "EGF")),
        ("caspase-3 and -9 were cleaved", ("CASP3", "CASP9")),
        ("caspase-3/7 was active", ("CASP3", "CASP7")),
        ("MMP-2, -7 and -9.", ("MMP2", "MMP7", "MMP9")),
        ("cleaved poly(ADP-ribose) polymerase", ("PARP1",)),
        ("matrix metalloproteinase 14 and C-X-C motif chemokine ligand 9", ("MMP14", "CXCL9")),
        ("solute carrier family 7 member 11", ("SLC7A11",)),
        ("abnormal prothrombin and hs-CRP", ("F2", "CRP")),
        ("albumin fell in six patients", ("ALB",)),
        ("PERK but also p-ERK", ("EIF2AK3",)),
        ("ribosomal protein S6 kinase and ribosomal protein S6", ("RPS6",)),
        ("AXL, and RET", ("AXL", "RET")),
        ("p-Rb and pRb", ("RB1",)),
    ],
)
def test_ways_in_which_genes_are_written(text: str, genes: tuple[str, ...]) -> None:
    assert read_genes_of(text) == genes


@pytest.mark.parametrize(
    "text",
    [
        "JNK, p38 MAPK, TGF-β and transforming growth factor beta",
        "PI3K and MEK/ERK signalling, Erk1/2 and COX inhibitors",
        "the CD11b antibody and anti-CD3/CD28 beads",
        "lnc-RNA and GFP-LC3 dots",
        "FLT-9 is no gene that we know",
        "albumin-bilirubin grade and albumin–bilirubin (ALBI) score",
        "proteins and cathepsins",
        "p-ERK and pERK",
        "CB fell",
        "bid and bad news",
        "AAV8 vectors were given to NK1.1 depleted mice",
        "C/EBP family",
    ],
)
def test_families_and_others_are_no_genes(text: str) -> None:
    assert read_genes_of(text) == ()


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("CD133+ cells", True),
        ("CD133-positive HCC cells", True),
        ("CD44 high population", True),
        ("CD8+ T cells", True),
        ("EpCAM⁺ tumour cells", True),
        ("CD133 expression", False),
        ("CD44 was high in tumours", False),
        ("EpCAM", False),
    ],
)
def test_a_marker_names_cells_only_where_cells_follow(text: str, cell: bool) -> None:
    assert is_cell(text, 0) is cell
    assert (read_genes_of(text) == ()) is cell


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("PD-1 inhibitors", "anti-PD-1 (class)"),
        ("programmed death-1 (PD-1) inhibitors", "anti-PD-1 (class)"),
        ("programmed cell death protein 1 checkpoint blockade", "anti-PD-1 (class)"),
        ("anti-PD-L1", "anti-PD-L1 (class)"),
        (
            "programmed death-1 (PD-1) and programmed death ligand 1 (PD-L1) inhibitors",
            "anti-PD-1/PD-L1 (class)",
        ),
        ("cytotoxic T-lymphocyte-associated protein 4 antibodies", "anti-CTLA-4 (class)"),
        ("anti-vascular endothelial growth factor (VEGF) antibody", "anti-angiogenic (class)"),
        ("VEGF/PDGF kinase inhibitors", "anti-angiogenic (class)"),
    ],
)
def test_a_target_in_the_name_of_a_treatment_is_a_class_and_no_gene(text: str, label: str) -> None:
    assert [span.name for span in find_targets(text)] == [label]
    assert read_genes_of(text) == ()
    assert read_drugs_of(text) == (label,)


def test_a_target_beside_other_words_is_a_gene() -> None:
    assert find_targets("PD-L1 expression and VEGF levels") == []
    assert read_genes_of("PD-L1 expression and VEGF levels") == ("CD274", "VEGFA")


def test_what_a_drug_does_to_a_receptor_is_no_treatment() -> None:
    assert find_targets("it worked by VEGFR2 inhibition") == []
    assert read_genes_of("it worked by VEGFR2 inhibition") == ("KDR",)
    assert [span.name for span in find_targets("PD-1 inhibition")] == ["anti-PD-1 (class)"]


def test_trail_is_the_protein_where_it_is_measured_and_else_the_drug() -> None:
    assert read_drugs_of("cells were given TRAIL") == ("TRAIL",)
    assert read_genes_of("cells were given TRAIL") == ()
    assert read_genes_of("TRAIL mRNA rose") == ("TNFSF10",)
    assert read_drugs_of("TRAIL mRNA rose") == ()
    assert read_drugs_of("up-regulation of TRAIL receptors by TRAIL") == ("TRAIL",)


def test_an_antibody_is_a_drug_only_against_a_target_of_treatments() -> None:
    assert read_drugs_of("anti-CSF1R was given") == ("anti-CSF1R",)
    assert read_drugs_of("an anti-CSF1R antibody was given") == ("anti-CSF1R",)
    assert read_drugs_of("an anti-TMEM192 antibody") == ()
    assert read_drugs_of("tumours were stained with anti-CD40") == ()
    assert read_genes_of("an anti-TMEM192 antibody") == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("miR-221/222 and miR-15b-5p", ["miR-221", "miR-222", "miR-15b-5p"]),
        ("miR-223-3p fell; loss of miR-223 was early", ["miR-223-3p", "miR-223-3p"]),
        ("miR-140-3p, miR-140-5p and miR-140", ["miR-140-3p", "miR-140-5p", "miR-140"]),
        ("lncRNA TUC999 and lncXYZ", ["TUC999", "lncXYZ"]),
        ("ENST00000000001 and TCONS_00012345", ["ENST00000000001", "TCONS_00012345"]),
        ("AC000001.3 and RP11-1A2.3", ["AC000001.3", "RP11-1A2.3"]),
        ("lncRNA profiling and lncRNA HCC", []),
        ("22 nt long", []),
    ],
)
def test_rnas_are_read_by_their_form(text: str, names: list[str]) -> None:
    assert [span.name for span in find_rnas(text)] == names


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        ("inverse probability weighting (IPW)", {"IPW": "inverse probability weighting"}),
        ("oxaliplatin (OXA)", {"OXA": "oxaliplatin"}),
        ("seen in Huh7 cells (OS)", {}),
        ("overall survival [OS]", {"OS": "overall survival"}),
        ("(PFS) at the beginning", {}),
    ],
)
def test_abbreviations_are_explained_by_the_words_before_them(text: str, explained: dict[str, str]) -> None:
    assert find_explanations(text) == explained


def test_an_abbreviation_means_what_the_text_says() -> None:
    assert read_genes_of("inverse probability weighting (IPW); after IPW") == ()
    assert read_genes_of("fatty acid synthase (FAS); FAS rose") == ("FASN",)
    assert read_drugs_of("decision curve analysis (DCA); DCA was done") == ()
    assert read_drugs_of("dichloroacetate (DCA); DCA was given") == ("dichloroacetate",)
    assert read_genes_of("forkhead box M1 (FOXM1) rose") == ("FOXM1",)


@pytest.mark.parametrize(
    ("text", "drugs"),
    [
        ("sodium zzzcantharidate was given", ("sodium zzzcantharidate",)),
        ("the effects of novelicin on cells", ("novelicin",)),
        ("novelolide-treated cells", ("novelolide",)),
        ("cells were treated with 5 µM of newenolide", ("newenolide",)),
        ("Nowoside, a natural saponin, killed cells", ("nowoside",)),
        ("Farmolin, an active compound isolated from a coral", ("farmolin",)),
        ("sorefenib and lenvatnib", ("sorafenib", "lenvatinib")),
        ("HAIC of FOLFOX", ("HAIC", "FOLFOX")),
        ("GNE-7883 treatment", ("GNE-7883",)),
        ("the HDAC inhibitor XYZ0E028", ("XYZ0E028",)),
        ("quinidine (an OCT1 inhibitor)", ("quinidine",)),
    ],
)
def test_substances_in_no_list(text: str, drugs: tuple[str, ...]) -> None:
    assert read_drugs_of(text) == drugs


@pytest.mark.parametrize(
    "text",
    [
        "the effects of albumin on cells",
        "cells treated with protein, a hormone and medicine",
        "sodium chloride and calcium phosphate",
        "the nucleoside uridine was measured",
        "anthracycline resistance",
        "a thermostat on a baseline of guidelines",
        "dopamine-induced growth and cholesterol-mediated signals",
        "A549 cells were treated",
        "LEAP-002 treatment arm",
        "vaccine, a novel drug",
        "STAT3 (Y705) in treated cells with V600E",
        "cytochrome P450 inhibitor and G418 treatment",
        "lactate, a key metabolite, and glutamine, an active compound",
        "zinc oxide and sodium iodide symporter",
    ],
)
def test_words_that_are_no_drugs(text: str) -> None:
    assert read_drugs_of(text) == ()


@pytest.mark.parametrize(
    "word", ["remdesivir", "dapagliflozin", "epacadostat", "daridorexanib", "venetoclax"]
)
def test_international_names(word: str) -> None:
    assert is_drug_name(word)


def test_a_name_one_letter_away_is_mended_only_where_one_name_is_near() -> None:
    assert mend_spelling("sorafinib", frozenset({"sorafenib"})) == "sorafenib"
    assert mend_spelling("soraefnib", frozenset({"sorafenib"})) == "sorafenib"
    assert mend_spelling("sorafenib", frozenset({"sorafenib"})) == ""
    assert mend_spelling("abcdefgx", frozenset({"abcdefgy", "abcdefgz"})) == ""
    assert mend_spelling("short", frozenset({"shorts"})) == ""


@settings(max_examples=150, deadline=None)
@given(st.text("abcdefgh", min_size=8, max_size=12), st.integers(0, 7))
def test_a_name_without_one_letter_is_mended(word: str, place: int) -> None:
    short = word[:place] + word[place + 1 :]
    if len(short) >= 8:
        assert mend_spelling(short, frozenset({word})) == word


def test_full_names_lead_to_symbols_that_exist() -> None:
    names = read_full_names()
    assert set(names.values()) <= read_genes().symbols()
    assert len(names) > 20_000
    assert names["catenindelta1"] == "CTNND1"


def test_our_targets_are_symbols() -> None:
    targets = {row["term"] for row in read_words("tagger_words.csv") if row["kind"] == "target"}
    assert targets
    assert targets <= read_genes().symbols()
