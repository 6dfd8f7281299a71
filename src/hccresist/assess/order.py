"""Order of rows: tables of results are sorted by key, so that neighbours tell what a sort would."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def in_order(frame: pl.DataFrame, keys: Sequence[str]) -> bool:
    """Return whether rows ascend by the keys; a missing key counts as not in order.

    Examples
    --------
    >>> in_order(pl.DataFrame({"a": ["x", "x", "y"], "b": [1, 2, 0]}), ["a", "b"])
    True
    >>> in_order(pl.DataFrame({"a": ["x", "x", "y"], "b": [2, 1, 0]}), ["a", "b"])
    False
    """
    n = frame.height
    tied = pl.repeat(value=True, n=max(n - 1, 0), dtype=pl.Boolean, eager=True)
    for key in keys:
        if frame[key].null_count():
            return False
        before, after = frame[key].slice(0, max(n - 1, 0)), frame[key].slice(1)
        if (tied & (after < before)).any():
            return False
        tied = tied & (after == before)
    return True


def sort_rows(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the rows sorted by the keys, the frame itself where they are so already."""
    return frame if in_order(frame, keys) else frame.sort(keys, maintain_order=True)


def opens_group(keys: Sequence[str]) -> pl.Expr:
    """Return whether a row is the first of its neighbours with the same keys, none of them missing."""
    differs = (pl.col(key) != pl.col(key).shift() for key in keys)
    return pl.any_horizontal(differs).fill_null(value=True)
