"""The words of SDTM."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hccresist.study import codes
from hccresist.study import sdtm_map as words


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("RECIST 1.1", "recist11"),
        ("recist 1.1", "recist11"),
        ("RECIST V1.1", "recist11"),
        ("RECIST VERSION 1.1", "recist11"),
        ("RECIST", "recist"),
        ("RECIST 1.0", "recist_1_0"),
        ("iRECIST", "irecist"),
        ("IRECIST 1.1", "irecist"),
        ("mRECIST", "mrecist"),
        ("MODIFIED RECIST FOR HCC", "mrecist"),
        ("irRECIST", "irrecist"),
        ("imRECIST", "imrecist"),
        ("RECIST 1.1 - CA125", "recist_1_1_ca125"),
    ],
)
def test_criteria_are_known_by_their_names_only(category, name):
    assert words.criterion_of(category) == name


@pytest.mark.parametrize(
    ("site", "organ"),
    [
        ("LIVER", "liver"),
        ("Liver, right lobe", "liver"),
        ("LYMPH NODE, PORTA HEPATIS", "porta_hepatis_node"),
        ("HEPATIC HILAR LYMPH NODE", "porta_hepatis_node"),
        ("LYMPH NODE", "lymph_node"),
        ("MEDIASTINAL LYMPH NODE", "lymph_node"),
        ("RETROPERITONEAL LYMPH NODES", "lymph_node"),
        ("PORTAL VEIN", "portal_vein"),
        ("HEPATIC VEIN", "hepatic_vein"),
        ("BILE DUCT", "bile_duct"),
        ("LUNG", "lung"),
        ("PLEURAL EFFUSION", "pleural_effusion"),
        ("PLEURA", "pleura"),
        ("CHEST WALL", "chest_wall"),
        ("CHEST", "other"),
        ("ASCITES", "ascites"),
        ("PERITONEUM", "peritoneum"),
        ("RETROPERITONEUM", "retroperitoneum"),
        ("ADRENAL GLAND", "adrenal"),
        ("KIDNEY", "kidney"),
        ("BLADDER", "bladder"),
        ("GALLBLADDER", "other"),
        ("GALL BLADDER", "other"),
        ("VERTEBRA", "bone"),
        ("CEREBELLUM", "brain"),
        ("COLON", "bowel"),
        ("ESOPHAGUS", "other"),
    ],
)
def test_sites_become_organs(site, organ):
    assert words.organ_of(site) == organ


def test_every_translation_is_a_code_of_ours():
    assert set(words.STATE.values()) <= set(codes.STATE)
    assert set(words.MODALITY.values()) <= set(codes.MODALITY)
    assert set(words.ROLE.values()) - {"new"} <= set(codes.ROLE)
    assert set(words.RESPONSE.values()) == set(codes.RESPONSE)
    assert set(words.END_REASON.values()) <= set(codes.END_REASON)
    assert set(words.SEX.values()) <= set(codes.SEX)
    assert {words.organ_of(pattern) for pattern in ("LIVER", "nowhere")} <= set(codes.ORGAN)


@pytest.mark.parametrize("word", ["NON-CR/NON-PD", "Non-CR / Non-PD", "non cr/non pd"])
def test_words_are_matched_whatever_their_case_and_punctuation(word):
    frame = pl.DataFrame({"word": [word, "sCR", None]})
    found = frame.select(words.translate(pl.col("word"), words.RESPONSE))["word"].to_list()
    assert found == ["NON-CR/NON-PD", None, None]


def test_the_reference_page_lists_the_accepted_names(repository: Path):
    page = (repository / "docs" / "reference" / "sdtm.md").read_text(encoding="utf-8")
    block = page.partition("<!-- viable names -->")[2].partition("<!-- end of viable names -->")[0]
    cells = [line.split("|")[2].strip() for line in block.splitlines() if line.startswith("|")][2:]
    listed = [tuple(cell.split(", ")) for cell in cells]
    assert listed == [words.VIABLE, words.VIABLE_SHORT, words.ARTERIAL]
