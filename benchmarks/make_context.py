"""Make `src/hccresist/data/trials/trial_context.csv`: how each published arm was followed, and who was in it.

::

    python benchmarks/make_context.py          write it anew
    python benchmarks/make_context.py --check  exit code 1 where the file differs from its rules

The rules stand in `hccresist.outcomes.context`; what was looked up stands in `context_facts.csv`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from hccresist.outcomes.context import make_context
from hccresist.outcomes.published import read_trials

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "hccresist"
DRUGS = PACKAGE / "overcome" / "model" / "drugs.csv"


def render_context() -> str:
    """Return the table as it is shipped."""
    modelled = pl.read_csv(DRUGS, columns=["drug"])["drug"].unique().to_list()
    tables = {name: read_trials(name) for name in ("arms", "endpoints_long", "context_facts")}
    return make_context(tables, modelled=modelled).write_csv()


def main(arguments: list[str]) -> int:
    """Write the table, or with ``--check`` only compare it."""
    path = PACKAGE / "data" / "trials" / "trial_context.csv"
    made = render_context()
    if arguments == ["--check"]:
        return int(path.read_text(encoding="utf-8") != made)
    path.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
