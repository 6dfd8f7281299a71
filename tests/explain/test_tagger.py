"""The tagger: known answers from sentences of our own, traps, properties, speed, and the published table."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hccresist.explain.genes import read_genes
from hccresist.explain.knowledge import read_base
from hccresist.explain.names import fold_name
from hccresist.explain.query import query_evidence
from hccresist.explain.tagger import COUNTED, Tags, tag_text
from hccresist.explain.tagger_rules import read_words

BASE = read_base()
ABSTRACT = (
    "METTL3 drives sorafenib resistance through FOXO3. BACKGROUND: Many patients with hepatocellular "
    "carcinoma (HCC) do not benefit from sorafenib. METHODS: HepG2 and Huh7 cells were treated; overall "
    "survival (OS) was compared by hazard ratio (HR). RESULTS: Loss of METTL3 lowered m6A on FOXO3 mRNA and "
    "raised autophagy, with more LC3-II and Beclin-1; chloroquine restored the response. miR-122-5p was "
    "unchanged. CONCLUSIONS: m6A-controlled autophagy brings resistance to sorafenib and is reversed by "
    "chloroquine. "
) * 2


def tag(text: str) -> Tags:
    return tag_text(text, BASE)


@pytest.mark.parametrize(
    ("text", "genes"),
    [
        ("PD-L1 and P-gp rose", ("CD274", "ABCB1")),
        ("HIF-1α but not HIF-2α was stabilised", ("HIF1A", "EPAS1")),
        ("c-Met and VEGFR2 were active", ("MET", "KDR")),
        ("nuclear β-catenin", ("CTNNB1",)),
        ("Wnt/β-catenin signalling", ("CTNNB1",)),
        ("p-AKT, Akt and Stat3", ("AKT1", "STAT3")),
        ("Mettl3 knockout mice", ("METTL3",)),
        ("hsa-miR-122, microRNA-21 and let-7a-5p", ("miR-122", "miR-21", "let-7a-5p")),
        ("circMET and hsa_circ_0001944 in exosomes", ("circMET", "circ_0001944")),
        ("LINC00173 and FOXD2-AS1", ("LINC00173", "FOXD2-AS1")),
        ("vascular endothelial growth factor receptor 2", ("KDR",)),
        ("vascular endothelial growth factor receptors", ()),
        ("SLC7A11/GPX4", ("SLC7A11", "GPX4")),
        ("loss of C9orf72", ("C9orf72",)),
    ],
)
def test_genes_are_read_under_any_of_their_names(text: str, genes: tuple[str, ...]) -> None:
    assert tag(text).genes == genes


@pytest.mark.parametrize(
    "text",
    [
        "patients met the criteria and the rest was set aside",
        "AIM: the IMPACT of age WAS tested",
        "CAT scan at REST",
        "the hazard ratio (HR) for overall survival (OS) and PFS, with 95% CI and OR",
        "the endoplasmic reticulum (ER) and the objective response rate (ORR)",
        "CD8+ T cells, CD4+ T cells and CD68+ macrophages",
        "HepG2, Hep3B, Huh7, PLC/PRF/5, MHCC97H and SK-Hep-1 cells",
        "ALT, AST, ECOG, BCLC and TNM in all HCC",
        "a snail and a slug on a twist of wire",
        "tumour-treating serum level (TSL) of all patients",
        "qRT-PCR and the Western blot with anti-METTL3 for staining",
        "TACE, HAIC and RFA",
    ],
)
def test_words_and_abbreviations_that_are_no_genes(text: str) -> None:
    assert tag(text).genes == ()


def test_a_word_that_is_a_symbol_too_counts_beside_a_word_for_genes() -> None:
    assert tag("CAT expression fell").genes == ("CAT",)
    assert tag("the CAT purred").genes == ()


def test_an_abbreviation_explained_as_something_else_is_no_gene_in_that_text() -> None:
    assert tag("HHIP rose").genes == ("HHIP",)
    assert tag("high hepatic infusion patients (HHIP) were few; HHIP did well").genes == ()
    assert tag("hedgehog interacting protein (HHIP); HHIP rose").genes == ("HHIP",)


@pytest.mark.parametrize(
    ("text", "drugs"),
    [
        ("Nexavar and Lenvima", ("sorafenib", "lenvatinib")),
        ("5-FU or CDDP in HepG2/ADM cells", ("5-fluorouracil", "cisplatin", "doxorubicin")),
        ("anti-PD-(L)1 therapy", ("anti-PD-1/PD-L1 (class)",)),
        ("PD-1/PD-L1 inhibitors", ("anti-PD-1/PD-L1 (class)",)),
        ("nivolumab, an immune checkpoint inhibitor", ("nivolumab",)),
        ("immune checkpoint inhibitors", ("ICI (class)",)),
        ("transarterial chemoembolization (TACE)", ("TACE",)),
        ("the new inhibitor zanubrutinib", ("zanubrutinib",)),
        ("the FGFR4 inhibitor BLU9931", ("BLU9931",)),
        ("anti-TIGIT given to mice", ("anti-TIGIT",)),
        ("qRT-PCR on the thermostat of trial NCT04642547 after treatment", ()),
        ("on the trail of a therapy", ()),
    ],
)
def test_drugs_are_read_under_trade_names_and_codes(text: str, drugs: tuple[str, ...]) -> None:
    assert tag(text).drugs == drugs


def test_a_checkpoint_in_the_name_of_a_treatment_is_no_gene() -> None:
    assert tag("anti-PD-1 and PD-L1 blockade").genes == ()


@pytest.mark.parametrize(
    ("text", "mechanism"),
    [
        ("Ferroptosis through SLC7A11 and GPX4", "FER-SLC"),
        ("P-glycoprotein pumps doxorubicin out of multidrug-resistant cells", "ABC-B1"),
        ("miR-21 targets PTEN", "NCR-MIR"),
        ("Exosomal miR-32-5p is passed on", "NCR-EXO"),
        ("Tumour-associated macrophages of the M2 type", "TME-TAM"),
        ("CTNNB1 mutations", "GEN-CTNNB1"),
        ("Gut microbiota and antibiotics", "IMM-MIC"),
        ("Pseudoprogression on nivolumab", "RSP-PSP"),
        ("CHOP, PERK and ATF4 in ER stress", "ERS-PERK"),
        ("Radiomics of MRI", "BIO-IMG"),
        (
            "Randomised phase III trial of camrelizumab plus rivoceranib: overall survival of patients",
            "CMB-ICI-TKI",
        ),
        (
            "TACE plus lenvatinib: retrospective cohort of patients, objective response rate, safety",
            "CMB-LRT",
        ),
        ("Patients in a phase 3 trial of durvalumab plus tremelimumab: overall survival", "CMB-ICI-ICI"),
    ],
)
def test_the_best_mechanism(text: str, mechanism: str) -> None:
    tags = tag(text)
    assert tags.mechanisms[0] == mechanism
    assert tags.families[0] == mechanism.partition("-")[0]


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("METTL3 made cells resistant to sorafenib", "resistance"),
        ("Gefitinib overcame the block and resensitised tumours", "reverses_resistance"),
        ("Knockdown sensitized cells to cisplatin", "sensitivity"),
        ("The pair significantly improved overall survival", "improves_outcome"),
        ("The pair did not improve overall survival", "no_effect"),
        ("There was no difference in survival", "no_effect"),
        ("Hyperprogression was seen", "response_pattern"),
        ("A high score had a poor prognosis", "prognosis"),
        ("Twelve mice were weighed", None),
    ],
)
def test_the_effect(text: str, effect: str | None) -> None:
    assert tag(text).effect == effect


def test_a_cue_behind_a_negation_does_not_count() -> None:
    assert tag("Cells were not resistant").effect is None


def test_an_abstract_is_read_whole() -> None:
    tags = tag(ABSTRACT)
    assert {"METTL3", "FOXO3", "MAP1LC3B", "BECN1", "miR-122-5p"} == set(tags.genes)
    assert tags.drugs == ("sorafenib", "chloroquine")
    assert {"AUT", "EPI"} <= set(tags.families[:3])
    assert tags.effect == "resistance"


def test_a_term_counts_at_four_places_at_most_and_double_in_the_title() -> None:
    few, many = (
        sum(m.weight for m in tag("Title here. " + "ferritin. " * n).matches if m.stands_for == "FER-IRON")
        for n in (COUNTED, COUNTED + 5)
    )
    assert few == many
    title = [m.weight for m in tag("Ferritin in HCC. We saw ferritin.").matches if m.stands_for == "FER-IRON"]
    assert title[0] == 2 * title[1]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
@example("")
@example("(" * 50)
@example("hsa-miR-")
@example("anti-")
@example("İß ﬁ Å\u0000\ud7ff")
def test_any_text_is_read_and_its_matches_lie_in_it(text: str) -> None:
    tags = tag(text)
    assert all(text[m.start : m.end] == m.term and m.start < m.end <= len(text) for m in tags.matches)
    assert [m.start for m in tags.matches] == sorted(m.start for m in tags.matches)
    assert tags == tag(text)


PIECES = st.lists(
    st.sampled_from(
        ["PD-L1", "met", "MET", "sorafenib", "miR-21", "(OS)", "anti-", "-", "autophagy", "no", ". "]
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(PIECES)
def test_tags_are_named_by_their_matches_and_each_stands_once(pieces: list[str]) -> None:
    tags = tag(" ".join(pieces))
    for kind, names in (("gene", tags.genes), ("drug", tags.drugs), ("mechanism", tags.mechanisms)):
        assert len(set(names)) == len(names)
        assert {m.stands_for for m in tags.matches if m.kind == kind} == set(names)
    assert set(tags.mechanisms) <= set(BASE.mechanisms["mechanism_id"])


def test_a_tag_is_read_again_under_the_name_it_was_given() -> None:
    for gene in tag(ABSTRACT).genes:
        assert tag(f"expression of {gene}").genes == (gene,)
    for drug in tag(ABSTRACT).drugs:
        assert tag(drug).drugs == (drug,)


def test_an_abstract_takes_less_than_20_ms() -> None:
    tag(ABSTRACT)
    begin = time.process_time()
    for _ in range(20):
        tag(ABSTRACT)
    assert (time.process_time() - begin) / 20 < 0.02


def test_a_huge_text_is_cut_and_not_refused() -> None:
    assert tag("sorafenib " * 25_000).drugs == ("sorafenib",)


def test_our_words_stand_for_things_that_exist() -> None:
    mechanisms = set(BASE.mechanisms["mechanism_id"])
    assert all(row["mechanism_id"] in mechanisms for row in read_words("mechanism_words.csv"))
    assert all(1 <= float(row["weight"]) <= 5 for row in read_words("mechanism_words.csv"))
    symbols = read_genes().symbols()
    genes = [row["stands_for"] for row in read_words("tagger_words.csv") if row["kind"] == "gene"]
    assert set(genes) <= symbols


def test_every_mechanism_of_the_taxonomy_can_be_read() -> None:
    readable = {row["mechanism_id"] for row in read_words("mechanism_words.csv")}
    by_regimen = {"CMB-ICI-VEGF", "CMB-ICI-ICI", "CMB-ICI-TKI", "CMB-TKI-X"}
    assert set(BASE.mechanisms["mechanism_id"]) == readable | by_regimen


def test_a_text_asks_the_base() -> None:
    answer = query_evidence(BASE, text="METTL3 loss makes HCC cells resistant to Nexavar")
    assert answer.query["text"]["genes"] == ["METTL3"]
    assert answer.query["text"]["drugs"] == ["sorafenib"]
    assert "METTL3" in set(answer.findings["entity"])


def test_a_gene_that_the_base_does_not_know_is_no_error() -> None:
    assert query_evidence(BASE, text="circFOO99 and sorafenib").query["text"]["genes"] == ["circFOO99"]


DATA = Path(__file__).parent / "data"
REPOSITORY = Path(__file__).parents[2]
SETS = {"tagger_labels.csv": 107, "tagger_labels_fresh.csv": 98, "tagger_labels_second.csv": 106}


def _labels(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", SETS)
def test_no_labelled_text_is_a_source_of_the_base(name: str) -> None:
    rows = _labels(name)
    assert len({row["id"] for row in rows}) == len(rows) == SETS[name]
    own = {fold_name(str(x)) for key in ("pmid", "pmcid", "doi") for x in BASE.findings[key] if x}
    assert not [row["id"] for row in rows if fold_name(row["id"].removeprefix("PMID")) in own]


def test_no_text_is_in_two_sets() -> None:
    ids = [fold_name(row["id"]) for name in SETS for row in _labels(name)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", SETS)
def test_the_labels_use_names_that_exist(name: str) -> None:
    families = set(BASE.mechanisms["family_id"])
    for row in _labels(name):
        assert set(row["families"].split(";")) <= families
        assert row["families"].count(";") < 3


RUNS = ("first", "first_60", "mended_60", "mended_all", "fresh_98", "second_before", "second_100")


def test_the_table_in_the_docs_is_that_of_the_results() -> None:
    results = json.loads((REPOSITORY / "benchmarks" / "results" / "tagger.json").read_text(encoding="utf-8"))
    page = (REPOSITORY / "docs" / "explanation" / "tagger.md").read_text(encoding="utf-8")
    rows = {
        cells[0].strip(): [cell.strip() for cell in cells[1:]]
        for line in page.splitlines()
        if line.startswith("| ")
        for cells in [line.strip("| ").split("|")]
    }
    expected = {
        "family: main one in the first three": ("families", "main_in_first_three"),
        "drugs: whole set": ("drugs", "exact"),
        "drugs: recall": ("drugs", "recall"),
        "genes: whole set": ("genes", "exact"),
        "genes: recall": ("genes", "recall"),
        "effect": ("effect", "right"),
    }
    for name, (group, key) in expected.items():
        told = [float(cell) for cell in rows[name][: len(RUNS)]]
        wanted = [round(100 * results[run][group][key], 1) for run in RUNS]
        assert told == wanted, name
