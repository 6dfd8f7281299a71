"""Each response criterion as a record of choices; one engine reads them all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hccresist.assess.words import IRECIST_WORDS, RECIST_WORDS
from hccresist.errors import ConfigError
from hccresist.study.issues import nearest
from hccresist.study.policies import Policies


class Measure(StrEnum):
    """What is measured on a lesion."""

    LONGEST = "longest"
    VIABLE = "viable"


class NewLesions(StrEnum):
    """What an unequivocal new lesion means."""

    PROGRESSION = "progression"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """The choices that make a criterion.

    Attributes
    ----------
    name, title
        Identifier in tables and commands, and name for people.
    measure
        What is measured on a hepatic lesion.
    response_percent
        Sum, in per cent of baseline, at or below which the target response is PR.
    progression_percent
        Sum, in per cent of the nadir, at or above which it is PD.
    floor_um
        Rise above the nadir, in micrometres, that PD needs besides.
    new_lesions
        What a new lesion means.
    hcc_rules
        The liver-specific rules of mRECIST hold: vessels are non-target, hilar nodes from 20 mm,
        fluid needs cytology, new nodules need wash-out or growth, no arterial phase is NE.
    words
        Vocabulary of the responses, by code.
    reference, status
        Source, and how far the rules were seen in it.
    """

    name: str
    title: str
    measure: Measure
    response_percent: int
    progression_percent: int
    floor_um: int
    new_lesions: NewLesions
    hcc_rules: bool
    words: tuple[str, ...]
    reference: str
    status: str


RECIST11: Final = Criterion(
    name="recist11",
    title="RECIST 1.1",
    measure=Measure.LONGEST,
    response_percent=70,
    progression_percent=120,
    floor_um=5000,
    new_lesions=NewLesions.PROGRESSION,
    hcc_rules=False,
    words=RECIST_WORDS,
    reference="Eisenhauer 2009, doi:10.1016/j.ejca.2008.10.026, PMID 19097774",
    status="verified",
)
MRECIST: Final = Criterion(
    name="mrecist",
    title="mRECIST (HCC)",
    measure=Measure.VIABLE,
    response_percent=70,
    progression_percent=120,
    floor_um=0,
    new_lesions=NewLesions.PROGRESSION,
    hcc_rules=True,
    words=RECIST_WORDS,
    reference="Lencioni & Llovet 2010, doi:10.1055/s-0030-1247132, PMID 20175033",
    status="partly verified",
)
IRECIST: Final = Criterion(
    name="irecist",
    title="iRECIST",
    measure=Measure.LONGEST,
    response_percent=70,
    progression_percent=120,
    floor_um=5000,
    new_lesions=NewLesions.UNCONFIRMED,
    hcc_rules=False,
    words=IRECIST_WORDS,
    reference="Seymour 2017, doi:10.1016/S1470-2045(17)30074-8, PMID 28271869",
    status="verified",
)

CRITERIA: Final[dict[str, Criterion]] = {c.name: c for c in (RECIST11, MRECIST, IRECIST)}
"""Every criterion by name."""


def find_criterion(name: str) -> Criterion:
    """Return a criterion by name, in any spelling of case, with or without dots and dashes.

    Raises
    ------
    ConfigError
        When there is none of that name.
    """
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    aliases = {"recist": "recist11"}
    plain = aliases.get(plain, plain)
    if plain not in CRITERIA:
        known = ", ".join(CRITERIA)
        msg = f"There is no criterion '{name}'. Known: {known}. {nearest(plain, list(CRITERIA))}".strip()
        raise ConfigError(msg)
    return CRITERIA[plain]


def progression_floor_um(criterion: Criterion, policies: Policies) -> int:
    """Return the rise above the nadir, in micrometres, that progression needs.

    RECIST 1.1 and iRECIST ask for 5 mm; mRECIST does so only by policy ``mrecist_5mm_floor``.
    """
    if criterion.hcc_rules and policies.mrecist_5mm_floor:
        return 5000
    return criterion.floor_um
