"""Words and numbers as the report shows them: one spelling of each, everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

DAYS_PER_MONTH: Final = 365.25 / 12
"""Days in a month of the report's time axes."""

CRITERIA: Final = {
    "recist11": "RECIST 1.1",
    "mrecist": "mRECIST",
    "irecist": "iRECIST",
    "imrecist": "imRECIST",
    "irrc": "irRC",
    "easl": "EASL",
    "who": "WHO",
    "choi": "Choi",
    "mchoi": "mChoi",
    "recicl": "RECICL",
    "recorded": "as recorded",
}
"""Criterion to the spelling that the field uses."""

RESPONSES: Final = (
    "CR",
    "iCR",
    "PR",
    "iPR",
    "SD",
    "iSD",
    "NON-CR/NON-PD",
    "NON-iCR/NON-iUPD",
    "iUPD",
    "PD",
    "iCPD",
    "NE",
    "NED",
)
"""Response words from best to worst, then those that say nothing about change."""

TONE_OF: Final = {
    "CR": "cr",
    "iCR": "cr",
    "PR": "pr",
    "iPR": "pr",
    "SD": "sd",
    "iSD": "sd",
    "NON-CR/NON-PD": "non",
    "NON-iCR/NON-iUPD": "non",
    "iUPD": "upd",
    "PD": "pd",
    "iCPD": "pd",
    "NE": "ne",
    "NED": "ned",
}
"""Response word to the name of its colour; see `hccresist.report.theme`."""

MEASURES: Final = {
    "ORR": "Objective response, ORR",
    "DCR": "Disease control, DCR",
    "CBR": "Clinical benefit, CBR",
}
ENDPOINTS: Final = {
    "OS": "Overall survival",
    "PFS": "Progression-free survival",
    "TTP": "Time to progression",
    "iPFS": "Progression-free survival by iRECIST",
    "DOR": "Duration of response",
    "iDOR": "Duration of response by iRECIST",
    "TTR": "Time to response",
}
"""Endpoint to its name in words, in the order of the report."""

DASH: Final = "–"
EMPTY: Final = "—"


def label_criterion(criterion: str) -> str:
    """Return a criterion in the field's spelling; a name of the study's own stays as it is."""
    return CRITERIA.get(criterion, criterion)


def label_reader(reader: str) -> str:
    """Return a reader's name, or words for the reader whom the study does not name."""
    return f"reader {reader}" if reader else "reader not named"


def label_endpoint(endpoint: str) -> str:
    """Return an endpoint in words; an endpoint of the study's own stays as it is."""
    return ENDPOINTS.get(endpoint, endpoint)


def response_tone(word: str) -> str:
    """Return the colour name of a response word; unknown words get that of NE."""
    return TONE_OF.get(word, "ne")


def sort_responses(words: Iterable[str]) -> tuple[str, ...]:
    """Return distinct response words from best to worst, unknown ones last by name.

    Examples
    --------
    >>> sort_responses(["PD", "CR", "SD", "PD"])
    ('CR', 'SD', 'PD')
    """
    rank = {word: i for i, word in enumerate(RESPONSES)}
    return tuple(sorted(set(words), key=lambda word: (rank.get(word, len(rank)), word)))


def number(value: float | None, digits: int = 1) -> str:
    """Return a number with a fixed count of decimals, a true minus sign, or a dash for nothing.

    Examples
    --------
    >>> number(-12.34), number(None)
    ('−12.3', '—')
    """
    if value is None or value != value:  # noqa: PLR0124  (NaN)
        return EMPTY
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def plain(value: float | None) -> str:
    """Return a number without needless decimals.

    Examples
    --------
    >>> plain(56.0), plain(56.5)
    ('56', '56.5')
    """
    text = number(value, 2)
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: int) -> str:
    r"""Return a whole number with narrow no-break spaces between thousands.

    Examples
    --------
    >>> ascii(count(1100))
    "'1\\u202f100'"
    """
    return f"{value:,}".replace(",", "\u202f")


def plural(n: int, word: str, words: str = "") -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "patient"), plural(2, "patient")
    ('1 patient', '2 patients')
    """
    return f"{count(n)} {word if n == 1 else words or word + 's'}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a percentage with its sign after a no-break space."""
    text = number(value, digits)
    return text if text == EMPTY else f"{text}\u00a0%"


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Return limits as ``low to high``; a limit that is not reached is a dash.

    Examples
    --------
    >>> interval(1.0, 2.5)
    '1.0 to 2.5'
    """
    if low is None and high is None:
        return EMPTY
    return f"{number(low, digits)} to {number(high, digits)}"


def months(days: float | None, digits: int = 1) -> str:
    """Return days as months of 30.4375 days."""
    return number(None if days is None else days / DAYS_PER_MONTH, digits)


def p_value(value: float | None) -> str:
    """Return a p-value with three decimals, or that it is smaller.

    Examples
    --------
    >>> p_value(0.0004), p_value(0.0421)
    ('< 0.001', '0.042')
    """
    if value is None or value != value:  # noqa: PLR0124  (NaN)
        return EMPTY
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def listing(words: Iterable[str]) -> str:
    """Return words as a list in a sentence.

    Examples
    --------
    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def slug(text: str) -> str:
    """Return a text that can stand in an ``id`` or a link; different texts stay different.

    Examples
    --------
    >>> slug("P 1"), slug("")
    ('P:201', ':')
    """
    return quote(text, safe="").replace("%", ":") or ":"
