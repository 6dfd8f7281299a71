"""Write the reference pages that are made from the code: tables, policies, command line.

::

    ./dev tables                     write them anew
    python docs/generate.py --check  fail where a page differs from the code
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dataframely as dy

from hccresist.assess.all_results import ALL_RESULTS
from hccresist.cli import app
from hccresist.outcomes.results import RESULTS as OUTCOMES
from hccresist.study.dictionary import data_dictionary
from hccresist.study.policies import describe

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Made from the code by docs/generate.py: change the code, then run ./dev tables. -->\n\n"

TABLES_INTRO = """# Tables

[What a study holds](#what-a-study-holds) is read; [what a run writes](#what-a-run-writes) comes out.

## What a study holds

"""

RESULTS_INTRO = """## What a run writes

Each table is written as Parquet and CSV, sorted by key. `reader` is empty where the study names none.
In CSV, true and false are written as such, an empty text as `""`, and a missing value as nothing.

"""

POLICIES_INTRO = """# Policies

Every choice on which the published rules leave room, with its default and source. Set one with
`--policy NAME=VALUE` (repeatable) or in `[policies]` of `study.toml`; what was in force stands in the
manifest and in the report. `hccresist policies` prints this list.

"""


def render_tables() -> str:
    """Return the page of study tables and result tables."""
    study = data_dictionary().partition("\n\n")[2].replace("\n## ", "\n### ").rstrip()
    parts = [NOTE, TABLES_INTRO, study, "\n\n", RESULTS_INTRO]
    parts += [_render_table(name, schema) for name, schema in {**ALL_RESULTS, **OUTCOMES}.items()]
    return "".join(parts).rstrip() + "\n"


def _render_table(name: str, schema: type[dy.Schema]) -> str:
    about = (schema.__doc__ or "").strip()
    rows = [_render_column(column, info) for column, info in schema.columns().items()]
    head = "| column | type | unit | meaning |\n| --- | --- | --- | --- |\n"
    return f"### {name}\n\n{about}\n\n{head}{''.join(rows)}\n"


def _render_column(name: str, column: dy.Column) -> str:
    unit = str((column.metadata or {}).get("unit", ""))
    notes = [column.description or ""]
    if isinstance(column, dy.Enum):
        notes.append(f"one of {', '.join(f'`{word}`' for word in column.categories)}")
    if column.nullable:
        notes.append("may be empty")
    key = " **key**" if column.primary_key else ""
    text = "; ".join(note for note in notes if note).replace("|", "\\|")
    return f"| `{name}`{key} | {_name_type(column)} | {unit} | {text} |\n"


def _name_type(column: dy.Column) -> str:
    names = {
        "Float64": "number",
        "Int64": "whole number",
        "Bool": "true or false",
        "Enum": "code",
        "String": "text",
    }
    return names[type(column).__name__]


def render_policies() -> str:
    """Return the page of policies."""
    head = "| policy | default | meaning | source |\n| --- | --- | --- | --- |\n"
    rows: list[str] = []
    for info in describe():
        meaning = info.meaning + (
            f" (one of {', '.join(f'`{w}`' for w in info.allowed)})" if info.allowed else ""
        )
        default = str(info.default).lower() if isinstance(info.default, bool) else info.default
        shown = f"`{default}`" if default != "" else "empty"
        rows.append(f"| `{info.name}` | {shown} | {meaning} | {info.source} |\n")
    return NOTE + POLICIES_INTRO + head + "".join(rows)


def render_cli() -> str:
    """Return the page of commands."""
    with _called_hccresist():
        text = _drop_contents(app.generate_docs())
    codes = (
        "\n## Exit codes\n\n"
        "| code | meaning |\n| --- | --- |\n"
        "| 0 | fine |\n| 1 | problems in the input |\n| 2 | wrong usage |\n"
        "| 3 | a stage or a report section failed |\n| 130 | interrupted |\n\n"
        "Results go to standard output, progress and messages to standard error.\n"
    )
    return NOTE + text.replace("# hccresist\n", "# Command line\n", 1).rstrip() + "\n" + codes


@contextmanager
def _called_hccresist() -> Generator[None]:
    """Let the command be called hccresist, however this script was started."""
    main_module, arguments = sys.modules["__main__"], sys.argv
    spec = main_module.__spec__
    main_module.__spec__, sys.argv = None, ["hccresist"]
    try:
        yield
    finally:
        main_module.__spec__, sys.argv = spec, arguments


def _drop_contents(text: str) -> str:
    """Return the page without its own table of contents; the site shows one."""
    before, _, rest = text.partition("## Table of Contents")
    return before + rest[rest.index("**Commands**") :]


PAGES: Mapping[str, Callable[[], str]] = {
    "tables.md": render_tables,
    "policies.md": render_policies,
    "cli.md": render_cli,
}


def find_drift() -> list[str]:
    """Return the pages that differ from the code."""
    return [
        name
        for name, render in PAGES.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text(encoding="utf-8") != render()
    ]


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` only compare them."""
    if arguments == ["--check"]:
        drift = find_drift()
        for name in drift:
            sys.stderr.write(f"docs/reference/{name} differs from the code. Run ./dev tables.\n")
        return 1 if drift else 0
    for name, render in PAGES.items():
        (REFERENCE / name).write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
