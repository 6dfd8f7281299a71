"""Each response criterion as a record of choices; one engine reads them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final

from hccresist.assess.words import IRECIST_WORDS, RECIST_WORDS
from hccresist.errors import ConfigError
from hccresist.study.issues import nearest
from hccresist.study.policies import Policies


class Measure(StrEnum):
    """What is measured on a lesion and summed over the targets."""

    LONGEST = "longest"
    VIABLE = "viable"
    PRODUCT = "product"
    VIABLE_PRODUCT = "viable_product"
    VIABLE_SHARE = "viable_share"

    @property
    def is_area(self) -> bool:
        """The sum is an area in mm², else a length in mm."""
        return self not in (Measure.LONGEST, Measure.VIABLE)

    @property
    def is_viable(self) -> bool:
        """Arterially enhancing tissue is measured, so an arterial phase is needed."""
        return self in (Measure.VIABLE, Measure.VIABLE_PRODUCT, Measure.VIABLE_SHARE)

    @property
    def per_mm(self) -> int:
        """Whole units of the engine in one mm or mm²: micrometres, or square micrometres."""
        return 1_000_000 if self.is_area else 1_000


class NewLesions(StrEnum):
    """What an unequivocal new lesion means."""

    PROGRESSION = "progression"
    UNCONFIRMED = "unconfirmed"
    ADDED = "added"


class Judge(StrEnum):
    """By what the targets are judged beside CR."""

    SUM = "sum"
    CHOI = "choi"
    MODIFIED_CHOI = "modified_choi"
    NECROSIS = "necrosis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """The choices that make a criterion.

    Attributes
    ----------
    name, title
        Identifier in tables and commands, and name for people.
    measure
        What is measured on a (hepatic) lesion.
    judge
        By what the targets are judged: the sum alone; size or attenuation (Choi); viable share for
        response and whole area for progression (necrosis).
    response_percent
        Sum, in per cent of baseline, at or below which the target response is PR.
    progression_percent
        Sum, in per cent of the nadir, at or above which it is PD.
    above
        Progression needs more than `progression_percent`, not only as much.
    floor_um
        Rise above the nadir, in the engine's units (µm or µm²), that PD needs besides.
    new_lesions
        What a new lesion means: progression, progression to be confirmed, or more burden.
    max_new, max_new_per_organ
        New lesions that are measured.
    nontarget_progression
        Unequivocal growth of non-targets is progression; if not, they only stand against CR.
    node_rule
        Nodes count by their short axis and are gone below 10 mm.
    continuing_pr
        After PR later visits stay PR until PD or CR.
    return_is_progression
        Enhancement or size that comes back in a target that had vanished is progression.
    hcc_rules
        The liver-specific rules of mRECIST hold: vessels are non-target, hilar nodes from 20 mm,
        fluid needs cytology, new nodules need wash-out or growth.
    words
        Vocabulary of the responses, by code.
    response_text, progression_text
        How the thresholds read in a reason.
    reference, status
        Source, and how far the rules were seen in it.
    """

    name: str
    title: str
    measure: Measure
    judge: Judge = Judge.SUM
    response_percent: int = 70
    progression_percent: int = 120
    above: bool = False
    floor_um: int = 0
    new_lesions: NewLesions = NewLesions.PROGRESSION
    max_new: int = 5
    max_new_per_organ: int = 2
    nontarget_progression: bool = True
    node_rule: bool = True
    continuing_pr: bool = False
    return_is_progression: bool = False
    hcc_rules: bool = False
    words: tuple[str, ...] = RECIST_WORDS
    response_text: str = "at least 30 % smaller"
    progression_text: str = "at least 20 % larger"
    reference: str
    status: str


RECIST11: Final = Criterion(
    name="recist11",
    title="RECIST 1.1",
    measure=Measure.LONGEST,
    floor_um=5000,
    continuing_pr=True,
    progression_text="at least 20 % and 5 mm larger",
    reference="Eisenhauer 2009, doi:10.1016/j.ejca.2008.10.026, PMID 19097774",
    status="verified",
)
MRECIST: Final = Criterion(
    name="mrecist",
    title="mRECIST (HCC)",
    measure=Measure.VIABLE,
    continuing_pr=True,
    hcc_rules=True,
    reference="Lencioni & Llovet 2010, doi:10.1055/s-0030-1247132, PMID 20175033",
    status="partly verified",
)
IRECIST: Final = replace(
    RECIST11,
    name="irecist",
    title="iRECIST",
    new_lesions=NewLesions.UNCONFIRMED,
    words=IRECIST_WORDS,
    reference="Seymour 2017, doi:10.1016/S1470-2045(17)30074-8, PMID 28271869",
)
IMRECIST: Final = replace(
    RECIST11,
    name="imrecist",
    title="imRECIST",
    new_lesions=NewLesions.ADDED,
    nontarget_progression=False,
    reference="Hodi 2018, doi:10.1200/JCO.2017.75.1644",
    status="verified; the 5 mm in a secondary source (doi:10.5306/wjco.v11.i2.53)",
)
WHO: Final = Criterion(
    name="who",
    title="WHO",
    measure=Measure.PRODUCT,
    response_percent=50,
    progression_percent=125,
    above=True,
    node_rule=False,
    response_text="at least 50 % smaller",
    progression_text="more than 25 % larger",
    reference="WHO criteria as tabulated in PMC3094725, Table 1",
    status="verified, secondary",
)
IRRC: Final = replace(
    WHO,
    name="irrc",
    title="irRC",
    above=False,
    new_lesions=NewLesions.ADDED,
    max_new=10,
    max_new_per_organ=5,
    nontarget_progression=False,
    progression_text="at least 25 % larger",
    reference="Wolchok 2009, doi:10.1158/1078-0432.CCR-09-1624",
    status="verified",
)
IRRC_UNIDIMENSIONAL: Final = replace(
    IMRECIST,
    name="irrc1d",
    title="irRC, unidimensional",
    floor_um=0,
    continuing_pr=False,
    node_rule=False,
    progression_text="at least 20 % larger",
    reference="Nishino 2013, doi:10.1158/1078-0432.CCR-13-0895",
    status="from memory (thresholds of −30 and +20 %)",
)
EASL_MEASURED: Final = replace(
    WHO,
    name="easl",
    title="EASL, measured",
    measure=Measure.VIABLE_PRODUCT,
    return_is_progression=True,
    reference="Bruix 2001, J Hepatol 35:421–430, as tabulated in PMC3094725, Table 1",
)
EASL_ESTIMATED: Final = replace(
    EASL_MEASURED,
    name="easl_estimated",
    title="EASL, estimated",
    measure=Measure.VIABLE_SHARE,
    status="verified, secondary (PMC6287184)",
)
CHOI: Final = Criterion(
    name="choi",
    title="Choi",
    measure=Measure.LONGEST,
    judge=Judge.CHOI,
    response_percent=90,
    progression_percent=110,
    response_text="size at least 10 % smaller or attenuation at least 15 % lower",
    progression_text="at least 10 % larger without a response by attenuation",
    reference="Choi 2007, doi:10.1200/JCO.2006.07.3049",
    status="verified, secondary; growth is judged against the nadir (our choice)",
)
MODIFIED_CHOI: Final = replace(
    CHOI,
    name="mchoi",
    title="modified Choi",
    judge=Judge.MODIFIED_CHOI,
    response_text="size at least 10 % smaller and attenuation at least 15 % lower",
    status="partly verified; growth is judged against the nadir (our choice)",
)
RECICL: Final = Criterion(
    name="recicl",
    title="RECICL",
    measure=Measure.VIABLE_SHARE,
    judge=Judge.NECROSIS,
    response_percent=50,
    progression_percent=125,
    above=True,
    node_rule=False,
    response_text="necrosis or reduction of at least 50 % in all",
    progression_text="whole area more than 25 % larger than at baseline",
    reference="Kudo, RECICL 2015 and 2019 revisions; grades as tabulated in PMC6287184",
    status="partly verified: grades of nodules; the overall verdict is our reading",
)

CRITERIA: Final[dict[str, Criterion]] = {
    c.name: c
    for c in (
        RECIST11,
        MRECIST,
        IRECIST,
        IMRECIST,
        IRRC,
        IRRC_UNIDIMENSIONAL,
        WHO,
        EASL_MEASURED,
        EASL_ESTIMATED,
        CHOI,
        MODIFIED_CHOI,
        RECICL,
    )
}
"""Every criterion by name."""

_ALIASES: Final = {"recist": "recist11", "modifiedrecist": "mrecist", "easlmeasured": "easl"}
_OPEN: Final = (
    "title",
    "response_percent",
    "progression_percent",
    "above",
    "floor_mm",
    "nontarget_progression",
    "node_rule",
    "continuing_pr",
    "return_is_progression",
    "hcc_rules",
    "max_new",
    "max_new_per_organ",
    "reference",
)
"""What a variant of one's own may change."""


