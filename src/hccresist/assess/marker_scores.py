"""Scores of liver function and inflammation: one small pure function each.

Arguments are numbers or arrays in the unit that the name ends on; NaN where a value is missing, and
NaN comes out where a score is undefined. Results are rounded to nine decimals, so that a value that
stands exactly on a limit stays there whatever unit it came in (2.0 mg/dL and 34.2 µmol/L bilirubin).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BILIRUBIN_UMOL_PER_MG_DL: Final = 17.1
"""µmol/L of bilirubin in 1 mg/dL, as printed with ALBI on the project's reference page."""

_DECIMALS: Final = 9


def albi_score(bilirubin_umol_l: ArrayLike, albumin_g_l: ArrayLike) -> Floats:
    """Return the ALBI score: ``0.66·log10(bilirubin) − 0.085·albumin``.

    Grade 1: ≤ −2.60; grade 2: > −2.60 to ≤ −1.39; grade 3: > −1.39. The modified grade (mALBI) splits
    grade 2 at −2.27: 2a ≤ −2.27 < 2b. Some calculators print −0.0852 for albumin; the paper −0.085.

    Parameters
    ----------
    bilirubin_umol_l
        Total bilirubin, µmol/L (mg/dL × 17.1).
    albumin_g_l
        Albumin, g/L (g/dL × 10).

    Returns
    -------
    Floats
        Lower is better; NaN where bilirubin is not above 0.

    References
    ----------
    Johnson 2015, J Clin Oncol 33:550, doi:10.1200/JCO.2014.57.9151 (PMC4322258). Split at −2.27:
    table of doi:10.4251/wjgo.v15.i10.1771.

    Examples
    --------
    A worked example printed by an on-line calculator: 1.2 mg/dL and 3.5 g/dL give about −2.1, grade 2.

    >>> float(albi_score(1.2 * 17.1, 35).round(2))
    -2.11
    """
    return _round(0.66 * _log10(bilirubin_umol_l) - 0.085 * _floats(albumin_g_l))


def ez_albi_score(bilirubin_mg_dl: ArrayLike, albumin_g_dl: ArrayLike) -> Floats:
    """Return the EZ-ALBI score: ``bilirubin − 9·albumin``, both per dL.

    Grades exist, but their limits were not seen: none is given here.

    References
    ----------
    Abstract of PMC7768152 (formula as printed there).

    Examples
    --------
    >>> float(ez_albi_score(1.0, 4.0))
    -35.0
    """
    return _round(_floats(bilirubin_mg_dl) - 9.0 * _floats(albumin_g_dl))


def palbi_score(bilirubin_umol_l: ArrayLike, albumin_g_l: ArrayLike, platelets_10_9_l: ArrayLike) -> Floats:
    """Return the PALBI score of bilirubin (B), albumin (A) and platelets (P).

    ``2.02·log10 B − 0.37·(log10 B)² − 0.04·A − 3.48·log10 P + 1.01·(log10 P)²``. Grade 1: ≤ −2.53;
    grade 2: > −2.53 to ≤ −2.09; grade 3: > −2.09.

    The units (µmol/L, g/L, 10⁹/L) are an assumption: the table that prints the formula names none.

    References
    ----------
    Table of PMC6497276, doi:10.1371/journal.pone.0216173, PMID 31048923.

    Examples
    --------
    >>> float(palbi_score(10.0, 40.0, 100.0).round(2))
    -2.87
    """
    bilirubin, platelets = _log10(bilirubin_umol_l), _log10(platelets_10_9_l)
    liver = 2.02 * bilirubin - 0.37 * bilirubin**2 - 0.04 * _floats(albumin_g_l)
    return _round(liver - 3.48 * platelets + 1.01 * platelets**2)


