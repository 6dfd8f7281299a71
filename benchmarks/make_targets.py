"""Make `src/hccresist/data/trials/targets.csv`: what a simulator is fitted to and checked against.

::

    python benchmarks/make_targets.py          write it anew
    python benchmarks/make_targets.py --check  exit code 1 where the file differs from its rules

The rules stand in `hccresist.outcomes.targets`. Nothing is chosen by hand here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import polars.selectors as cs

from hccresist.outcomes.published import read_trials
from hccresist.outcomes.target_table import TABLES
from hccresist.outcomes.targets import TARGETS_FILE, make_targets

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "hccresist"
DRUGS = PACKAGE / "overcome" / "model" / "drugs.csv"
FIGURES = 6


def render_targets() -> str:
    """Return the table as it is shipped."""
    modelled = pl.read_csv(DRUGS, columns=["drug"])["drug"].unique().to_list()
    tables = {name: read_trials(name) for name in ("arms", *TABLES)}
    return (
        make_targets(tables, modelled=modelled).with_columns(cs.float().round_sig_figs(FIGURES)).write_csv()
    )


def main(arguments: list[str]) -> int:
    """Write the table, or with ``--check`` only compare it."""
    path = PACKAGE / "data" / "trials" / TARGETS_FILE
    made = render_targets()
    if arguments == ["--check"]:
        return int(path.read_text(encoding="utf-8") != made)
    path.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
