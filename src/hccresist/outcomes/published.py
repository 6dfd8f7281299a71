"""Published trials of systemic and TACE-based treatment: arms, endpoints and where each number was read.

The files lie in `src/hccresist/data/trials`; the README there says how they were collected. Rows with
`verified` false were written from memory and are only shown; nothing is computed of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl

from hccresist.errors import ConfigError
from hccresist.outcomes.context import name_line
from hccresist.outcomes.limits import Interval, keep_printed, rebuild
from hccresist.outcomes.target_table import split_regimen

TABLES: Final = (
    "arms",
    "endpoints_long",
    "response_patterns",
    "biomarkers",
    "sources",
    "context_facts",
    "trial_context",
)
"""Files of published trials."""

_NUMBERS: Final = {
    "arms": ("n", "median_followup_mo"),
    "endpoints_long": ("value", "low", "high", "ci_level", "n"),
    "response_patterns": ("n_evaluable", "events", "denominator", "rate_pct", "low", "high"),
    "biomarkers": ("n", "effect", "low", "high"),
    "sources": (),
    "context_facts": (),
    "trial_context": (),
}
_FLAGS: Final = ("verified", "heldout", "control", "n_verified", "baseline_verified", "id_verified")
_COUNTS: Final = ("n", "n_evaluable", "events", "denominator")
_OPEN: Final = ("NR", "NE")
"""Words for a median that was not reached, and a limit that could not be estimated."""


def _read_text(name: str) -> pl.DataFrame:
    """Return a file as text; empty cells are null."""
    path = files("hccresist") / "data" / "trials" / f"{name}.csv"
    return pl.read_csv(path.read_bytes(), infer_schema=False)


@cache
def read_trials(name: str) -> pl.DataFrame:
    """Read one of `TABLES`, with numbers and true or false where they are meant.

    In `endpoints_long` two columns are added: `not_reached` (the value is printed as NR) and `high_open`
    (the upper limit is printed as NR or NE).

    Raises
    ------
    KeyError
        When there is no such table.
    """
    table = _read_text(name)
    if name == "endpoints_long":
        table = table.with_columns(
            not_reached=pl.col("value").is_in(_OPEN),
            high_open=pl.col("high").is_in(_OPEN).fill_null(value=False),
        )
        open_to_null = pl.col("value", "low", "high").replace(dict.fromkeys(_OPEN))
        table = table.with_columns(open_to_null)
    flags = [flag for flag in _FLAGS if flag in table.columns]
    counts = [count for count in _COUNTS if count in table.columns]
    return table.with_columns(
        pl.col(_NUMBERS[name]).cast(pl.Float64), pl.col(flags).replace_strict({"true": True, "false": False})
    ).with_columns(pl.col(counts).cast(pl.Int64))


@cache
def read_drug_names() -> Mapping[str, str]:
    """Return every name of a drug, folded by `fold_drug`, to its generic name (`data/drugs.csv`)."""
    path = files("hccresist") / "data" / "drugs.csv"
    names: dict[str, str] = {}
    for row in pl.read_csv(path.read_bytes(), infer_schema=False).iter_rows(named=True):
        generic = str(row["same_as"] or row["drug"])
        for word in (row["drug"], *(row["synonyms"] or "").split(";")):
            names.setdefault(fold_drug(word), generic)
    return names


def fold_drug(name: str) -> str:
    """Return the name of a drug as it is compared: letters and digits only, in lower case.

    Examples
    --------
    >>> fold_drug("BAY 43-9006"), fold_drug(" Nexavar ")
    ('bay439006', 'nexavar')
    """
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def read_regimen(text: str) -> frozenset[str]:
    """Return the drugs of a cell by their generic names; a name that is not known stays as it is.

    Examples
    --------
    >>> sorted(read_regimen("camrelizumab+rivoceranib")), sorted(read_regimen("TACE+Nexavar"))
    (['apatinib', 'camrelizumab'], ['TACE', 'sorafenib'])
    """
    names = read_drug_names()
    return frozenset(names.get(fold_drug(part), part) for part in split_regimen(text))


def list_endpoints() -> tuple[str, ...]:
    """Return every endpoint of the published trials."""
    return tuple(sorted(read_trials("endpoints_long")["endpoint"].unique()))


def query_trials(
    *,
    drugs: Sequence[Collection[str]] = (),
    trials: Collection[str] = (),
    endpoints: Collection[str] = (),
    criteria: Collection[str] = (),
    lines: Collection[str] = (),
) -> pl.DataFrame:
    """Return the numbers of published arms, with limits and sources; filters narrow, values in one widen.

    1. `drugs`: arms that hold all drugs of one of the sets, by generic name.
    2. `endpoints`: an endpoint as printed (ORR, mOS, HR_PFS, OS_12mo), or OS, PFS, TTP for all of its kind.
    3. `lines`: 1L, 2L (second or later) or TACE.
    4. Limits that were not printed are made as in `limits`, for verified rows only; `limits` says so.

    Returns
    -------
    pl.DataFrame
        Rows of `endpoints_long` with `drugs`, `regimen`, `line`, `line_class`, `phase` and `limits` of the
        arm, sorted by trial, arm and endpoint. Arms without numbers here (`heldout`) have no rows.

    Raises
    ------
    ConfigError
        When a trial or endpoint is not known, with the nearest one.
    """
    arms = _describe_arms().filter(
        _any_set(drugs), _is_in("trial", _match_trials(trials)), _is_in("line_class", lines)
    )
    wanted = _match_endpoints(endpoints)
    rows = read_trials("endpoints_long").filter(_is_in("endpoint", wanted), _is_in("criterion", criteria))
    found = rows.join(arms.drop("trial", "arm", "n", "regimen_drugs"), on="arm_id")
    return _add_limits(found).sort(
        "trial", "arm_id", "endpoint", "criterion", "analysis", "assessor", "value"
    )


def list_trials(
    *, drugs: Sequence[Collection[str]] = (), trials: Collection[str] = (), lines: Collection[str] = ()
) -> pl.DataFrame:
    """Return the arms of published trials: trial, arm, drugs, line, patients, numbers, and whether held out.

    Parameters are those of `query_trials`.
    """
    counts = (
        read_trials("endpoints_long")
        .group_by("arm_id")
        .agg(numbers=pl.len().cast(pl.Int64), verified=pl.col("verified").sum().cast(pl.Int64))
    )
    arms = _describe_arms().filter(
        _any_set(drugs), _is_in("trial", _match_trials(trials)), _is_in("line_class", lines)
    )
    counted = arms.join(counts, on="arm_id", how="left").with_columns(
        pl.col("numbers", "verified").fill_null(0)
    )
    return counted.drop("regimen_drugs").sort("trial", "arm_id")


@cache
def _describe_arms() -> pl.DataFrame:
    """Return what is shown of each arm, with its drugs by generic name."""
    arms = read_trials("arms").select(
        "arm_id", "trial", "arm", "nct", "phase", "line", "drugs", "regimen", "n", "heldout"
    )
    return arms.with_columns(
        line_class=pl.Series([name_line(line) for line in arms["line"]]),
        regimen_drugs=pl.Series([sorted(read_regimen(cell)) for cell in arms["drugs"]]),
    )


def _any_set(wanted: Sequence[Collection[str]]) -> pl.Expr:
    tests = [
        pl.all_horizontal(pl.col("regimen_drugs").list.contains(drug) for drug in sorted(drugs))
        for drugs in wanted
    ]
    return pl.any_horizontal(tests) if tests else pl.lit(value=True)


def _is_in(column: str, wanted: Collection[str]) -> pl.Expr:
    return pl.col(column).is_in(sorted(wanted)) if wanted else pl.lit(value=True)


def _match_trials(given: Collection[str]) -> frozenset[str]:
    """Return the trials that names mean: trial, registry number, arm, or the beginning of a trial's name."""
    arms = read_trials("arms")
    index: dict[str, set[str]] = {}
    for trial, nct, arm_id in arms.select("trial", "nct", "arm_id").iter_rows():
        for word in (trial, nct, arm_id):
            if word:
                index.setdefault(fold_drug(word), set()).add(trial)
    found: set[str] = set()
    for name in given:
        folded = fold_drug(name)
        begins = (
            {trial for trial in arms["trial"] if fold_drug(trial).startswith(folded)} if folded else set()
        )
        meant = begins | index.get(folded, set())
        if not meant:
            msg = f"trial {name!r} is not in the table. {_suggest(name, sorted(set(arms['trial'])))}".strip()
            raise ConfigError(msg)
        found |= meant
    return frozenset(found)


