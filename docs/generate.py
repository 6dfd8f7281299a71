"""Write the reference pages that are made from the code: tables, policies, command line.

::

    ./dev tables                     write them anew
    python docs/generate.py --check  fail where a page differs from the code
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dataframely as dy
import polars as pl

from hccresist.assess.all_results import ALL_RESULTS
from hccresist.cli import app
from hccresist.explain.alteration_rules import AlterationRule, read_kinds, read_rules
from hccresist.explain.knowledge import COUNTED_PER_SOURCE, EvidenceBase, count_base, read_base
from hccresist.explain.recheck import count_recheck
from hccresist.explain.results import RESULTS as EXPLAINED
from hccresist.explain.signatures import Signature, read_missing, read_not_measurable, read_signatures
from hccresist.outcomes.limits import measure_widths
from hccresist.outcomes.published import read_trials
from hccresist.outcomes.results import RESULTS as OUTCOMES
from hccresist.outcomes.targets import read_targets
from hccresist.overcome.strategy_results import RESULTS as STRATEGIES
from hccresist.overcome.twin_results import RESULTS as TWINS
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

RECHECK_INTRO = """
## How often a second reader reads otherwise

A tenth of the rows, drawn at random, was read again blind: the second reader saw source, entity and drug,
found the abstract, and wrote down alteration, effect and level. The readings are compared as they were,
before anything was mended (`data/evidence/recheck.csv`). *Opposite direction* is an error; *another effect*
is mostly a border drawn elsewhere (a single-arm response called sensitivity or unclear, survival called
sensitivity or prognosis). Differences were adjudicated and the rows say so. Apart from this, every verified
row added since was held against its abstract by a reader other than its curator. All readers are language
models: errors that such readers share are not seen.

"""

EVIDENCE_INTRO = """# The evidence base in numbers

Counted from the base itself. How to ask it: [Ask the evidence](../how-to/evidence.md); how findings are
counted and what *contested* means: [How the evidence is weighed](../explanation/evidence.md).

"""

ALTERATIONS_INTRO = """# Rules of alterations

What counts as an alteration of a gene, made from `data/alterations/rules.csv`. How the rules are applied, and
what *not measured* and *uncertain* mean: [Alterations](../explanation/alterations.md).

`counts`: **hotspot** a missense change at one of the codons; **in frame** an in-frame change that touches one
of them; **truncating** nonsense, frame shift, splice site or lost start; **exon skipping**, **promoter**;
**amplification** copy number 2, **gain** 1 (uncertain), **deep deletion** -2; **locus** two of the genes
amplified. `ours` is a convention of hccresist without a source.

"""

SIGNATURES_INTRO = """# Gene sets

What a score is made of: name, genes up and down, where the list is from, its licence, and how far it was
checked. *Verified*: the list was seen on a public page and matches. *Copied*: taken by program from the
file named. *From memory*: typed and not checked against a paper; a score of it is the score of that
list, nothing more. Symbols are those approved today. How sets are scored:
[Scores](../explanation/scores.md). Own sets come by `--gmt FILE`: a line is a name, a mechanism (or
anything), and genes, separated by tabs; `NAME_UP` and `NAME_DN` are the halves of one set.

A set marked *class* is the template of an HCC class, *cells* the markers of a kind of cell.

"""

TARGETS_INTRO = """# Targets

What a simulator of trials may be fitted to (*fit*), what it is held against without having seen it
(*check*), and what is left out. Every verified row of the [published
trials](../how-to/published-trials.md) has a use and a reason in `data/trials/targets.csv`; rules make it
(`hccresist.outcomes.targets`), not hands. Nothing else is fitted: a test holds every fitted row against
the tables, and no held-out arm is among them.

A *group* is one set of patients and counts as one observation in each family: of hazard ratio, median and
landmark of one arm one is fitted at most. A *programme* is a trial with its cohorts and subgroups; it is
left out together.

"""

TARGETS_LIMITS = """## Limits

Where none were published they are made: `binomial`, exact from the share and the number of patients
(survival at a landmark too); `n`, the standard error of the logarithm of a median is 1/(ln 2 √n), that of
a Kaplan–Meier median of an exponential without earlier censoring (Brookmeyer and Crowley 1982); `events`,
a hazard ratio with half of each arm having the event. Held against the rows that print their limits,
limits made by these rules are about as wide (`width`: made over printed, median).

"""

CONTEXT_INTRO = """## Context

How each arm was followed and who was in it (`data/trials/trial_context.csv`): *sourced* values were read
in a source, *assumed* ones are from memory (scan grid, years of enrolment) or one shared value by line and
region.

"""

SIGNATURES_MISSING = """## Missing lists

Known lists that are not shipped, and how to add them: save the list as a GMT file, then
`hccresist explain STUDY --out DIR --gmt FILE`.

