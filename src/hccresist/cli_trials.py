"""Command ``trials``: the published numbers of systemic and TACE-based treatment, each with its source."""

from __future__ import annotations

import sys
from itertools import product
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from hccresist.cli_run import Json, Words, split_words, told_as_usage
from hccresist.errors import ConfigError
from hccresist.failures import FINE

if TYPE_CHECKING:
    import polars as pl

CsvFlag = Annotated[bool, Parameter(name="--csv", negative="", show_default=False)]
LINES: Final = ("1L", "2L", "TACE")
CRITERIA: Final = ("RECIST 1.0", "RECIST 1.1", "mRECIST", "RECICL")
_PROCEDURES: Final = {"tace": "TACE", "placebo": "placebo"}


def trials(
    *,
    drug: Words = None,
    trial: Words = None,
    endpoint: Words = None,
    criterion: Words = None,
    line: Words = None,
    json: Json = False,
    csv: CsvFlag = False,
) -> int:
    """Show published response rates, medians and hazard ratios of trials in HCC, with their sources.

    Without options: the trials and their arms. Filters narrow; several values in one filter are separated by
    commas. Numbers of different trials are no comparison of treatments.

    Parameters
    ----------
    drug
        Drug, trade name, code, class (anti-PD-1), TACE or placebo; several of one arm joined by +.
    trial
        Trial, its registry number, or an arm.
    endpoint
        ORR, DCR, CR, mOS, mPFS, mTTP, mDoR, HR_OS, OS_12mo and so on; OS, PFS or TTP for all of its kind.
    criterion
        RECIST 1.1, mRECIST, RECIST 1.0 or RECICL.
    line
        1L, 2L (second or later) or TACE.
    json
        Print the rows as JSON.
    csv
        Print the rows as CSV.
    """
    from hccresist import screen  # noqa: PLC0415
    from hccresist.screen_trials import print_arms, print_trials  # noqa: PLC0415

    with told_as_usage():
        if json and csv:
            msg = "Choose --json or --csv."
            raise ConfigError(msg)
        listing = all(words is None for words in (drug, trial, endpoint, criterion, line))
        rows, arms = _ask(drug=drug, trial=trial, endpoint=endpoint, criterion=criterion, line=line)
    shown = arms if listing else rows
    if json:
        screen.print_json(shown.to_dicts())
    elif csv:
        sys.stdout.write(shown.write_csv())
    elif listing:
        print_arms(arms)
    else:
        print_trials(rows, arms.filter("heldout"))
    return FINE


def _ask(
    *, drug: str | None, trial: str | None, endpoint: str | None, criterion: str | None, line: str | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows and the arms that were asked for."""
    from hccresist.outcomes.published import list_trials, query_trials  # noqa: PLC0415

    sets = [found for words in _split("--drug", drug) for found in _resolve_drugs(words)]
    names = _split("--trial", trial)
    lines = [_choose("line", word, LINES) for word in _split("--line", line)]
    rows = query_trials(
        drugs=sets,
        trials=names,
        endpoints=_split("--endpoint", endpoint),
        criteria=[_choose("criterion", word, CRITERIA) for word in _split("--criterion", criterion)],
        lines=lines,
    )
    return rows, list_trials(drugs=sets, trials=names, lines=lines)


def _split(option: str, text: str | None) -> tuple[str, ...]:
    words = split_words(text or "")
    if text is not None and not words:
        msg = f"{option} is empty."
        raise ConfigError(msg)
    return words


def _choose(kind: str, word: str, known: tuple[str, ...]) -> str:
    by_fold = {"".join(name.casefold().split()): name for name in known}
    found = by_fold.get("".join(word.casefold().split()))
    if found is None:
        msg = f"There is no {kind} {word!r}. Choose from {', '.join(known)}."
        raise ConfigError(msg)
    return found


def _resolve_drugs(words: str) -> list[frozenset[str]]:
    """Return the sets of drugs that words joined by + mean; a class stands for each of its drugs."""
    from hccresist.explain.knowledge import read_base  # noqa: PLC0415

    names = read_base().names
    choices: list[list[str]] = []
    for word in words.split("+"):
        if (procedure := _PROCEDURES.get(word.strip().casefold())) is not None:
            choices.append([procedure])
            continue
        (found,) = names.resolve("drug", word).names
        members = sorted(drug for drug, classes in names.classes.items() if found in classes)
        choices.append([found, *members])
    return [frozenset(combination) for combination in product(*choices)]
