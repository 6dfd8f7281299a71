"""On which scale expression values are, and how they come to log2.

What is asked of a sample, or of the whole table where it has fewer than 1,000 genes: are there negative
values, are the values whole, how high is the highest?

=========  ==========================================  ==================================================
found      when                                        what is done
=========  ==========================================  ==================================================
log        highest at most 25, or negative values      taken as they are; a floor at log2 of 0.001, 0.01
           between -20 and 25                          or 0.1 is brought to log2(x + 1)
centred    as log, and most genes have a mean of 0     taken as they are: genes of one tumour are then
                                                       compared as to their place in the cohort
linear     not negative, highest above 50              log2(x + 1)
counts     half or more of the values above 0 are      log2(x · 1,000,000 / sum + 1) where 8,000 genes or
           whole, highest above 50                     more are there; else by the upper quartile
=========  ==========================================  ==================================================

Anything else is ambiguous and refused until the scale is named.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SCALES: Final = ("counts", "linear", "log", "centred")
"""Scales that a table of expression may have."""

LOG_TOP: Final = 25.0
"""Highest value that a logarithm to base 2 of expression can have."""
LINEAR_TOP: Final = 50.0
"""Highest value above which values cannot be logarithms."""
LOG_FLOOR: Final = -20.0
"""Lowest value that a logarithm of expression can have."""
WHOLE_SHARE: Final = 0.5
"""Share of whole numbers among the values above 0 from which they are read counts."""
PANEL_GENES: Final = 1_000
"""Genes from which on each sample is judged by itself; of fewer, any may happen to be low."""
LIBRARY_GENES: Final = 8_000
"""Genes from which on their sum is taken for the library size."""
UPPER_QUARTILE: Final = 100.0
"""Value that the upper quartile of a sample's counts is brought to where the library size is unknown."""
SUMS_RATIO: Final = 3.0
"""Ratio of the largest to the smallest sum of a sample above which linear values look unnormalised."""
NEGATIVE_SHARE: Final = 0.2
"""Share of negative logarithms from which on they are told to be ratios."""
_FLOORS: Final = (0.001, 0.01, 0.1)
_CENTRED_MEAN: Final = 0.1
_CENTRED_SHARE: Final = 0.8
_CENTRED_SAMPLES: Final = 8

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Scale of each sample (empty: ambiguous), of the whole, and why where it is refused."""

    samples: tuple[str, ...]
    scale: str
    reason: str = ""


def judge_scale(values: Values) -> Verdict:
    """Say on which scale a table is.

    Parameters
    ----------
    values
        Genes × samples; NaN where not measured.

    Returns
    -------
    Verdict
        ``scale`` is one of `SCALES`, or empty with the reason. A sample of a clear other scale than
        most has its own word in ``samples``; one that is not clear by itself follows the rest.
    """
    finite = values[np.isfinite(values)]
    if values.shape[0] < PANEL_GENES:
        own = (_judge_sample(finite),) * values.shape[1]
    else:
        own = tuple(_judge_sample(column[np.isfinite(column)]) for column in values.T)
    if finite.size == 0:
        return Verdict(samples=own, scale="", reason="the table has no values")
    clear = Counter(word for word in own if word)
    scale, most = clear.most_common(1)[0] if clear else (_judge_sample(finite), 1)
    if clear and most * 2 <= clear.total():
        shares = ", ".join(f"{count} {word}" for word, count in sorted(clear.items()))
        return Verdict(samples=own, scale="", reason=f"samples are on different scales ({shares})")
    if not scale:
        return Verdict(samples=own, scale="", reason=_say_ambiguous(finite))
    if scale == "log" and _is_centred(values):
        own = tuple("centred" if word == "log" else word for word in own)
        scale = "centred"
    return Verdict(samples=tuple(word or scale for word in own), scale=scale)


def _judge_sample(values: Values) -> str:
    if values.size == 0:
        return ""
    low, high = float(values.min()), float(values.max())
    if low < 0:
        return "log" if low >= LOG_FLOOR and high <= LOG_TOP else ""
    above = values[values > 0]
    whole = above.size > 0 and float(np.mean(above == np.round(above))) >= WHOLE_SHARE
    if high > LINEAR_TOP:
        return "counts" if whole else "linear"
    return "log" if 1 < high <= LOG_TOP and not whole else ""


def _is_centred(values: Values) -> bool:
    if values.shape[1] < _CENTRED_SAMPLES or not np.nanmin(values) < 0:
        return False
    measured = values[np.isfinite(values).sum(axis=1) >= _CENTRED_SAMPLES]
    if measured.size == 0:
        return False
    middle = np.minimum(np.abs(np.nanmean(measured, axis=1)), np.abs(np.nanmedian(measured, axis=1)))
    return float(np.mean(middle < _CENTRED_MEAN)) >= _CENTRED_SHARE


def _say_ambiguous(values: Values) -> str:
    low, high = float(values.min()), float(values.max())
    held = f"values from {low:.6g} to {high:.6g}"
    if low < 0:
        return f"{held}: negative as logarithms are, but too far out for a logarithm of expression"
    if high <= 1:
        return f"{held}: a share, a percentile or a methylation value rather than expression"
    if high <= LOG_TOP:
        return f"{held}, most of them whole: small counts or rounded logarithms"
    return f"{held}: too high for logarithms and too low for linear values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """Values on a log2 scale, what was done in words, and notices."""

    values: Values
    done: str
    notices: tuple[str, ...] = ()


def convert_scale(values: Values, scale: str) -> Converted:
    """Bring values to log2, each sample by itself.

    Parameters
    ----------
    values
        Genes × samples on one scale; NaN where not measured.
    scale
        One of `SCALES`.
    """
    if scale == "counts":
        return _convert_counts(values)
    if scale == "linear":
        return _convert_linear(values)
    if scale == "centred":
        notice = (
            "values are centred gene by gene: a rank score then compares genes as to their place in the "
            "cohort, and moves with it"
        )
        return Converted(values=values, done="taken as they are", notices=(notice,))
    return _convert_log(values)


def _convert_log(values: Values) -> Converted:
    low = float(np.nanmin(values)) if np.isfinite(values).any() else 0.0
    for floor in _FLOORS:
        if abs(low - np.log2(floor)) < 1e-3:
            back = np.log2(np.maximum(np.exp2(values) - floor, 0.0) + 1.0)
            notice = f"values are log2(x + {floor:g}); they were brought to log2(x + 1)"
            return Converted(values=back, done=f"from log2(x + {floor:g}) to log2(x + 1)", notices=(notice,))
    held = values[np.isfinite(values)]
    if held.size and float(np.mean(held < 0)) > NEGATIVE_SHARE:
        notice = (
            f"{np.mean(held < 0):.0%} of the values are negative, as ratios to another sample are: a rank "
            "score then compares genes as to that ratio, not as to how much of them there is"
        )
        return Converted(values=values, done="taken as they are", notices=(notice,))
    return Converted(values=values, done="taken as they are")


def _convert_linear(values: Values) -> Converted:
    notices = ["values are linear; they were brought to log2(x + 1)"]
    sums = np.nansum(values, axis=0)
    sums = sums[sums > 0]
    if sums.size > 1 and float(sums.max() / sums.min()) > SUMS_RATIO:
        ratio = float(sums.max() / sums.min())
        notices.append(f"sums of samples differ {ratio:.1f}-fold: the table looks as if not normalised")
    if np.isfinite(values).any() and float(np.nanmax(values)) < 1_000:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        notices.append(
            f"linear values reach only from {low:.4g} to {high:.4g}: they may have been transformed before"
        )
    return Converted(values=np.log2(values + 1.0), done="log2(x + 1)", notices=tuple(notices))


def _convert_counts(values: Values) -> Converted:
    genes = values.shape[0]
    length = "a rank score compares genes of one tumour without regard to their length"
    if genes >= LIBRARY_GENES:
        sums = np.nansum(values, axis=0)
        scaled = values / np.where(sums > 0, sums, np.nan) * 1e6
        notice = f"values are read counts; they were brought to log2 of counts per million; {length}"
        return Converted(values=np.log2(scaled + 1.0), done="log2(counts per million + 1)", notices=(notice,))
    above = np.where(values > 0, values, np.nan)
    quartile = np.array(
        [np.nanquantile(column, 0.75) if np.isfinite(column).any() else np.nan for column in above.T]
    )
    scaled = values / quartile * UPPER_QUARTILE
    notice = (
        f"values are read counts of {genes:,} genes only, so the library size is unknown; each sample was "
        f"scaled by the upper quartile of its counts above 0, which these genes alone decide; {length}"
    )
    return Converted(
        values=np.log2(scaled + 1.0), done="log2(100 × count / upper quartile + 1)", notices=(notice,)
    )