def child_pugh_score(
    *,
    bilirubin_mg_dl: ArrayLike,
    albumin_g_dl: ArrayLike,
    inr: ArrayLike,
    ascites_points: ArrayLike,
    encephalopathy_points: ArrayLike,
    albumin_cut_g_dl: float = 2.8,
) -> Floats:
    """Return the Child-Pugh score, 5 to 15 points.

    =================  ==========  ==========  =============
    points             1           2           3
    =================  ==========  ==========  =============
    bilirubin mg/dL    < 2         2 to 3      > 3
    albumin g/dL       > 3.5       2.8 to 3.5  < 2.8
    INR                < 1.7       1.7 to 2.3  > 2.3
    ascites            none        mild        moderate or more
    encephalopathy     none        grade 1–2   grade 3–4
    =================  ==========  ==========  =============

    Class A: 5–6, B: 7–9, C: 10–15. The form with bilirubin limits for cholestatic disease is not meant.

    Parameters
    ----------
    bilirubin_mg_dl, albumin_g_dl, inr
        Laboratory values.
    ascites_points, encephalopathy_points
        1, 2 or 3.
    albumin_cut_g_dl
        Albumin below this scores 3; some tables print 3.0 (policy `child_pugh_albumin_cut`).

    References
    ----------
    Table at ccjm.org (highwire/markup/12320), with 2.8; PMC3017746, table 1, prints 3.0.
    Pugh 1973, doi:10.1002/bjs.1800600817.

    Examples
    --------
    >>> float(child_pugh_score(bilirubin_mg_dl=3.2, albumin_g_dl=2.6, inr=2.0,
    ...                        ascites_points=2, encephalopathy_points=2))
    12.0
    """
    bilirubin, albumin, clotting = _floats(bilirubin_mg_dl), _floats(albumin_g_dl), _floats(inr)
    points = _points(bilirubin, bilirubin >= 2.0, bilirubin > 3.0)
    points = points + _points(albumin, albumin <= 3.5, albumin < albumin_cut_g_dl)
    points = points + _points(clotting, clotting >= 1.7, clotting > 2.3)
    return points + _allowed_points(ascites_points) + _allowed_points(encephalopathy_points)


def meld_score(
    bilirubin_mg_dl: ArrayLike, inr: ArrayLike, creatinine_mg_dl: ArrayLike, *, bounded: bool = False
) -> Floats:
    """Return MELD: ``3.78·ln bilirubin + 11.20·ln INR + 9.57·ln creatinine + 6.43``.

    Sodium is not part of it; dialysis is not known here. Groups of the source: < 10, 10–14, > 14.

    Parameters
    ----------
    bilirubin_mg_dl, inr, creatinine_mg_dl
        Laboratory values.
    bounded
        As for organ allocation: values below 1 count 1, creatinine at most 4.0, score 6 to 40.
        The table of the formula prints no such bounds.

    References
    ----------
    Formula: table of PMC6497276, doi:10.1371/journal.pone.0216173. Bounds: secondary pages only
    (calculatorlib.com/meld-score-calculator, freeonlinecalc.com).

    Examples
    --------
    The worked example of calculatorlib.com: 13.41.

    >>> float(meld_score(1.9, 1.2, 1.3).round(2))
    13.41
    """
    values = [_floats(value) for value in (bilirubin_mg_dl, inr, creatinine_mg_dl)]
    if bounded:
        bilirubin, clotting, creatinine = (np.maximum(value, 1.0) for value in values)
        score = _meld(bilirubin, clotting, np.minimum(creatinine, 4.0))
        return _round(np.clip(score, 6.0, 40.0))
    return _round(_meld(*values))


def crafity_score(afp_ng_ml: ArrayLike, crp_mg_l: ArrayLike) -> Floats:
    """Return CRAFITY: one point each for AFP ≥ 100 ng/mL and CRP ≥ 10 mg/L (1 mg/dL).

    0 low, 1 intermediate, 2 high. One secondary paper prints CRP in mg/mL, by mistake.

    References
    ----------
    Scheiner 2022, J Hepatol 76:353; limits as in doi:10.1007/s12072-023-10535-8 (PMID 37129721).

    Examples
    --------
    >>> float(crafity_score(100.0, 9.9))
    1.0
    """
    afp, crp = _floats(afp_ng_ml), _floats(crp_mg_l)
    known = ~(np.isnan(afp) | np.isnan(crp))
    return np.where(known, (afp >= 100.0).astype(np.float64) + (crp >= 10.0), np.nan)


