"""Strategies of the evidence base, read and checked, with what each of them aims at.

A row of `data/evidence/strategies.csv` says what was tried, how far, and what came of it. What it aims at
(genes, further mechanisms, whether patients were chosen by it, after which drug) stands beside it in
`data/overcome/strategy_targets.csv`, read from the row itself and from the targets of its drugs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Final

from hccresist.explain.evidence_tables import STRATEGY_OUTCOMES
from hccresist.explain.knowledge import EvidenceBase, read_base
from hccresist.study.issues import IssueLog, nearest

CONTRAINDICATIONS: Final[Mapping[str, str]] = {
    "child_pugh_b": "Child-Pugh B or worse",
    "child_pugh_c": "Child-Pugh C",
    "bleeding_risk": "risk of bleeding",
    "varices_untreated": "untreated varices",
    "prior_same_class": "an earlier drug of the same class",
    "transplant": "liver transplant",
    "autoimmune": "autoimmune disease",
    "cardiovascular": "cardiovascular disease",
    "none_stated": "",
}
"""Code of a contraindication to its words; `none_stated`: the source states none."""

LINES: Final = ("1L", "2L", "any")
"""First line, a later line, either."""

KINDS: Final = ("randomised", "prospective", "retrospective", "preclinical")
"""What sort of study is the highest stage, the strongest first."""

_KIND_WORDS: Final = (
    ("retrospective", ("retrospective", "cohort", "case series", "case report", "real-world")),
    ("randomised", ("phase 3", "phase iii", "phase 2-3", "phase 2/3", "randomised", "rct")),
    ("prospective", ("phase", "single-arm", "trial", "pilot", "expanded access")),
)
_TREATMENTS: Final = "CMB-"
"""Family of the taxonomy that names kinds of treatment, no mechanisms of a tumour."""

_STRATEGIES: Final = "strategies.csv"
_TARGETS: Final = "strategy_targets.csv"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A gene that a strategy aims at: high or altered, or low or lost where `loss`."""

    gene: str
    loss: bool = False

    def __str__(self) -> str:
        """Return the gene with the state that matters."""
        return f"loss of {self.gene}" if self.loss else self.gene


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One strategy.

    Attributes
    ----------
    strategy_id, name, rationale, stage, trial_id, primary_aim, result, source, url
        As in `strategies.csv`; empty where nothing is recorded.
    drugs
        Drugs by the names under which the base counts them.
    mechanism_id
        Mechanism that it addresses.
    mechanisms
        That mechanism and further ones.
    targets
        Genes that it aims at; none where it aims at a process, or at nothing in the tumour.
    selected
        The study chose patients or models by the target.
    after
        Drugs after which it was tried.
    aetiology
        Liver disease of which the evidence is; empty: of any.
    kind
        One of `KINDS`.
    outcome
        One of the outcomes of the base; empty where nothing is recorded.
    line
        One of `LINES`.
    contraindications
        Codes, keys of `CONTRAINDICATIONS`; none where nothing is recorded.
    counted
        The result was verified in its source.
    """

    strategy_id: str
    name: str
    drugs: tuple[str, ...]
    mechanism_id: str
    mechanisms: frozenset[str]
    targets: tuple[Target, ...]
    selected: bool
    after: frozenset[str]
    aetiology: str
    rationale: str
    stage: str
    kind: str
    trial_id: str
    outcome: str
    line: str
    primary_aim: str
    result: str
    contraindications: tuple[str, ...]
    source: str
    url: str
    counted: bool

    @property
    def aims(self) -> bool:
        """Return whether it aims at anything in the tumour: a gene, or a mechanism of it."""
        return bool(self.targets) or any(not name.startswith(_TREATMENTS) for name in self.mechanisms)


def read_strategies(base: EvidenceBase | None = None, *, log: IssueLog | None = None) -> tuple[Strategy, ...]:
    """Return the strategies of an evidence base, by key.

    Parameters
    ----------
    base
        Evidence base; that of the package if not given.
    log
        Hears every problem; rows with one are then left out. Without it they are raised.

    Raises
    ------
    InputError
        With every problem at once, where no `log` is given.
    """
    if base is None and log is None:
        return _read_shipped()
    own = IssueLog() if log is None else log
    found = _read(read_base() if base is None else base, own)
    if log is None:
        own.raise_if_errors()
    return found


@cache
def _read_shipped() -> tuple[Strategy, ...]:
    log = IssueLog()
    found = _read(read_base(), log)
    log.raise_if_errors()
    return found


def read_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a file of `data/overcome`."""
    text = (files("hccresist") / "data" / "overcome" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(StringIO(text), strict=True))