def _match_endpoints(given: Collection[str]) -> frozenset[str]:
    known = list_endpoints()
    found: set[str] = set()
    for name in given:
        folded = name.strip().casefold()
        meant = {e for e in known if folded in {e.casefold(), name_kind(e).casefold()}}
        if not meant:
            choices = sorted({*known, *(name_kind(endpoint) for endpoint in known)})
            msg = f"endpoint {name!r} is not in the table. {_suggest(name, choices)}".strip()
            raise ConfigError(msg)
        found |= meant
    return frozenset(found)


def name_kind(endpoint: str) -> str:
    """Return what an endpoint is of: OS, PFS, TTP, DoR, or itself.

    Examples
    --------
    >>> [name_kind(name) for name in ("HR_OS", "PFS_12mo", "mDoR", "ORR")]
    ['OS', 'PFS', 'DoR', 'ORR']
    """
    return endpoint.removeprefix("HR_").removeprefix("m").partition("_")[0]


def _suggest(name: str, known: Sequence[str]) -> str:
    by_fold = {fold_drug(word): word for word in known}
    close = get_close_matches(fold_drug(name), list(by_fold), n=2, cutoff=0.5)
    return f"Did you mean {' or '.join(by_fold[key] for key in close)}?" if close else ""


def _add_limits(rows: pl.DataFrame) -> pl.DataFrame:
    """Add limits where none were printed, and where they come from."""
    sizes = dict(read_trials("arms").select("arm_id", "n").iter_rows())
    made = [_find_limits(row, sizes) for row in rows.iter_rows(named=True)]
    return rows.with_columns(
        low=pl.Series([interval.low for interval in made], dtype=pl.Float64),
        high=pl.Series([interval.high for interval in made], dtype=pl.Float64),
        ci_level=pl.Series([interval.level for interval in made], dtype=pl.Float64),
        limits=pl.Series([interval.method for interval in made], dtype=pl.String),
    )


def _find_limits(row: Mapping[str, Any], sizes: Mapping[str, int | None]) -> Interval:
    printed = (row["low"], row["high"])
    if printed != (None, None):
        return keep_printed(row["value"], printed, unit=row["unit"], level=row["ci_level"])
    if not row["verified"] or row["endpoint"] == "mDoR":  # of responders, who are not counted in the row
        return Interval()
    return rebuild(row["value"], unit=row["unit"], n=row["n"], others=sizes.get(row["comparator_arm"]))
