"""Codes and names of parameters: one for each quantity, criterion and reader.

A code has at most 8 characters: up to 4 of the quantity, 2 of the criterion, and, where a study has
several readers, the number of the reader in order of name. ``PARAM`` says all of it in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.assess.criteria import CRITERIA
from hccresist.errors import ConfigError

CRITERION_CODES: Final[dict[str, str]] = {
    "": "",
    "recist11": "R1",
    "mrecist": "MR",
    "irecist": "IR",
    "imrecist": "IM",
    "irrc": "RC",
    "irrc1d": "R2",
    "who": "WH",
    "easl": "EA",
    "easl_estimated": "EE",
    "choi": "CH",
    "mchoi": "MC",
    "recicl": "RL",
    "recorded": "RE",
}
"""Two characters a criterion; criteria of a study's own are numbered V1, V2 …"""
MOST_READERS: Final = 99
MOST_VARIANTS: Final = 9


@dataclass(frozen=True, slots=True)
class Parameter:
    """A quantity: the head of its code, its name, and its category."""

    head: str
    title: str
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How criteria and readers of a study are written in codes and names.

    Attributes
    ----------
    criteria, titles
        Criterion to its two characters, and to its name for people.
    readers
        Reader to the end of the code; empty where there is only one.
    """

    criteria: Mapping[str, str]
    titles: Mapping[str, str]
    readers: Mapping[str, str]

    def columns(self, parameter: Parameter) -> list[pl.Expr]:
        """Return code, name and categories of rows with columns `criterion` and `reader`."""
        code = self.criterion_code() + self.reader_code()
        head = pl.lit(parameter.head)
        return [
            (head + code).alias("PARAMCD"),
            (pl.lit(parameter.title) + self.said()).alias("PARAM"),
            pl.lit(parameter.category).alias("PARCAT1"),
            self.reader_name().alias("PARCAT2"),
            self.criterion_title().alias("PARCAT3"),
        ]

    def criterion_code(self) -> pl.Expr:
        """Return the characters of each row's criterion."""
        return pl.col("criterion").replace_strict(dict(self.criteria), return_dtype=pl.String)

    def reader_code(self) -> pl.Expr:
        """Return the characters of each row's reader."""
        return pl.col("reader").replace_strict(dict(self.readers), return_dtype=pl.String)

    def criterion_title(self) -> pl.Expr:
        """Return the name of each row's criterion, null where there is none."""
        return pl.col("criterion").replace_strict(dict(self.titles), default=None, return_dtype=pl.String)

    def reader_name(self) -> pl.Expr:
        """Return each row's reader, null where the study names none."""
        return pl.when(pl.col("reader") != "").then("reader")

    def said(self) -> pl.Expr:
        """Return what stands behind the name of a quantity: by whom, and by which criterion."""
        by = pl.lit(" by ") + self.reader_name()
        rule = pl.lit(", ") + self.criterion_title()
        return by.fill_null("") + rule.fill_null("")


def make_coding(frames: Iterable[pl.DataFrame], titles: Mapping[str, str]) -> Coding:
    """Return how the criteria and readers of some tables are written.

    Parameters
    ----------
    frames
        Tables with columns `reader` and, some of them, `criterion`.
    titles
        Names for people of the criteria of the study's own.

    Raises
    ------
    ConfigError
        When there are more readers or criteria than the codes can tell apart.
    """
    criteria, readers = {""}, {""}
    for frame in frames:
        readers.update(frame["reader"].unique().to_list())
        if "criterion" in frame.columns:
            criteria.update(frame["criterion"].unique().to_list())
    named = sorted(readers - {""})
    own = sorted(criteria - set(CRITERION_CODES))
    if len(named) > MOST_READERS or len(own) > MOST_VARIANTS:
        msg = (
            f"There are {len(named)} readers and {len(own)} criteria of the study's own; parameter codes of 8"
            f" characters can tell apart {MOST_READERS} and {MOST_VARIANTS}. Export fewer at a time."
        )
        raise ConfigError(msg)
    codes = CRITERION_CODES | {name: f"V{n}" for n, name in enumerate(own, start=1)}
    known = {name: criterion.title for name, criterion in CRITERIA.items()}
    numbers = {name: str(n) for n, name in enumerate(named, start=1)} if len(named) > 1 else {}
    return Coding(
        criteria=codes,
        titles=known | {name: name for name in own} | dict(titles) | {"recorded": "as recorded"},
        readers={"": "", **{name: numbers.get(name, "") for name in named}},
    )


def endpoint_heads(endpoints: Sequence[str]) -> dict[str, str]:
    """Return the head of the code of each endpoint: at most 4 letters and digits, no two the same.

    Examples
    --------
    >>> endpoint_heads(["PFS", "iPFS", "recurrence free", "recurrence"])
    {'PFS': 'PFS', 'iPFS': 'IPFS', 'recurrence': 'RECU', 'recurrence free': 'REC2'}
    """
    heads: dict[str, str] = {}
    for name in sorted(endpoints):
        plain = "".join(letter for letter in name.upper() if letter.isascii() and letter.isalnum()) or "E"
        head, n = plain[:4], 1
        while head in heads.values():
            n += 1
            head = f"{plain[: 4 - len(str(n))]}{n}"
        heads[name] = head
    return heads
