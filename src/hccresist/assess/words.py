"""Response words as small integers, so that rules can be vectorised."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Codes = NDArray[np.int8]
"""Array of response codes, one of the constants below."""

NONE: Final = 0
CR: Final = 1
PR: Final = 2
SD: Final = 3
NON: Final = 4
NED: Final = 5
PD: Final = 6
NE: Final = 7
UPD: Final = 8
CPD: Final = 9

RECIST_WORDS: Final = ("", "CR", "PR", "SD", "NON-CR/NON-PD", "NED", "PD", "NE", "PD", "PD")
IRECIST_WORDS: Final = ("", "iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "NED", "iUPD", "NE", "iUPD", "iCPD")

_CODE_OF: Final[dict[str, int]] = {
    **{word: code for code, word in enumerate(RECIST_WORDS[:UPD]) if word},
    **{word: code for code, word in enumerate(IRECIST_WORDS[:PD]) if word},
    "iUPD": UPD,
    "iCPD": CPD,
}


WORDS: Final = pl.Enum([*dict.fromkeys(word for word in (*RECIST_WORDS, *IRECIST_WORDS) if word)])
"""Every response word; one byte a value while millions of visits stand in memory."""


def spell(codes: Codes, words: tuple[str, ...]) -> pl.Series:
    """Return codes as response words, null where there is nothing to respond (code `NONE`)."""
    table = pl.Series([word or None for word in words], dtype=WORDS)
    return table.gather(pl.Series(codes.astype(np.uint32)))


def parse(words: pl.Series) -> Codes:
    """Return response words of either vocabulary as codes; null becomes `NE`."""
    codes = words.cast(pl.String).replace_strict(_CODE_OF, default=NE, return_dtype=pl.Int8)
    return codes.fill_null(NE).to_numpy().astype(np.int8)


def parse_word(word: str) -> int:
    """Return one response word as a code."""
    return _CODE_OF[word]
