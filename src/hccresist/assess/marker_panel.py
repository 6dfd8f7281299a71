"""Scores of liver function and inflammation as records: what each needs, its grades and readings.

The formulas are the pure functions of `hccresist.assess.marker_scores`; here they meet the units in
which laboratory values are kept. A score more is one record more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.assess import marker_scores as scores
from hccresist.assess.marker_definitions import Definition, Reading
from hccresist.assess.marker_scores import BILIRUBIN_UMOL_PER_MG_DL, Floats
from hccresist.study.policies import Policies

Values = Mapping[str, Floats]
"""Laboratory test to values, in the unit in which the test is kept."""

CREATININE_UMOL_PER_MG_DL: Final = 88.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """Grades by upper limits: the first limit that the value keeps gives the grade.

    Attributes
    ----------
    limits
        Grade, ``<=`` or ``<``, and upper limit, ascending.
    last
        Grade above all limits.
    """

    limits: tuple[tuple[str, str, float], ...]
    last: str

    def expression(self, value: pl.Expr) -> pl.Expr:
        """Return the grade of a value; empty where the value is."""
        grade: pl.Expr = pl.lit(self.last)
        for name, operator, limit in reversed(self.limits):
            kept = value < limit if operator == "<" else value <= limit
            grade = pl.when(kept).then(pl.lit(name)).otherwise(grade)
        return pl.when(value.is_not_null()).then(grade)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score.

    Attributes
    ----------
    definition
        Name, source, readings; `needs` are the laboratory tests.
    compute
        From values (in the units of the tests) to the score; NaN where it is unknown.
    grading
        Grades; ``None`` where none was seen.
    steps
        The score counts points, so a value beyond the limit of its assay can still be enough.
    """

    definition: Definition
    compute: Callable[[Values, Policies], Floats]
    grading: Grading | None = None
    steps: bool = False


_ALBI: Final = "doi:10.1200/JCO.2014.57.9151"
_MALBI: Final = "doi:10.4251/wjgo.v15.i10.1771"
_PALBI: Final = "doi:10.1371/journal.pone.0216173"
_FORMULAS: Final = "PMC10251088"
_GENERAL: Final = "doi:10.1038/s41598-018-28646-w"
_CRAFITY: Final = "PMID 37129721"

_ALBI_GRADES: Final = Grading(limits=(("1", "<=", -2.60), ("2", "<=", -1.39)), last="3")
_MALBI_GRADES: Final = Grading(
    limits=(("1", "<=", -2.60), ("2a", "<=", -2.27), ("2b", "<=", -1.39)), last="3"
)
_PALBI_GRADES: Final = Grading(limits=(("1", "<=", -2.53), ("2", "<=", -2.09)), last="3")
_CHILD_PUGH_GRADES: Final = Grading(limits=(("A", "<=", 6.0), ("B", "<=", 9.0)), last="C")
_MELD_GROUPS: Final = Grading(limits=(("< 10", "<", 10.0), ("10–14", "<=", 14.0)), last="> 14")
_CRAFITY_GRADES: Final = Grading(limits=(("low", "<=", 0.0), ("intermediate", "<=", 1.0)), last="high")
_MGPS_GRADES: Final = Grading(limits=(("0", "<=", 0.0), ("1", "<=", 1.0)), last="2")


def _albi(values: Values, policies: Policies) -> Floats:
    return scores.albi_score(values["bilirubin"], values["albumin"])


def _ez_albi(values: Values, policies: Policies) -> Floats:
    return scores.ez_albi_score(values["bilirubin"] / BILIRUBIN_UMOL_PER_MG_DL, values["albumin"] / 10.0)


def _palbi(values: Values, policies: Policies) -> Floats:
    return scores.palbi_score(values["bilirubin"], values["albumin"], values["platelets"])


def _child_pugh(values: Values, policies: Policies) -> Floats:
    return scores.child_pugh_score(
        bilirubin_mg_dl=values["bilirubin"] / BILIRUBIN_UMOL_PER_MG_DL,
        albumin_g_dl=values["albumin"] / 10.0,
        inr=values["inr"],
        ascites_points=values["ascites_points"],
        encephalopathy_points=values["encephalopathy_points"],
        albumin_cut_g_dl=policies.child_pugh_albumin_cut,
    )


def _meld(values: Values, policies: Policies) -> Floats:
    return scores.meld_score(*_meld_values(values))


def _meld_bounded(values: Values, policies: Policies) -> Floats:
    return scores.meld_score(*_meld_values(values), bounded=True)


def _meld_values(values: Values) -> tuple[Floats, Floats, Floats]:
    return (
        values["bilirubin"] / BILIRUBIN_UMOL_PER_MG_DL,
        values["inr"],
        values["creatinine"] / CREATININE_UMOL_PER_MG_DL,
    )


def _crafity(values: Values, policies: Policies) -> Floats:
    return scores.crafity_score(values["afp"], values["crp"])


def _mgps(values: Values, policies: Policies) -> Floats:
    return scores.mgps_score(values["crp"], values["albumin"])


def _nlr(values: Values, policies: Policies) -> Floats:
    return scores.neutrophil_lymphocyte_ratio(values["neutrophils"], values["lymphocytes"])


