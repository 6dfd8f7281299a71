"""Names that people write lead to what the base calls it; what is not clear is said."""

from __future__ import annotations

import pytest

from hccresist.explain.knowledge import read_base
from hccresist.explain.names import UnknownNameError, fold_name, read_microrna

NAMES = read_base().names


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Nexavar", "sorafenib"),  # named in issue 4
        ("5-FU", "5-fluorouracil"),  # named in issue 4
        ("BAY 43-9006", "sorafenib"),
        ("bay43-9006", "sorafenib"),
        ("Lenvima", "lenvatinib"),
        ("Stivarga", "regorafenib"),
        ("Cabometyx", "cabozantinib"),
        ("Opdivo", "nivolumab"),
        ("Keytruda", "pembrolizumab"),
        ("Tecentriq", "atezolizumab"),
        ("Avastin", "bevacizumab"),
        ("rivoceranib", "apatinib"),  # drugs.csv: "same substance as apatinib"
        ("anti-PD-1", "anti-PD-1 (class)"),
        ("ICI (class)", "ICI (class)"),
        ("ICI", "ICI (class)"),
        ("checkpoint inhibitors", "ICI (class)"),
        ("SAHA", "vorinostat"),  # drugs.csv: "also called SAHA"
        ("plerixafor", "AMD3100"),  # drugs.csv: "also called plerixafor"
    ],
)
def test_a_drug_is_known_by_its_other_names(given: str, name: str) -> None:
    assert NAMES.resolve("drug", given).names == (name,)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("PD-L1", "CD274"),  # named in issue 4
        ("P-gp", "ABCB1"),
        ("β-catenin", "CTNNB1"),
        ("beta-catenin", "CTNNB1"),
        ("HIF-2α", "EPAS1"),
        ("HIF-2alpha", "EPAS1"),
        ("OCT1", "SLC22A1"),
        ("NLR", "neutrophil-to-lymphocyte ratio"),
        ("autophagy", "autophagy"),
        ("CTGF", "CCN2"),  # HGNC: previous symbol of CCN2
    ],
)
def test_a_gene_or_entity_is_known_by_its_other_names(given: str, name: str) -> None:
    known = ["CD274", "EPAS1", "autophagy", "neutrophil-to-lymphocyte ratio"]
    assert NAMES.resolve_gene(given, known).names == (name,)


@pytest.mark.parametrize(
    ("given", "stem", "arm"),
    [
        ("MIR122", "miR-122", ""),
        ("miR-122-5p", "miR-122", "5p"),
        ("hsa-miR-122-5p", "miR-122", "5p"),
        ("MIR26A1", "miR-26a", ""),
        ("miR-26a", "miR-26a", ""),
        ("MIR101-1", "miR-101", ""),
        ("MIR128-3p", "miR-128", "3p"),
        ("let-7a-5p", "let-7a", "5p"),
        ("microRNA-21", "miR-21", ""),
    ],
)
def test_a_microrna_is_read_by_number_letter_and_arm(given: str, stem: str, arm: str) -> None:
    found = read_microrna(given)
    assert found is not None
    assert (found.stem, found.arm) == (stem, arm)


@pytest.mark.parametrize("name", ["MIRLET", "EGFR", "circRNA-SORE", "miR", "MIRO1", "let it be"])
def test_what_is_no_microrna_is_not_read_as_one(name: str) -> None:
    assert read_microrna(name) is None


def test_the_arms_of_a_microrna_are_two_molecules_and_an_unstated_arm_may_be_either() -> None:
    known = ["miR-210-5p", "miR-122"]
    assert NAMES.resolve_gene("miR-122-5p", known).names == ("miR-122",)
    assert NAMES.resolve_gene("miR-210", known).names == ("miR-210-5p",)
    other = NAMES.resolve_gene("miR-210-3p", known)
    assert other.names == ("miR-210-3p",)
    assert other.how == "microRNA, not in the base"


def test_names_are_compared_without_case_hyphens_and_greek_letters() -> None:
    assert len({fold_name(name) for name in ("HIF-2α", "hif 2 alpha", "HIF2ALPHA", "Hif-2Α")}) == 1
    assert fold_name("PD-(L)1") != fold_name("PD-L1")