"""


def render_tables() -> str:
    """Return the page of study tables and result tables."""
    study = data_dictionary().partition("\n\n")[2].replace("\n## ", "\n### ").rstrip()
    parts = [NOTE, TABLES_INTRO, study, "\n\n", RESULTS_INTRO]
    parts += [
        _render_table(name, schema)
        for name, schema in {**ALL_RESULTS, **OUTCOMES, **EXPLAINED, **STRATEGIES, **TWINS}.items()
    ]
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


def _render_recheck() -> str:
    head = "| rows | drawn | read again | opposite direction | another effect | another level |\n"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: |\n"]
    for part, words in (("old", "carried over"), ("new", "added since"), ("", "all")):
        n = count_recheck(part)
        shares = (f"{k} ({100 * k / n.found:.0f} %)" for k in (n.reversed, n.effect, n.level))
        lines.append(f"| {words} | {n.drawn} | {n.found} | {' | '.join(shares)} |\n")
    return "".join(lines)


def render_evidence() -> str:
    """Return the page of the evidence base: its size, by mechanism, drug and level, and what is contested."""
    base = read_base()
    findings = base.findings.join(base.marks, on="record_id", how="left", suffix="_read")
    parts = [NOTE, EVIDENCE_INTRO, _render_size(base), "## By mechanism\n\n"]
    names = base.mechanisms.select("mechanism_id", "family", "name")
    parts.append(_render_group(findings.join(names, on="mechanism_id"), ["family", "mechanism_id", "name"]))
    by_drug = findings.explode("drugs", empty_as_null=True, keep_nulls=True).drop_nulls("drugs")
    parts += ["## By drug\n\nA finding on several drugs stands under each.\n\n"]
    parts += [_render_group(by_drug, ["drugs"]), "## By level of evidence\n\n"]
    parts += [_render_group(findings, ["evidence_level", "civic_level"]), _render_contested(base)]
    parts += [RECHECK_INTRO, _render_recheck()]
    return "".join(parts).rstrip() + "\n"


def _render_size(base: EvidenceBase) -> str:
    counts = count_base(base)
    lines = [f"| {name.replace('_', ' ')} | {count:,} |\n" for name, count in counts.items()]
    told = (
        f"\n`verified counted`: at most {COUNTED_PER_SOURCE} of one source and mechanism. `checked`: held "
        "against the text by a reader other than the one who wrote the row; where nothing stands in "
        "`checked_by`, that is unknown. Readers are language models unless the row says otherwise.\n\n"
    )
    return "| | number |\n| --- | ---: |\n" + "".join(lines) + told


def _render_group(findings: pl.DataFrame, keys: list[str]) -> str:
    """Return a table of findings, verified ones and sources that count, by some columns."""
    counted = pl.col("counted")
    grouped = findings.group_by(pl.col(keys).cast(pl.String)).agg(
        findings=pl.len(),
        verified=counted.sum(),
        sources=pl.col("source_id").filter(counted).n_unique(),
    )
    rows = grouped.sort(*keys).rows()
    head = [*(key.removesuffix("s").replace("_", " ") for key in keys), "findings", "verified", "sources"]
    rule = [*("---" for _ in keys), "---:", "---:", "---:"]
    lines = [head, rule, *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines) + "\n"


def _render_contested(base: EvidenceBase) -> str:
    """Return the claims that are contested, how far, where, and by which findings."""
    rows = base.claims.filter(pl.col("contested") != "no").sort("subject", "statement", "mechanism_id")
    head = "## Contested\n\n| claim | mechanism | for | against | contested | where | by |\n"
    lines = ["| --- | --- | ---: | ---: | --- | --- | --- |\n"]
    for row in rows.iter_rows(named=True):
        by = ", ".join(row["against_records"] if row["scope"] == "claim" else row["contested_by"])
        numbers = f"{row['for_sources']} | {row['against_sources']}"
        how = f"{row['contested']} | {row['scope']}"
        lines.append(f"| {row['statement']} | {row['mechanism_id']} | {numbers} | {how} | {by} |\n")
    return head + "".join(lines)


def render_alterations() -> str:
    """Return the page of alteration rules, and how variant classifications are read."""
    head = "| mechanism | gene | counts | of | direction | source | note |\n"
    head += "| --- | --- | --- | --- | --- | --- | --- |\n"
    rows = "".join(_render_rule(rule) for rule in read_rules())
    effects: dict[str, list[str]] = {}
    for kind, effect in read_kinds().items():
        effects.setdefault(effect, []).append(f"`{kind}`")
    kinds = "".join(
        f"| {effect.replace('_', ' ')} | {', '.join(names)} |\n" for effect, names in effects.items()
    )
    told = "\n## How variant classifications are read\n\nUpper and lower case are not told apart.\n\n"
    return (
        NOTE + ALTERATIONS_INTRO + head + rows + told + "| read as | recorded as |\n| --- | --- |\n" + kinds
    )


def _render_rule(rule: AlterationRule) -> str:
    of = " ".join(str(residue) for residue in sorted(rule.residues)) or " ".join(rule.members)
    about = f"{rule.direction.replace('_', ' ')}{': ' if rule.drug_class else ''}{rule.drug_class}"
    sources = (
        rule.source if rule.source == rule.drug_source else f"{rule.source}; direction: {rule.drug_source}"
    )
    cells = (rule.mechanism_id, rule.gene, rule.counts.replace("_", " "), of, about, sources, rule.note)
    return f"| {' | '.join(cells)} |\n"


def render_signatures() -> str:
    """Return the page of gene sets: those there are, what is not measurable, what is missing."""
    head = "| set | up | down | status | source | licence | note |\n"
    head += "| --- | ---: | ---: | --- | --- | --- | --- |\n"
    parts = [NOTE, SIGNATURES_INTRO]
    by_mechanism: dict[str, list[Signature]] = {}
    for signature in sorted(read_signatures(), key=lambda found: (found.mechanism_id, found.name)):
        by_mechanism.setdefault(signature.mechanism_id, []).append(signature)
    for mechanism, signatures in by_mechanism.items():
        rows = "".join(_render_signature(signature) for signature in signatures)
        parts.append(f"### {mechanism}\n\n{head}{rows}\n")
    parts.append("## Not measurable from expression\n\n")
    parts.append(
        _render_frame(
            read_not_measurable(), {"mechanism_id": "mechanism", "reason": "why", "instead": "instead"}
        )
    )
    parts.append(SIGNATURES_MISSING)
    shown = {
        "list": "list",
        "mechanism_id": "mechanism",
        "what": "what",
        "why": "why",
        "get": "how to add it",
    }
    parts.append(_render_frame(read_missing(), shown))
    return "".join(parts).rstrip() + "\n"


def _render_signature(signature: Signature) -> str:
    kind = "" if signature.kind == "mechanism" else f" ({signature.kind})"
    sizes = f"{len(signature.up) or ''} | {len(signature.down) or ''}"
    words = (
        f"{signature.status.replace('_', ' ')} | {signature.source} | {signature.licence} | {signature.note}"
    )
    return f"| `{signature.name}`{kind} | {sizes} | {words} |\n"


def _render_frame(frame: pl.DataFrame, columns: Mapping[str, str]) -> str:
    lines = [list(columns.values()), ["---"] * len(columns), *frame.select(list(columns)).rows()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


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


def render_targets() -> str:
    """Return the page of targets: how many by use, family and reason, by limits, and the context of arms."""
    targets = read_targets()
    reasons = targets.with_columns(
        why=pl.col("reason").str.replace(
            r"(same patients and family as|kept:|patients counted in) .*", "$1 …"
        )
    )
    limits = targets.filter(pl.col("use") != "excluded").group_by("limits", "unit").len("rows")
    context = read_trials("trial_context").group_by("value_name", "status").len("arms")
    return (
        "".join(
            [
                NOTE,
                TARGETS_INTRO,
                _render_counts(targets.group_by("use", "family").agg(_ROWS, _GROUPS), ["use", "family"]),
                "## By reason\n\n",
                _render_counts(reasons.group_by("use", "why").agg(_ROWS), ["use", "why"]),
                TARGETS_LIMITS,
                _render_counts(
                    limits.drop_nulls().cast({"limits": pl.String, "unit": pl.String}), ["limits", "unit"]
                ),
                _render_widths(),
                CONTEXT_INTRO,
                _render_counts(context, ["value_name", "status"]),
            ]
        ).rstrip()
        + "\n"
    )


_ROWS = pl.len().alias("rows")
_GROUPS = pl.col("group_id").n_unique().alias("groups")


def _render_counts(counts: pl.DataFrame, keys: list[str]) -> str:
    """Return a table sorted by its keys; enumerations in their own order."""
    rows = counts.sort(*keys).rows()
    head = [name.replace("_", " ") for name in counts.columns]
    rule = ["---" if name in keys else "---:" for name in counts.columns]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in [head, rule, *rows]) + "\n"


def _render_widths() -> str:
    widths = measure_widths(read_trials("endpoints_long"), read_trials("arms"))
    shown = widths.group_by("kind").agg(
        rows=pl.len(),
        width=pl.col("ratio").median().round(2),
        least=pl.col("ratio").min().round(2),
        most=pl.col("ratio").max().round(2),
    )
    return _render_counts(shown, ["kind"])


def render_model() -> str:
    """Return the page of the virtual patient's model; see `model_page.py` beside this file."""
    spec = importlib.util.spec_from_file_location("model_page", Path(__file__).parent / "model_page.py")
    if spec is None or spec.loader is None:
        raise ImportError("docs/model_page.py is not there")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    return NOTE + str(page.render_model())


PAGES: Mapping[str, Callable[[], str]] = {
    "tables.md": render_tables,
    "policies.md": render_policies,
    "cli.md": render_cli,
    "evidence.md": render_evidence,
    "alterations.md": render_alterations,
    "signatures.md": render_signatures,
    "model.md": render_model,
    "targets.md": render_targets,
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