def _plr(values: Values, policies: Policies) -> Floats:
    return scores.platelet_lymphocyte_ratio(values["platelets"], values["lymphocytes"])


def _sii(values: Values, policies: Policies) -> Floats:
    return scores.systemic_immune_inflammation_index(
        values["platelets"], values["neutrophils"], values["lymphocytes"]
    )


def _pni(values: Values, policies: Policies) -> Floats:
    return scores.prognostic_nutritional_index(values["albumin"] / 10.0, 1000.0 * values["lymphocytes"])


_CRAFITY_OS: Final = {"low": "21.7", "intermediate": "13.9", "high": "8.4"}
_CRAFITY_3Y: Final = {"low": "63.8", "intermediate": "60.8", "high": "32.1"}


def _read(source: str, text: str, numbers: Mapping[str, str]) -> tuple[Reading, ...]:
    """Return one reading a grade: the text with the number of that grade."""
    return tuple(
        Reading(grade=grade, text=text.replace("{}", number), source=source)
        for grade, number in numbers.items()
    )


SCORES: Final[tuple[Score, ...]] = (
    Score(
        definition=Definition(
            marker="albi",
            kind="score",
            title="ALBI score (Johnson 2015)",
            needs=("bilirubin", "albumin"),
            rule="0.66·log10 bilirubin µmol/L − 0.085·albumin g/L; 1 ≤ −2.60, 2 ≤ −1.39, 3 above",
            source=_ALBI,
            verification="verified",
            seen="formula, units and limits on the project reference page and in PMC6497276",
            readings=(
                Reading(grade="1", text="best liver function of the three grades", source=_ALBI),
                Reading(grade="3", text="worst liver function of the three grades", source=_ALBI),
                Reading(
                    grade="score ≥ −2.30",
                    text="atezolizumab–bevacizumab, n = 184: early progression, odds ratio 2.1 (1.0–4.5)",
                    source="doi:10.1002/cam4.6369",
                ),
            ),
        ),
        compute=_albi,
        grading=_ALBI_GRADES,
    ),
    Score(
        definition=Definition(
            marker="malbi",
            kind="score",
            title="modified ALBI grade (Hiraoka)",
            needs=("bilirubin", "albumin"),
            rule="ALBI score; 1 ≤ −2.60, 2a ≤ −2.27, 2b ≤ −1.39, 3 above",
            source=_MALBI,
            verification="verified_secondary",
            seen="limits in table 1 of that later paper; the first paper was not seen",
            readings=(
                Reading(
                    grade="2b",
                    text="lenvatinib, n = 524: 2b or 3, hazard ratio of death 2.471 (1.944–3.141)",
                    source="doi:10.1038/s41598-021-93794-5",
                ),
            ),
        ),
        compute=_albi,
        grading=_MALBI_GRADES,
    ),
    Score(
        definition=Definition(
            marker="ez_albi",
            kind="score",
            title="EZ-ALBI score",
            needs=("bilirubin", "albumin"),
            rule="bilirubin mg/dL − 9·albumin g/dL",
            source="PMC7768152",
            verification="verified",
            seen="formula in the abstract; the limits of its grades were not seen, so no grade is given",
        ),
        compute=_ez_albi,
    ),
    Score(
        definition=Definition(
            marker="palbi",
            kind="score",
            title="PALBI score",
            needs=("bilirubin", "albumin", "platelets"),
            rule=(
                "2.02·log10 B − 0.37·(log10 B)² − 0.04·A − 3.48·log10 P + 1.01·(log10 P)²; "
                "1 ≤ −2.53, 2 ≤ −2.09, 3 above"
            ),
            source=_PALBI,
            verification="verified_secondary",
            seen="formula and limits in a table; units (µmol/L, g/L, 10⁹/L) are not printed there: assumed",
        ),
        compute=_palbi,
        grading=_PALBI_GRADES,
    ),
    Score(
        definition=Definition(
            marker="child_pugh",
            kind="score",
            title="Child-Pugh score",
            unit="points",
            needs=("bilirubin", "albumin", "inr", "ascites_points", "encephalopathy_points"),
            rule=(
                "bilirubin < 2, 2–3, > 3 mg/dL; albumin > 3.5, 2.8–3.5, < 2.8 g/dL (policy "
                "child_pugh_albumin_cut); INR < 1.7, 1.7–2.3, > 2.3; ascites; encephalopathy; "
                "A 5–6, B 7–9, C 10–15"
            ),
            source="doi:10.1002/bjs.1800600817",
            verification="verified_secondary",
            seen="limits in a table at ccjm.org (2.8); PMC3017746 prints 3.0; paper of 1973 not seen",
            readings=(
                Reading(
                    grade="B",
                    text="7 points or more in cirrhosis indicate decompensation",
                    source="PMC3017746",
                ),
            ),
        ),
        compute=_child_pugh,
        grading=_CHILD_PUGH_GRADES,
        steps=True,
    ),
    Score(
        definition=Definition(
            marker="meld",
            kind="score",
            title="MELD, without bounds",
            unit="points",
            needs=("bilirubin", "inr", "creatinine"),
            rule="3.78·ln bilirubin mg/dL + 11.20·ln INR + 9.57·ln creatinine mg/dL + 6.43",
            source=_PALBI,
            verification="verified_secondary",
            seen="formula and groups (< 10, 10–14, > 14) in a table that prints no lower bounds",
        ),
        compute=_meld,
        grading=_MELD_GROUPS,
    ),
    Score(
        definition=Definition(
            marker="meld_bounded",
            kind="score",
            title="MELD, with the bounds of organ allocation",
            unit="points",
            needs=("bilirubin", "inr", "creatinine"),
            rule="as meld; values below 1 count 1, creatinine at most 4.0 mg/dL, score 6 to 40; not rounded",
            source="calculatorlib.com/meld-score-calculator",
            verification="verified_secondary",
            seen="bounds on pages of calculators only; dialysis (creatinine 4.0) is not known here",
        ),
        compute=_meld_bounded,
    ),
    Score(
        definition=Definition(
            marker="crafity",
            kind="score",
            title="CRAFITY score (Scheiner 2022)",
            unit="points",
            needs=("afp", "crp"),
            rule="one point each for AFP ≥ 100 ng/mL and CRP ≥ 1 mg/dL; 0 low, 1 intermediate, 2 high",
            source=_CRAFITY,
            verification="verified_secondary",
            seen="limits in the abstract of a later use, doi:10.1007/s12072-023-10535-8",
            readings=(
                *_read("mims.com, 2021", "validation, n = 102: median OS {} months", _CRAFITY_OS),
                *_read(_CRAFITY, "locoregional treatment with immunotherapy: 3-year OS {} %", _CRAFITY_3Y),
            ),
        ),
        compute=_crafity,
        grading=_CRAFITY_GRADES,
        steps=True,
    ),
    Score(
        definition=Definition(
            marker="mgps",
            kind="score",
            title="modified Glasgow prognostic score (Proctor, McMillan)",
            unit="points",
            needs=("crp", "albumin"),
            rule="CRP ≤ 10 mg/L: 0, whatever the albumin; above: 1 with albumin ≥ 35 g/L, 2 with less",
            source="aihaoyisheng.com/en/tools/mgps",
            verification="verified_secondary",
            seen=(
                "a tool and the abstract of Proctor; not the plain GPS (1 for either alone), not the "
                "'modified GPS' of PMC10251088 (CRP 0.5 mg/dL)"
            ),
        ),
        compute=_mgps,
        grading=_MGPS_GRADES,
        steps=True,
    ),
    Score(
        definition=Definition(
            marker="nlr",
            kind="score",
            title="neutrophil-to-lymphocyte ratio",
            needs=("neutrophils", "lymphocytes"),
            rule="neutrophils / lymphocytes",
            source=_FORMULAS,
            verification="verified_secondary",
            seen="formula in a table; cut-offs differ by study, so no grade is given: see the readings",
            readings=(
                Reading(
                    grade="< 2.5",
                    text="atezolizumab–bevacizumab, n = 121: objective response in 39.0 % against 19.4 %",
                    source="PMC9939088",
                ),
                Reading(
                    grade="≥ 3",
                    text="atezolizumab–bevacizumab, n = 88: associated with hyperprogression",
                    source="doi:10.1111/hepr.13741",
                ),
                Reading(
                    grade="> 4.125",
                    text="nivolumab, n = 189: associated with hyperprogression",
                    source="J Hepatol 2021;74:350",
                ),
                Reading(
                    grade="0.83 to 3.92",
                    text="middle 95 % of a general population",
                    source=_GENERAL,
                ),
            ),
        ),
        compute=_nlr,
    ),
    Score(
        definition=Definition(
            marker="plr",
            kind="score",
            title="platelet-to-lymphocyte ratio",
            needs=("platelets", "lymphocytes"),
            rule="platelets / lymphocytes",
            source=_FORMULAS,
            verification="verified_secondary",
            seen="formula in a table; no grade is given",
            readings=(
                Reading(grade="61 to 239", text="middle 95 % of a general population", source=_GENERAL),
            ),
        ),
        compute=_plr,
    ),
    Score(
        definition=Definition(
            marker="sii",
            kind="score",
            title="systemic immune-inflammation index",
            unit="10⁹/L",
            needs=("platelets", "neutrophils", "lymphocytes"),
            rule="platelets · neutrophils / lymphocytes",
            source=_FORMULAS,
            verification="verified_secondary",
            seen="formula in a table, unit in another; no grade is given",
            readings=(
                Reading(grade="189 to 1168", text="middle 95 % of a general population", source=_GENERAL),
            ),
        ),
        compute=_sii,
    ),
    Score(
        definition=Definition(
            marker="pni",
            kind="score",
            title="prognostic nutritional index",
            needs=("albumin", "lymphocytes"),
            rule="10·albumin g/dL + 0.005·lymphocytes per µL",
            source=_FORMULAS,
            verification="verified_secondary",
            seen="formula in a table; no grade is given",
        ),
        compute=_pni,
    ),
)
"""Every score. Adding one touches this list, and a pure function where the formula is new."""