def find_criterion(name: str, variants: Mapping[str, Mapping[str, object]] | None = None) -> Criterion:
    """Return a criterion by name, in any spelling of case, with or without dots and dashes.

    Parameters
    ----------
    name
        Name of a criterion, or of one of the `variants`.
    variants
        Criteria of one's own, by name, as in ``[criteria.NAME]`` of ``study.toml``.

    Raises
    ------
    ConfigError
        When there is none of that name, or a variant changes what it cannot.
    """
    own = variants or {}
    if name in own:
        return make_variant(name, own[name])
    plain = _plain(name)
    by_plain = {_plain(known): criterion for known, criterion in CRITERIA.items()}
    plain = _plain(_ALIASES.get(plain, plain))
    if plain not in by_plain:
        known = [*CRITERIA, *own]
        msg = f"There is no criterion '{name}'. Known: {', '.join(known)}. {nearest(plain, known)}".strip()
        raise ConfigError(msg)
    return by_plain[plain]


def make_variant(name: str, choices: Mapping[str, object]) -> Criterion:
    """Return a criterion of one's own: an existing one (`base`) with some choices changed.

    Examples
    --------
    >>> make_variant("strict", {"base": "mrecist", "floor_mm": 5}).floor_um
    5000

    Raises
    ------
    ConfigError
        When `base` is missing or unknown, or a choice is unknown or of the wrong type.
    """
    if "base" not in choices:
        msg = f"Criterion '{name}' needs 'base', the criterion it changes: {', '.join(CRITERIA)}."
        raise ConfigError(msg)
    base = find_criterion(str(choices["base"]))
    problems: list[str] = []
    changed: dict[str, object] = {"name": name, "title": name, "reference": f"variant of {base.title}"}
    types = {item.name: type(getattr(base, item.name)) for item in fields(base)} | {"floor_mm": float}
    for key, value in choices.items():
        if key == "base":
            continue
        if key not in _OPEN:
            problems.append(f"Criterion '{name}' cannot change '{key}'. {nearest(key, _OPEN)}".strip())
        elif not _fits(value, types[key]):
            problems.append(f"Criterion '{name}', {key}: {value!r} is not {types[key].__name__}.")
        elif key == "floor_mm":
            changed["floor_um"] = round(float(str(value)) * base.measure.per_mm)
        else:
            changed[key] = value
    if problems:
        raise ConfigError("\n".join(problems))
    changed["status"] = f"a variant of this study on the base of {base.title}"
    variant = replace(base, **changed)  # pyright: ignore[reportArgumentType]
    least = "more than" if variant.above else "at least"
    return replace(
        variant,
        response_text=f"at least {100 - variant.response_percent} % smaller",
        progression_text=f"{least} {variant.progression_percent - 100} % larger",
    )


def _fits(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def progression_floor(criterion: Criterion, policies: Policies) -> int:
    """Return the rise above the nadir, in the engine's units, that progression needs.

    RECIST 1.1 and iRECIST ask for 5 mm; mRECIST does so only by policy ``mrecist_5mm_floor``.
    """
    if criterion.hcc_rules and policies.mrecist_5mm_floor:
        return max(criterion.floor_um, 5000)
    return criterion.floor_um
