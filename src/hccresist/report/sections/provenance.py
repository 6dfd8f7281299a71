"""How to cite, and where every number comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.references import find_reference
from hccresist.report.render import Table, render
from hccresist.report.sections.sources import show_value


def build(facts: Facts) -> Markup:
    """Return version, options, input hashes and references."""
    return render(
        "provenance",
        version=facts.text("version"),
        run=_run(facts),
        inputs=_inputs(facts),
        citations=tuple(_citation(record) for record in facts.records("citations")),
    )


def _run(facts: Facts) -> Table:
    rows = [
        ("hccresist", facts.text("version") or words.EMPTY),
        ("Study", facts.study.config.name),
        ("Index line of treatment", str(facts.study.config.index_line)),
        *_design(facts),
        ("Random numbers", f"seed {facts.text('seed')}" if facts.text("seed") else "none were used"),
    ]
    rows += [(f"Criterion {_criterion(record)}", _source(record)) for record in facts.records("criteria")]
    options = cast("Mapping[str, object]", facts.manifest.get("options") or {})
    rows += [(f"Option {name}", show_value(value)) for name, value in options.items()]
    return Table(caption="The run", head=("What", "Value"), rows=tuple(rows), text_columns=(0, 1))


def _design(facts: Facts) -> list[tuple[str, str]]:
    """Return how arms were compared, where there are arms or the study says so."""
    config = facts.study.config
    arm = config.reference_arm or (facts.arms[0] if facts.arms else "")
    rows = [("Reference arm", arm if config.reference_arm else f"{arm} (the first by name)")] if arm else []
    return [*rows, *([("Strata", ", ".join(config.strata))] if config.strata else [])]


def _criterion(record: dict[str, object]) -> str:
    return str(record.get("title") or words.label_criterion(str(record["name"])))


def _source(record: dict[str, object]) -> str:
    parts = [str(record[key]) for key in ("reference", "status") if record.get(key)]
    changes = cast("Mapping[str, object]", record.get("variant") or {})
    parts += [f"{name} = {show_value(value)}" for name, value in changes.items()]
    return "; ".join(parts) or words.EMPTY


def _inputs(facts: Facts) -> Table | None:
    rows = tuple(
        (
            str(record.get("table", "")),
            words.count(cast("int", record.get("rows") or 0)),
            ", ".join(cast("list[str]", record.get("files") or [])) or words.EMPTY,
            Markup("<code>{}</code>").format(str(record.get("sha256", ""))),
        )
        for record in facts.records("inputs")
    )
    if not rows:
        return None
    return Table(
        caption="Tables read, by SHA-256 of their checked content",
        head=("Table", "Rows", "Files", "SHA-256"),
        rows=rows,
        text_columns=(0, 2, 3),
    )


def _citation(record: dict[str, object]) -> dict[str, str]:
    known = find_reference(str(record.get("name") or record.get("key") or ""))
    doi = str(record.get("doi") or known.doi)
    return {
        "key": known.key,
        "text": str(record.get("text") or known.text),
        "doi": doi,
        "href": f"https://doi.org/{doi}" if doi.startswith("10.") else "",
    }