def name_kind(stage: str) -> str:
    """Return what sort of study a stage is; what is in no patient is preclinical.

    Examples
    --------
    >>> [name_kind(s) for s in ("phase 3", "single-arm trial", "retrospective cohorts", "in vivo (PDX)")]
    ['randomised', 'prospective', 'retrospective', 'preclinical']
    """
    words = stage.casefold()
    return next((kind for kind, marks in _KIND_WORDS if any(m in words for m in marks)), "preclinical")


def _read(base: EvidenceBase, log: IssueLog) -> tuple[Strategy, ...]:
    aims = {row["strategy_id"]: row for row in read_rows(_TARGETS)}
    known = frozenset(base.mechanisms["mechanism_id"])
    found: list[Strategy] = []
    for row in base.strategies.sort("strategy_id").iter_rows(named=True):
        aim = aims.get(row["strategy_id"], {})
        problems = list(_find_problems(row, aim, base, known))
        for code, column, value, hint in problems:
            log.error(
                code, f"{row['strategy_id']}: the value is not known", file=_STRATEGIES, column=column,
                line=base.lines.get((_STRATEGIES, row["strategy_id"])), found=value, hint=hint,
            )  # fmt: skip
        if not problems:
            found.append(_make(row, aim, base))
    return tuple(found)


def _find_problems(
    row: Mapping[str, str | None], aim: Mapping[str, str], base: EvidenceBase, known: frozenset[str]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield code, column, value and hint of what is not known in a row."""
    for mechanism in (row["mechanism_id"] or "", *split_cell(aim.get("also"))):
        if mechanism not in known:
            yield "unknown-mechanism", "mechanism_id", mechanism, nearest(mechanism, sorted(known))
    for drug in (*split_cell(row["drugs"]), *split_cell(aim.get("after"))):
        if not base.names.knows_drug(drug):
            yield "unknown-drug", "drugs", drug, "Add it to drugs.csv."
    for code in split_cell(row["contraindications"]):
        if code not in CONTRAINDICATIONS:
            yield (
                "unknown-contraindication",
                "contraindications",
                code,
                nearest(code, list(CONTRAINDICATIONS)),
            )
    if row["outcome"] and row["outcome"] not in STRATEGY_OUTCOMES:
        yield "unknown-outcome", "outcome", row["outcome"], nearest(row["outcome"], list(STRATEGY_OUTCOMES))
    if row["line"] and row["line"] not in LINES:
        yield "unknown-line", "line", row["line"], nearest(row["line"], list(LINES))


def _make(row: Mapping[str, str | bool | None], aim: Mapping[str, str], base: EvidenceBase) -> Strategy:
    texts = {name: str(value) if isinstance(value, str) else "" for name, value in row.items()}
    own = texts["mechanism_id"]
    return Strategy(
        strategy_id=texts["strategy_id"],
        name=texts["strategy"],
        drugs=_name_drugs(texts["drugs"], base),
        mechanism_id=own,
        mechanisms=frozenset((own, *split_cell(aim.get("also")))),
        targets=tuple(Target(t.removesuffix("-"), t.endswith("-")) for t in split_cell(aim.get("targets"))),
        selected=aim.get("selected") == "true",
        after=frozenset(_name_drugs(aim.get("after", ""), base)),
        aetiology=aim.get("aetiology", ""),
        rationale=texts["rationale"],
        stage=texts["highest_stage"],
        kind="preclinical" if texts["outcome"] == "preclinical" else name_kind(texts["highest_stage"]),
        trial_id=texts["trial_id"],
        outcome=texts["outcome"],
        line=texts["line"] or "any",
        primary_aim=texts["primary_aim"],
        result=texts["result"],
        contraindications=split_cell(texts["contraindications"]),
        source=texts["source_id"],
        url=texts["source_url"],
        counted=row["verified"] is True and texts["status"] != "unverified",
    )


def _name_drugs(cell: str, base: EvidenceBase) -> tuple[str, ...]:
    return tuple(dict.fromkeys(drug for part in split_cell(cell) for drug in base.names.split_drugs(part)))


def split_cell(text: str | None) -> tuple[str, ...]:
    """Return the parts of a cell, separated by ``;``."""
    return tuple(part.strip() for part in (text or "").split(";") if part.strip())