@pytest.mark.parametrize(
    ("kind", "given", "nearest"),
    [
        ("drug", "sorafenip", "sorafenib"),
        ("drug", "Nexawar", "Nexavar"),
        ("mechanism", "feroptosis", "Ferroptosis"),
        ("effect", "resistence", "resistance"),
        ("level", "clinical_tral", "clinical_trial"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(kind: str, given: str, nearest: str) -> None:
    with pytest.raises(UnknownNameError, match=f"{kind} '{given}' is not known. Did you mean .*{nearest}"):
        NAMES.resolve(kind, given)


def test_an_unknown_gene_suggests_the_nearest_of_the_base() -> None:
    with pytest.raises(UnknownNameError, match="METTL3"):
        NAMES.resolve_gene("METLL3", ["METTL3", "EGFR"])


def test_a_gene_with_several_meanings_is_not_guessed() -> None:
    # HGNC: MLL2 is a former name of two genes.
    with pytest.raises(UnknownNameError, match="several genes"):
        NAMES.resolve_gene("MLL2", [])


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("ferroptosis", {"FER-SLC", "FER-NRF2", "FER-IRON", "FER-LIP", "FER-FSP1"}),
        ("FER", {"FER-SLC", "FER-NRF2", "FER-IRON", "FER-LIP", "FER-FSP1"}),
        ("autophagy", {"AUT-PRO", "AUT-DEATH", "AUT-MITO"}),
        ("ABC transporters", {"ABC-B1", "ABC-C", "ABC-G2", "ABC-UPT"}),
        ("EMT", {"CSC-EMT"}),
        ("m6A", {"EPI-RNA"}),
        ("AUT-MITO", {"AUT-MITO"}),
        ("aetiology", {"IMM-ETIO"}),
    ],
)
def test_a_mechanism_or_family_is_known_by_key_name_and_synonym(given: str, ids: set[str]) -> None:
    assert set(NAMES.resolve("mechanism", given).names) == ids


def test_a_level_of_civic_means_the_levels_it_was_derived_from() -> None:
    # CIViC: B is "clinical trial or other primary patient data", D "in vivo or in vitro models".
    assert set(NAMES.resolve("level", "B").names) == {"clinical_trial", "patient_cohort"}
    assert set(NAMES.resolve("level", "d").names) == {"in_vivo", "in_vitro"}


def test_a_cell_of_drugs_is_split_and_named() -> None:
    assert NAMES.split_drugs("camrelizumab + rivoceranib") == ("camrelizumab", "apatinib")
    assert NAMES.split_drugs("targeted therapy + ICI (class)") == ("targeted therapy (class)", "ICI (class)")
    assert NAMES.split_drugs("none (prognosis)") == ()
    assert NAMES.split_drugs("a drug of tomorrow") == ("a drug of tomorrow",)


def test_classes_hold_the_classes_of_their_classes() -> None:
    assert {"anti-PD-1 (class)", "anti-PD-1/PD-L1 (class)", "ICI (class)"} <= NAMES.classes["nivolumab"]
    assert "anti-PD-L1 (class)" not in NAMES.classes["nivolumab"]
    assert "ICI (class)" not in NAMES.classes["sorafenib"]
    assert NAMES.classes["rivoceranib"] == NAMES.classes["apatinib"]


@pytest.mark.parametrize(
    ("name", "kind", "label", "subject", "members"),
    [
        ("NT5E (CD73)", "gene", "NT5E", "NT5E", ()),
        ("CDKN1A (p21)", "gene", "CDKN1A", "CDKN1A", ()),
        ("KRAS (wild type)", "gene", "KRAS (wild type)", "KRAS", ()),
        ("EGFR (I645L)", "variant", "EGFR (I645L)", "EGFR", ("I645L",)),
        ("MIR21 (serum)", "miRNA", "miR-21 (blood)", "miR-21 (blood)", ("miR-21",)),
        (
            "MIR21; MIR29A-3p (set)",
            "miRNA",
            "MIR21; MIR29A-3p (set)",
            "MIR21; MIR29A-3p (set)",
            ("miR-21", "miR-29a-3p"),
        ),
        ("PD-1", "gene", "PDCD1", "PDCD1", ()),
        ("SPP1 (fibroblast-derived)", "gene", "SPP1 (fibroblast-derived)", "SPP1", ()),
        ("IL6 (serum)", "circulating_marker", "IL6 (blood)", "IL6 (blood)", ("IL6",)),
        ("IL6 (plasma)", "circulating_marker", "IL6 (blood)", "IL6 (blood)", ("IL6",)),
        ("CDK4; CDK6", "gene", "CDK4; CDK6", "CDK4; CDK6", ("CDK4", "CDK6")),
        ("PD-L1+ neutrophil", "cell_type", "PD-L1+ neutrophil", "PD-L1+ neutrophil", ("CD274",)),
        ("autophagy under sorafenib + metformin", "process", "autophagy", "autophagy", ()),
        ("NASH aetiology", "clinical_phenotype", "NASH aetiology", "non-viral aetiology", ()),
        ("MIR26A1", "miRNA", "miR-26a", "miR-26a", ()),
    ],
)
def test_an_entity_is_read_as_label_subject_and_members(
    name: str, kind: str, label: str, subject: str, members: tuple[str, ...]
) -> None:
    found = NAMES.read_entity(name, kind)
    assert (found.label, found.subject, found.members, found.flipped) == (label, subject, members, False)


def test_the_opposite_of_an_entity_is_flipped() -> None:
    found = NAMES.read_entity("HCV aetiology", "clinical_phenotype")
    assert (found.subject, found.flipped) == ("non-viral aetiology", True)
