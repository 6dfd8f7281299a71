"""The words of SDTM and what they become: tests, states, roles, organs, methods, responses, criteria.

Words are matched in upper case, with hyphens, underscores, slashes and commas read as blanks where
`plain` is used. What is not listed here is told when it is met, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import polars as pl

from hccresist.study import codes


def plain(text: pl.Expr) -> pl.Expr:
    """Return words in upper case with single blanks between them and no punctuation."""
    blank = text.str.to_uppercase().str.replace_all(r"[-_/,;:().]+", " ")
    return blank.str.replace_all(r"\s+", " ").str.strip_chars()


def plain_word(text: str) -> str:
    """Return one text as `plain` does a column.

    Examples
    --------
    >>> plain_word("Non-target")
    'NON TARGET'
    """
    return " ".join(re.sub(r"[-_/,;:().]+", " ", text.upper()).split())


def translate(text: pl.Expr, words: Mapping[str, str]) -> pl.Expr:
    """Return the translation of each word, null where there is none."""
    return plain(text).replace_strict(
        {plain_word(word): value for word, value in words.items()}, default=None, return_dtype=pl.String
    )


# TR

LONGEST: Final = ("LDIAM",)
SHORT: Final = ("LPERP", "SAXIS")
COUNTED: Final = ("DIAMETER",)
"""The diameter that counts: the longest, of a node the short axis."""
VIABLE: Final = (
    "VIABLE",
    "VIABLED",
    "VDIAM",
    "VDIAMETR",
    "VLDIAM",
    "LDIAMV",
    "LVDIAM",
    "VIADIAM",
    "VIABDIAM",
    "ENHDIAM",
    "LDIAMENH",
    "LENHDIAM",
    "TRVIABLE",
    "TRVDIAM",
)
"""Names under which the longest viable (arterially enhancing) diameter is accepted, as TRTESTCD or QNAM."""
VIABLE_SHORT: Final = ("VPERP", "VLPERP", "LPERPV", "LVPERP", "VIABPERP", "LPERPENH", "TRVPERP")
"""The same for the diameter perpendicular to it."""
VIABLE_LABEL: Final = r"(?i)(viable|enhancing).*diameter|diameter.*(viable|enhancing)"
"""A label (TRTEST, QLABEL) by which a viable diameter under any other name is recognised."""
STATES: Final = ("TUMSTATE", "LNSTATE")
SUM: Final = ("SUMDIAM",)
SUMMARIES: Final = ("SUMNLNLD", "SUMLPERP", "SUMNDLN", "ACNSD", "ACBSD", "PCBSD", "PCNSD", "LNSTATE")
"""Derived results of a whole visit; they are counted and not read."""
ARTERIAL: Final = ("ARTPHASE", "ARTPH", "ARTERIAL", "TRARTPH", "TUARTPH", "TRARTPHS", "TUARTPHS")
"""QNAMs that say whether an adequate arterial phase was acquired (Y or N)."""
LOCATION: Final = ("TRLOC", "TULOC")
"""QNAMs that name the site of a lesion."""

STATE: Final = {
    "PRESENT": "present",
    "PATHOLOGICAL": "present",
    "STABLE": "present",
    "UNCHANGED": "present",
    "ABSENT": "absent",
    "RESOLVED": "absent",
    "DISAPPEARED": "absent",
    "NON-PATHOLOGICAL": "absent",
    "NONPATHOLOGICAL": "absent",
    "EQUIVOCAL": "equivocal",
    "UNEQUIVOCAL": "unequivocal_progression",
    "UNEQUIVOCAL PROGRESSION": "unequivocal_progression",
    "PRESENT - UNEQUIVOCAL PROGRESSION": "unequivocal_progression",
    "WORSENED": "worsened",
    "INCREASED": "worsened",
    "TOO SMALL TO MEASURE": "too_small",
    "TSTM": "too_small",
    "NOT EVALUABLE": "not_evaluable",
    "NON-EVALUABLE": "not_evaluable",
    "UNEVALUABLE": "not_evaluable",
    "NOT ASSESSABLE": "not_evaluable",
    "NOT ASSESSED": "not_evaluable",
    "UNABLE TO ASSESS": "not_evaluable",
    "UNKNOWN": "not_evaluable",
    "NOT DONE": "not_evaluable",
    "NE": "not_evaluable",
    "ND": "not_evaluable",
}
MILLIMETRES: Final = {"MM": 1.0, "CM": 10.0}
"""Millimetres in each unit that is read."""

# TU

ROLE: Final = {
    "TARGET": "target",
    "TARGET LESION": "target",
    "NON-TARGET": "nontarget",
    "NONTARGET": "nontarget",
    "NON-TARGET LESION": "nontarget",
    "NEW": "new",
    "NEW LESION": "new",
    "NEW TARGET": "new_target",
    "NEW MEASURABLE": "new_target",
    "NEW NON-TARGET": "new_nontarget",
    "NEW NON-MEASURABLE": "new_nontarget",
}
"""``new`` becomes a new target when it was ever measured, else a new non-target."""
SPLIT: Final = "TUSPLIT"
MERGE: Final = "TUMERGE"

MODALITY: Final = {
    "CT": "ct",
    "CT SCAN": "ct",
    "CT SCAN WITH CONTRAST": "ct",
    "CT SCAN WITHOUT CONTRAST": "ct",
    "SPIRAL CT": "ct",
    "MULTIPHASE CT": "ct",
    "MRI": "mri",
    "MRI WITH CONTRAST": "mri",
    "MRI WITHOUT CONTRAST": "mri",
    "MAGNETIC RESONANCE IMAGING": "mri",
    "CONTRAST ENHANCED ULTRASOUND": "ceus",
    "CEUS": "ceus",
    "PET/CT": "pet_ct",
    "PET/CT SCAN": "pet_ct",
    "FDG-PET/CT": "pet_ct",
    "ULTRASOUND": "ultrasound",
    "X-RAY": "xray",
    "CHEST X-RAY": "xray",
    "PHYSICAL EXAMINATION": "clinical",
    "PHOTOGRAPHY": "clinical",
    "CALIPER": "clinical",
    "PALPATION": "clinical",
}

_HILAR_NODE: Final = r"PORTA HEPATIS|PORTAL HEPATIS|HEPATIC HIL|LIVER HIL|HILUM OF LIVER|HEPATODUODENAL"
_ORGANS: Final[tuple[tuple[str, str], ...]] = (
    (
        rf"(?:LYMPH|NODE|NODAL).*(?:{_HILAR_NODE})|(?:{_HILAR_NODE}).*(?:LYMPH|NODE|NODAL)",
        "porta_hepatis_node",
    ),
    (r"\bLYMPH ?NODES?\b|\bNODES?\b|\bNODAL\b", "lymph_node"),
    (r"\bPORTAL VEIN", "portal_vein"),
    (r"\bHEPATIC VEIN", "hepatic_vein"),
    (r"\bBILE DUCT|\bBILIARY", "bile_duct"),
    (r"\bASCITES|\bASCITIC|\bPERITONEAL (?:FLUID|EFFUSION)", "ascites"),
    (r"\bPLEURAL (?:EFFUSION|FLUID)", "pleural_effusion"),
    (r"\bCHEST WALL|\bTHORACIC WALL", "chest_wall"),
    (r"\bABDOMINAL WALL", "abdominal_wall"),
    (r"\bRETROPERITON", "retroperitoneum"),
    (r"\bPERITONE|\bOMENT|\bMESENTER", "peritoneum"),
    (r"\bPLEURA", "pleura"),
    (r"\bMEDIASTIN", "mediastinum"),
    (r"\bLIVER|\bHEPATIC\b|\bINTRAHEPATIC", "liver"),
    (r"\bLUNG|\bPULMONARY", "lung"),
    (r"\bADRENAL", "adrenal"),
    (r"\bBRAIN|\bCEREB|\bCEREBELL", "brain"),
    (r"\bSOFT TISSUE|\bMUSCLE|\bSUBCUTANEOUS", "soft_tissue"),
    (r"\bBONE|\bSPINE|\bVERTEBR|\bRIBS?\b|\bFEMUR|\bSKULL|\bSTERNUM|\bSACRUM|\bHUMERUS|\bSCAPULA", "bone"),
    (r"\bSPLEEN", "spleen"),
    (r"\bPANCREA", "pancreas"),
    (r"\bKIDNEY|\bRENAL\b", "kidney"),
    (r"\bGALL ?BLADDER", "other"),
    (r"\bBLADDER", "bladder"),
    (r"\bCOLON|\bRECTUM|\bBOWEL|\bINTESTIN|\bCECUM|\bCAECUM|\bDUODENUM|\bJEJUNUM|\bILEUM", "bowel"),
    (r"\bSTOMACH|\bGASTRIC", "stomach"),
    (r"\bSKIN", "skin"),
    (r"\bBREAST", "breast"),
    (r"\bOVAR", "ovary"),
    (r"\bUTER", "uterus"),
    (r"\bPROSTATE", "prostate"),
    (r"\bTHYROID", "thyroid"),
    (r"\bHEART|\bCARDIAC", "heart"),
)
"""Patterns of --LOC in the order in which they are tried."""


def organ_of(location: str) -> str:
    """Return our code for a site as SDTM names it; ``other`` where none fits.

    Examples
    --------
    >>> [organ_of(x) for x in ("LYMPH NODE, PORTA HEPATIS", "Portal vein", "LIVER", "GALLBLADDER", "BODY")]
    ['porta_hepatis_node', 'portal_vein', 'liver', 'other', 'other']
    """
    word = plain_word(location)
    return next((organ for pattern, organ in _ORGANS if re.search(pattern, word)), "other")


def organs(text: pl.Series) -> pl.Series:
    """Return our code for each site of a column, null where there is none."""
    known = {value: organ_of(value) for value in text.drop_nulls().unique().to_list()}
    return text.replace_strict(known, default=None, return_dtype=pl.String)


# RS

RESPONSE_COLUMNS: Final = {
    "OVRLRESP": "overall",
    "TRGRESP": "target",
    "NTRGRESP": "nontarget",
    "NEWLIND": "new_lesion",
}
RECORDED_BEST: Final = ("BESTRESP", "BOR", "CBOR", "BESTOVR", "BSTRESP", "CBESTRSP")
"""RSTESTCD of a best response, which belongs to no scan; counted and not read."""
RESPONSE: Final = {
    **{plain_word(code): code for code in codes.RESPONSE},
    "COMPLETE RESPONSE": "CR",
    "PARTIAL RESPONSE": "PR",
    "STABLE DISEASE": "SD",
    "PROGRESSIVE DISEASE": "PD",
    "NOT EVALUABLE": "NE",
    "NO EVIDENCE OF DISEASE": "NED",
}
NO_RESPONSE: Final = ("ND", "NOT DONE", "NOT APPLICABLE", "NOT ALL EVALUATED")
"""Words that say that there is no response; they are not told."""
YES_NO: Final = {"Y": "true", "YES": "true", "N": "false", "NO": "false"}

_CRITERION: Final[tuple[tuple[str, str], ...]] = (
    (r"M ?RECIST( FOR)?( HCC)?|MODIFIED RECIST( FOR)?( HCC)?", "mrecist"),
    (r"I ?RECIST( 1 1)?|IMMUNE RECIST", "irecist"),
    (r"RECIST( V(ERSION)?)? ?1 1|RECIST1 1|RECIST11", "recist11"),
)


def criterion_of(category: str) -> str:
    """Return our name of a criterion in RSCAT; one that is not ours keeps its own name.

    Examples
    --------
    >>> [criterion_of(x) for x in ("RECIST 1.1", "iRECIST", "mRECIST (HCC)", "RECIST 1.1 - CA125")]
    ['recist11', 'irecist', 'mrecist', 'recist_1_1_ca125']
    """
    word = plain_word(category)
    found = next((name for pattern, name in _CRITERION if re.fullmatch(pattern, word)), None)
    return found or word.lower().replace(" ", "_")


# LB, EX, DS

LAB: Final = {
    "AFP": "afp",
    "AFETOPRT": "afp",
    "DCP": "dcp",
    "PIVKAII": "dcp",
    "PIVKA2": "dcp",
    "BILI": "bilirubin",
    "ALB": "albumin",
    "INR": "inr",
    "CRP": "crp",
    "NEUT": "neutrophils",
    "LYM": "lymphocytes",
    "PLAT": "platelets",
    "CREAT": "creatinine",
    "SODIUM": "sodium",
}
"""LBTESTCD and our names; every other test keeps its LBTESTCD in lower case."""
BLOOD: Final = ("BLOOD", "SERUM", "PLASMA", "SERUM OR PLASMA", "SERUM OR BLOOD", "WHOLE BLOOD")
"""LBSPEC whose results are meant by a test's plain name; others stand in front of the name."""

END_REASON: Final = {
    "PROGRESSIVE DISEASE": "progression",
    "DISEASE PROGRESSION": "progression",
    "DISEASE RELAPSE": "progression",
    "ADVERSE EVENT": "toxicity",
    "TOXICITY": "toxicity",
    "DEATH": "death",
    "COMPLETED": "completed",
    "WITHDRAWAL BY SUBJECT": "patient_choice",
    "LOST TO FOLLOW-UP": "lost_to_follow_up",
    "ONGOING": "ongoing",
}
SCREEN_FAILURE: Final = ("SCRNFAIL", "SCREEN FAILURE", "NOTASSGN", "NOT ASSIGNED")
SEX: Final = {
    "F": "female",
    "M": "male",
    "U": "unknown",
    "UN": "unknown",
    "UNDIFFERENTIATED": "other",
    "INTERSEX": "other",
}
YEARS: Final = {"YEARS": 1.0, "MONTHS": 1 / 12, "WEEKS": 7 / 365.25, "DAYS": 1 / 365.25}
"""Years in each age unit."""
