"""Laboratory tests and their units, as data; conversion that refuses what it would have to guess.

A value is refused, and told with patient, day, test and unit, when its unit is not one of the test's
units, when it has none and two are plausible (policy `units` = strict), when it is negative or beyond
what a person can have, and when two results of one test and day differ. Mass and activity are never
turned into each other: AFP in IU/mL and DCP in ng/mL are refused whatever the policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

FACTORS: Final = (
    "Unit tables of public laboratories (albumin × 10, bilirubin × 17.1, creatinine × 88.4: "
    "w3.csmu.edu.tw/~chr/Int_unit_conversion.htm); the others are powers of ten"
)
"""Where the conversion factors were seen."""

_CELLS: Final[dict[str, float]] = {
    "10^9/l": 1.0,
    "g/l": 1.0,  # giga per litre: a count is never in grams
    "10^3/ul": 1.0,
    "k/ul": 1.0,
    "1000/ul": 1.0,
    "10^4/ul": 10.0,
    "10^6/l": 0.001,
    "10^6/ml": 1.0,
    "10^3/ml": 0.001,
    "/ul": 0.001,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabTest:
    """A laboratory test that markers are made of.

    Attributes
    ----------
    name
        Name in results.
    unit
        Unit in which it is kept.
    factors
        Unit as recorded (in the plain form of `plain_unit`) to what its value is multiplied by.
    conventional
        Unit that a bare number is read in under policy `units` = conventional; empty: refused, as two
        conventions are in use.
    low, high
        What a person can have, in `unit`; values beyond are refused (our limits, wide on purpose).
    aliases
        Further names, in the plain form of `plain_name`.
    never
        Units that look usable and are not, with the reason.
    """

    name: str
    unit: str
    factors: Mapping[str, float]
    conventional: str = ""
    low: float = 0.0
    high: float
    aliases: tuple[str, ...] = ()
    never: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def needs_unit(self) -> bool:
        """A bare number could mean two things."""
        return self.name not in _UNITLESS


_UNITLESS: Final = ("inr", "ascites_points", "encephalopathy_points")

_ACTIVITY: Final = (
    "activity (IU) and mass (ng) of AFP have no safe factor: published ones run from 0.78 to 1.4 IU per ng"
)
_MASS: Final = "mass (ng) and activity (AU) of DCP have no factor that was seen in a text"
_SHARE: Final = "a share of the leucocytes is no count"
_IU: Final = ("iu/ml", "kiu/l", "ku/l", "u/ml", "iu/l", "u/l", "miu/ml", "uiu/ml")
_PERCENT: Final = {"%": _SHARE}

TESTS: Final[tuple[LabTest, ...]] = (
    LabTest(
        name="afp",
        unit="ng/mL",
        factors={"ng/ml": 1.0, "ug/l": 1.0, "mcg/l": 1.0, "ng/dl": 0.01, "ug/ml": 1000.0, "mg/l": 1000.0},
        conventional="ng/ml",
        high=1e9,
        aliases=(
            "alphafetoprotein",
            "afetoprotein",
            "alpha1fetoprotein",
            "fetoprotein",
            "afetopro",
            "serumafp",
        ),
        never=dict.fromkeys(_IU, _ACTIVITY),
    ),
    LabTest(
        name="dcp",
        unit="mAU/mL",
        factors={"mau/ml": 1.0, "au/l": 1.0, "au/ml": 1000.0},
        conventional="mau/ml",
        high=1e9,
        aliases=(
            "pivka",
            "pivkaii",
            "pivka2",
            "desgammacarboxyprothrombin",
            "desgammacarboxylatedprothrombin",
        ),
        never={"ng/ml": _MASS, "ug/l": _MASS, **dict.fromkeys(("mu/ml", "u/l", "iu/ml", "miu/ml"), _MASS)},
    ),
    LabTest(
        name="afp_l3",
        unit="%",
        factors={"%": 1.0},
        high=100.0,
        aliases=("afpl3percent", "afpl3fraction", "lensculinarisagglutininreactiveafp"),
        never={"ng/ml": "the share of AFP-L3 is meant, not its concentration"},
    ),
    LabTest(
        name="bilirubin",
        unit="µmol/L",
        factors={"umol/l": 1.0, "mg/dl": 17.1, "mg/l": 1.71},
        conventional="mg/dl",
        low=0.5,
        high=1500.0,
        aliases=("totalbilirubin", "bilirubintotal", "bili", "tbil", "tbili", "serumbilirubin"),
    ),
    LabTest(
        name="albumin",
        unit="g/L",
        factors={"g/l": 1.0, "g/dl": 10.0, "gm/dl": 10.0, "g%": 10.0},
        conventional="g/dl",
        low=5.0,
        high=70.0,
        aliases=("alb", "serumalbumin"),
    ),
    LabTest(
        name="inr",
        unit="",
        factors={"": 1.0, "1": 1.0, "ratio": 1.0, "{inr}": 1.0, "inr": 1.0},
        low=0.5,
        high=25.0,
        aliases=(
            "ptinr",
            "inrpt",
            "prothrombininr",
            "internationalnormalizedratio",
            "internationalnormalisedratio",
        ),
        never={
            "%": "prothrombin activity in % is no INR",
            "s": "a time is no INR",
            "sec": "a time is no INR",
        },
    ),
    LabTest(
        name="crp",
        unit="mg/L",
        factors={"mg/l": 1.0, "mg/dl": 10.0, "ug/ml": 1.0},
        high=1000.0,
        aliases=("creactiveprotein", "hscrp", "highsensitivitycrp"),
    ),
    LabTest(
        name="creatinine",
        unit="µmol/L",
        factors={"umol/l": 1.0, "mg/dl": 88.4},
        conventional="mg/dl",
        low=5.0,
        high=4000.0,
        aliases=("creat", "serumcreatinine", "crea"),
    ),
    LabTest(
        name="neutrophils",
        unit="10⁹/L",
        factors=_CELLS,
        conventional="10^9/l",
        high=300.0,
        aliases=("neutrophil", "neut", "anc", "neutrophilcount", "absoluteneutrophilcount"),
        never=_PERCENT,
    ),
    LabTest(
        name="lymphocytes",
        unit="10⁹/L",
        factors=_CELLS,
        conventional="10^9/l",
        high=1000.0,
        aliases=("lymphocyte", "lym", "lymph", "alc", "lymphocytecount", "absolutelymphocytecount"),
        never=_PERCENT,
    ),
    LabTest(
        name="platelets",
        unit="10⁹/L",
        factors=_CELLS,
        conventional="10^9/l",
        high=5000.0,
        low=1.0,
        aliases=("platelet", "plat", "plt", "thrombocytes", "plateletcount"),
    ),
    LabTest(
        name="ascites_points",
        unit="points",
        factors={"": 1.0, "1": 1.0, "points": 1.0, "point": 1.0},
        low=1.0,
        high=3.0,
        aliases=("childpughascitespoints",),
    ),
    LabTest(
        name="encephalopathy_points",
        unit="points",
        factors={"": 1.0, "1": 1.0, "points": 1.0, "point": 1.0},
        low=1.0,
        high=3.0,
        aliases=("childpughencephalopathypoints",),
    ),
)
"""Every test that is read. Adding one touches this list only."""

BY_NAME: Final[dict[str, LabTest]] = {test.name: test for test in TESTS}

_GREEK: Final = str.maketrans({"α": "alpha", "γ": "gamma", "Α": "alpha", "%": "percent"})
_MICRO: Final = str.maketrans({"µ": "u", "μ": "u", "×": "x", "⁹": "^9", "³": "^3", "⁶": "^6", "⁴": "^4"})
_SPELLINGS: Final = (
    ("[iu]", "iu"),
    ("international", "i"),
    ("micromol", "umol"),
    ("mcmol", "umol"),
    ("liter", "l"),
    ("litre", "l"),
    ("mm^3", "ul"),
    ("mm3", "ul"),
    ("cumm", "ul"),
    ("mcl", "ul"),
    ("10*", "10^"),
    ("10e", "10^"),
    ("x10", "10"),
    ("thousand", "1000"),
    ("thou", "1000"),
    ("per", "/"),
    ("cells", ""),
    ("cell", ""),
)


def plain_name(text: str) -> str:
    """Return a test's name without case, Greek letters, blanks and signs.

    Examples
    --------
    >>> plain_name("α-Fetoprotein"), plain_name("PIVKA-II")
    ('alphafetoprotein', 'pivkaii')
    """
    return "".join(letter for letter in text.translate(_GREEK).lower() if letter.isalnum())


def plain_unit(text: str) -> str:
    """Return a unit without case, blanks and the many ways of writing micro and powers of ten.

    Examples
    --------
    >>> [plain_unit(unit) for unit in ("µmol/L", "x10E9/L", "10*3/uL", "cells/mm³", "k[IU]/L", "10⁹/L")]
    ['umol/l', '10^9/l', '10^3/ul', '/ul', 'kiu/l', '10^9/l']
    """
    plain = "".join(text.translate(_MICRO).lower().split())
    for written, meant in _SPELLINGS:
        plain = plain.replace(written, meant)
    for power in "3469":
        plain = plain.replace(f"10^0{power}", f"10^{power}")
    return "%" if plain == "/cent" else plain


def find_test(name: str) -> LabTest | None:
    """Return the test that goes by a name, or ``None``.

    Examples
    --------
    >>> found = find_test("Alpha-fetoprotein")
    >>> found.name if found else None
    'afp'
    """
    return _NAMES.get(plain_name(name))


def known_names() -> tuple[str, ...]:
    """Return every name and alias, in plain form."""
    return tuple(_NAMES)


def _named() -> Iterator[tuple[str, LabTest]]:
    for test in TESTS:
        for name in (test.name, *test.aliases):
            yield plain_name(name), test


_NAMES: Final[dict[str, LabTest]] = dict(_named())
