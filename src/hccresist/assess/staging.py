"""Tumour burden and stage at baseline, from the lesions and what is known of the patient.

Each rule is a small function on columns; where something it needs is unknown, the verdict is empty unless
what is known decides anyway, and the reason says what is missing. Nodules are counted as recorded: lesions
that nobody wrote down are not there.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.marker_definitions import Definition, Reading

_BCLC_SOURCE: Final = "doi:10.1016/j.jhep.2021.11.018"
_TRANSPLANT: Final = "PMC6558441"
_LIVER_NODULES: Final = "sizes of all nodules in the liver at baseline"

WITHIN: Final = "within"
BEYOND: Final = "beyond"

DEFINITIONS: Final[tuple[Definition, ...]] = (
    Definition(
        marker="bclc_2022",
        kind="stage",
        title="BCLC stage, 2022",
        needs=(_LIVER_NODULES, "vascular invasion", "extrahepatic spread", "ecog", "Child-Pugh class"),
        rule=(
            "D: ECOG 3–4 or Child-Pugh C; C: vascular invasion, extrahepatic spread or ECOG 1–2; "
            "0: one nodule ≤ 2 cm; A: one nodule, or 2–3 of ≤ 3 cm; B: more"
        ),
        source=_BCLC_SOURCE,
        verification="verified_secondary",
        seen=(
            "stages on calculators' pages (livertoolph.com, radiologyreviewarticles.com), the paper as a "
            "summary; Child-Pugh C stands for end-stage liver function, transplant is not looked at; "
            "sub-groups of B not seen"
        ),
        readings=(
            Reading(grade="0", text="very early", source=_BCLC_SOURCE),
            Reading(grade="A", text="early", source=_BCLC_SOURCE),
            Reading(grade="B", text="intermediate", source=_BCLC_SOURCE),
            Reading(grade="C", text="advanced", source=_BCLC_SOURCE),
            Reading(grade="D", text="terminal", source=_BCLC_SOURCE),
        ),
    ),
    Definition(
        marker="up_to_seven",
        kind="stage",
        title="up-to-seven criteria",
        needs=(_LIVER_NODULES,),
        rule="diameter of the largest nodule in cm + number of nodules ≤ 7",
        source=_TRANSPLANT,
        verification="verified",
        seen=(
            "table 1; other tables add: no microvascular invasion (PMC6113720), no vascular invasion or "
            "spread (PMC10663390): not asked for here, as the number is used as tumour burden"
        ),
        readings=(
            Reading(grade=WITHIN, text="71.2 % alive 5 years after transplantation", source=_TRANSPLANT),
        ),
    ),
    Definition(
        marker="milan",
        kind="stage",
        title="Milan criteria",
        needs=(_LIVER_NODULES, "vascular invasion", "extrahepatic spread"),
        rule="one nodule ≤ 5 cm, or 2–3 of ≤ 3 cm; no vascular invasion, no spread",
        source=_TRANSPLANT,
        verification="verified",
        seen="table 1; PMC4641125 prints < 5 cm for the single nodule",
        readings=(
            Reading(grade=WITHIN, text="85 % alive 4 years after transplantation", source=_TRANSPLANT),
        ),
    ),
    Definition(
        marker="ucsf",
        kind="stage",
        title="UCSF criteria",
        needs=(_LIVER_NODULES, "vascular invasion", "extrahepatic spread"),
        rule="one nodule ≤ 6.5 cm, or 2–3 of ≤ 4.5 cm with a sum ≤ 8 cm; no vascular invasion, no spread",
        source=_TRANSPLANT,
        verification="verified",
        seen="sizes in table 1; absence of invasion and spread in PMC4641125 and PMC10663390",
        readings=(
            Reading(grade=WITHIN, text="80.9 % alive 5 years after transplantation", source=_TRANSPLANT),
        ),
    ),
)


def up_to_seven() -> pl.Expr:
    """Return whether largest diameter in cm + number of nodules ≤ 7 (PMC6558441, table 1).

    Needs columns nodules, unmeasured, largest_mm. Unknown when a nodule has no size, unless the others
    exceed seven already.

    Examples
    --------
    >>> frame = pl.DataFrame({"nodules": [2, 2], "unmeasured": [0, 0], "largest_mm": [50.0, 50.1]})
    >>> frame.select(up_to_seven()).to_series().to_list()
    [True, False]
    """
    burden = burden_mm()
    return _known(burden <= 70.0, beyond=burden > 70.0)


def milan() -> pl.Expr:
    """Return whether the Milan criteria are met: one ≤ 5 cm or 2–3 of ≤ 3 cm, no invasion, no spread.

    Needs columns nodules, unmeasured, largest_mm, vascular_invasion, extrahepatic_spread (PMC6558441).
    """
    limit = pl.when(pl.col("nodules") == 1).then(50.0).otherwise(30.0)
    beyond = (pl.col("nodules") > 3) | (pl.col("largest_mm") > limit)
    return _confined(_known(~beyond, beyond=beyond))


def ucsf() -> pl.Expr:
    """Return whether the UCSF criteria are met: one ≤ 6.5 cm, or 2–3 of ≤ 4.5 cm with a sum ≤ 8 cm.

    Needs the columns of `milan` and sum_mm (PMC6558441; no invasion, no spread: PMC10663390).
    """
    single = pl.col("nodules") == 1
    limit = pl.when(single).then(65.0).otherwise(45.0)
    too_much = ~single & (pl.col("sum_mm") > 80.0)
    beyond = (pl.col("nodules") > 3) | (pl.col("largest_mm") > limit) | too_much
    return _confined(_known(~beyond, beyond=beyond))


def bclc_2022() -> pl.Expr:
    """Return the BCLC stage, 2022: the first of these that applies; empty where it stays open.

    1. D: ECOG 3 or 4, or Child-Pugh C (for end-stage liver function; transplant is not looked at).
    2. C: vascular invasion, extrahepatic spread, or ECOG 1 or 2.
    3. 0: one nodule ≤ 2 cm. A: one nodule of any size, or two or three of ≤ 3 cm. B: more.

    ECOG and Child-Pugh class must be known unless one of them gives D; invasion and spread must be known
    unless one of them, or ECOG, gives C. Needs columns ecog, child_pugh_class, vascular_invasion,
    extrahepatic_spread, nodules, unmeasured, largest_mm.

    References
    ----------
    Reig 2022, doi:10.1016/j.jhep.2021.11.018 (summary); stages as on livertoolph.com and
    radiologyreviewarticles.com.

    Examples
    --------
    >>> frame = pl.DataFrame(
    ...     {"ecog": [0.0, 1.0], "child_pugh_class": ["A", "A"], "vascular_invasion": [False, False],
    ...      "extrahepatic_spread": [False, False], "nodules": [1, 1], "unmeasured": [0, 0],
    ...      "largest_mm": [20.0, 20.0]}
    ... )
    >>> frame.select(bclc_2022()).to_series().to_list()
    ['0', 'C']
    """
    terminal = _true(pl.col("ecog") >= 3) | _true(pl.col("child_pugh_class") == "C")
    spread = _true(pl.col("vascular_invasion")) | _true(pl.col("extrahepatic_spread"))
    unclear = pl.col("vascular_invasion").is_null() | pl.col("extrahepatic_spread").is_null()
    return (
        pl.when(terminal)
        .then(pl.lit("D"))
        .when(pl.col("ecog").is_null() | pl.col("child_pugh_class").is_null())
        .then(None)
        .when(spread | (pl.col("ecog") >= 1))
        .then(pl.lit("C"))
        .when(~unclear)
        .then(_nodular_stage())
    )


def _nodular_stage() -> pl.Expr:
    nodules, largest, open_size = pl.col("nodules"), pl.col("largest_mm"), pl.col("unmeasured") > 0
    single = pl.when(largest <= 20.0).then(pl.lit("0")).when(largest > 20.0).then(pl.lit("A"))
    few = pl.when(largest > 30.0).then(pl.lit("B")).when(~open_size).then(pl.lit("A"))
    return (
        pl.when(nodules == 1)
        .then(single)
        .when(nodules.is_between(2, 3))
        .then(few)
        .when(nodules > 3)
        .then(pl.lit("B"))
    )


def _true(known: pl.Expr) -> pl.Expr:
    return known.fill_null(value=False)


def burden_mm() -> pl.Expr:
    """Return ten times the up-to-seven number: largest nodule in mm + 10 × nodules, exact at ties."""
    return (pl.col("largest_mm").fill_null(0.0) + 10.0 * pl.col("nodules")).round(6)


def _known(within: pl.Expr, *, beyond: pl.Expr) -> pl.Expr:
    """Return a verdict on size and number; unknown without nodules, or when one has no size."""
    measured = (pl.col("nodules") > 0) & (pl.col("unmeasured") == 0)
    return pl.when(_true(beyond)).then(pl.lit(value=False)).when(measured).then(within)


def _confined(by_size: pl.Expr) -> pl.Expr:
    """Return a verdict that also asks for no vascular invasion and no spread."""
    outside = _true(pl.col("vascular_invasion")) | _true(pl.col("extrahepatic_spread")) | _true(~by_size)
    inside = ~pl.col("vascular_invasion") & ~pl.col("extrahepatic_spread") & by_size
    return pl.when(outside).then(pl.lit(value=False)).when(inside).then(pl.lit(value=True))