def mgps_score(crp_mg_l: ArrayLike, albumin_g_l: ArrayLike) -> Floats:
    """Return the modified Glasgow prognostic score in the form of Proctor and McMillan.

    CRP ≤ 10 mg/L: 0, whatever the albumin; above with albumin ≥ 35 g/L: 1; above with < 35 g/L: 2.
    Two other scores go by near names: the *original* GPS gives 1 for low albumin alone, and a review
    (PMC10251088) prints a "modified GPS" with CRP 0.5 mg/dL.

    References
    ----------
    aihaoyisheng.com/en/tools/mgps; abstract of Proctor (CRP > 10 mg/L, albumin < 35 g/L).

    Examples
    --------
    >>> mgps_score([10.0, 10.1, 10.1], [20.0, 35.0, 34.9]).tolist()
    [0.0, 1.0, 2.0]
    """
    crp, albumin = _floats(crp_mg_l), _floats(albumin_g_l)
    raised = np.where(albumin < 35.0, 2.0, 1.0)
    raised = np.where(np.isnan(albumin), np.nan, raised)
    score = np.where(crp > 10.0, raised, 0.0)
    return np.where(np.isnan(crp), np.nan, score)


def neutrophil_lymphocyte_ratio(neutrophils_10_9_l: ArrayLike, lymphocytes_10_9_l: ArrayLike) -> Floats:
    """Return NLR, neutrophils over lymphocytes; any unit, but the same for both.

    Cut-offs differ by study; no grade is given.

    References
    ----------
    PMC10251088, table 2.

    Examples
    --------
    >>> float(neutrophil_lymphocyte_ratio(4.0, 1.6))
    2.5
    """
    return _round(_ratio(neutrophils_10_9_l, lymphocytes_10_9_l))


def platelet_lymphocyte_ratio(platelets_10_9_l: ArrayLike, lymphocytes_10_9_l: ArrayLike) -> Floats:
    """Return PLR, platelets over lymphocytes; any unit, but the same for both.

    References
    ----------
    PMC10251088, table 2.

    Examples
    --------
    >>> float(platelet_lymphocyte_ratio(180.0, 1.5))
    120.0
    """
    return _round(_ratio(platelets_10_9_l, lymphocytes_10_9_l))


def systemic_immune_inflammation_index(
    platelets_10_9_l: ArrayLike, neutrophils_10_9_l: ArrayLike, lymphocytes_10_9_l: ArrayLike
) -> Floats:
    """Return SII, ``platelets · neutrophils / lymphocytes``, in 10⁹/L.

    References
    ----------
    PMC10251088, table 2; doi:10.1038/s41598-018-28646-w, table 2 (unit).

    Examples
    --------
    >>> float(systemic_immune_inflammation_index(200.0, 4.0, 1.6))
    500.0
    """
    return _round(_floats(platelets_10_9_l) * _ratio(neutrophils_10_9_l, lymphocytes_10_9_l))


def prognostic_nutritional_index(albumin_g_dl: ArrayLike, lymphocytes_per_ul: ArrayLike) -> Floats:
    """Return PNI, ``10·albumin + 0.005·lymphocytes``, from g/dL and cells per µL.

    References
    ----------
    PMC10251088, table 2.

    Examples
    --------
    >>> float(prognostic_nutritional_index(4.0, 1600.0))
    48.0
    """
    return _round(10.0 * _floats(albumin_g_dl) + 0.005 * _floats(lymphocytes_per_ul))


def _meld(bilirubin: Floats, inr: Floats, creatinine: Floats) -> Floats:
    return 3.78 * _ln(bilirubin) + 11.20 * _ln(inr) + 9.57 * _ln(creatinine) + 6.43


def _points(value: Floats, two: NDArray[np.bool_], three: NDArray[np.bool_]) -> Floats:
    return np.where(np.isnan(value), np.nan, 1.0 + two + three)


def _allowed_points(points: ArrayLike) -> Floats:
    given = _floats(points)
    return np.where(np.isin(given, (1.0, 2.0, 3.0)), given, np.nan)


def _ratio(top: ArrayLike, bottom: ArrayLike) -> Floats:
    above, below = _floats(top), _floats(bottom)
    return above / np.where(below > 0, below, np.nan)


def _log10(value: ArrayLike) -> Floats:
    return _ln(value) / np.log(10.0)


def _ln(value: ArrayLike) -> Floats:
    given = _floats(value)
    return np.log(np.where(given > 0, given, np.nan))


def _round(value: Floats) -> Floats:
    return np.asarray(np.round(value, _DECIMALS), dtype=np.float64)


def _floats(value: ArrayLike) -> Floats:
    """Return values as floats, on the grid that keeps ties exact."""
    return np.asarray(np.round(np.asarray(value, dtype=np.float64), _DECIMALS), dtype=np.float64)
