"""The reference page of the model: equations, parameters, handles and drugs, from the text and its tables."""

# ruff: noqa: E501  (one line of prose a row)

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from hccresist.overcome.dosing import Drug, read_drugs, read_regimens
from hccresist.overcome.model.describe import STATUSES, count_parameters
from hccresist.overcome.model.influences import find_influences
from hccresist.overcome.model.parameters import (
    Model,
    Parameter,
    read_handles,
    read_model,
    read_regulators,
)

INTRO = """# The model

Every equation, state, parameter, drug effect and handle of the virtual patient, made from `lesion.ant`, `patient.ant` and the tables beside
them. What it is for, how it is checked and what is left out: [The virtual patient](../explanation/virtual-patient.md). The same from the
command line: `hccresist model`, with `--equations`, `--parameters`, `--handles`, `--map FILE`, `--export sbml --out FILE`.

Research software. Values are those of the table; the [ensemble fitted to trials](../explanation/calibration.md) is beside it.

"""

WORDS = {
    "sourced": "the number stands in the source",
    "derived": "computed from what stands in the source",
    "assumption": "chosen by us; the reason stands beside it",
    "handle": "a resistance mechanism; zero means absent",
}

COMPARED = """## How it differs from the published HCC model

The published quantitative systems pharmacology model of HCC (SPQSP_HCC_GPU; Sové 2022, PMC9639136; Zhang 2023, PMC10462044) is what most sourced
numbers come from. Its code has no licence; facts were taken, no code.

| | published model | this model |
| --- | --- | --- |
| size | 153 states, 277 parameters | {states} states a lesion and {shared} a patient, {parameters} parameters |
| lesions | one | any number, with a shared blood, and new ones by a hazard |
| clones | two (one resistant to drug) | four (seen or not by T cells, killed or not by kinase inhibitors), mutation and reversible tolerance |
| checkpoint binding | full binding on three contact areas (77 states) | at balance; antibody-bound share from the level in blood |
| antigen and priming | peptides, MHC, dendritic cells, IL-2, clones of naive cells | one saturating rate of dying cells; stem-like memory that answers the block |
| vessels | capacity of Hahnfeldt's type, fed by a VEGF pool | capacity that follows the VEGF receptor signal within a week |
| what a scan sees | tumour, dead and immune cells, fibroblasts, matrix | cells, infiltrate, oedema and dead tissue (whole), and what enhances (viable) |
| liver, markers, death, dropout | none | liver reserve, AFP, DCP, hazards |
| resistance | immune evasion, VEGF, one switch of clone by the drug | {handles} handles, of {families} families |
| fibroblasts, matrix, helper T cells, cytokines | states | left out, or as balances |

"""


def render_model() -> str:
    """Return the page."""
    model = read_model()
    parts = [INTRO, _summary(model), _equations(model), _states(model), *_parameters(model)]
    parts += [_exposures(model), _handles(), _drugs(), _influences(), _compared(model)]
    return "".join(parts).rstrip() + "\n"


def _rows(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """One table."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells) + "\n"


def _summary(model: Model) -> str:
    counts = count_parameters(model)
    rows = [(f"**{status}**", counts[status], WORDS[status]) for status in STATUSES]
    return _rows(["parameters", "number", "what it means"], rows)


def _equations(model: Model) -> str:
    """Return the text of both modules, section by section."""
    parts = ["## Equations\n\n"]
    parts.append(
        "`NAME := …` is computed at every moment, `NAME' = …` is the rate of a state (per day). What begins with `block_`, "
        "`inhibit_`, `dose_` comes from the drugs, what begins with `h_` is a handle; `_mm` is a length, else see the tables below.\n\n"
    )
    for module, title in ((model.lesion, "lesion"), (model.patient, "patient")):
        parts += [f"### The {title}\n\n", *(_section(name, text) for name, text in _sections(module.text))]
    return "".join(parts)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Sections of a model text: title and lines."""
    found = re.split(r"^ *// -{2,} \d+\. (.+?) -{2,}$", text, flags=re.MULTILINE)
    yield "Words and functions", found[0]
    yield from zip(found[1::2], found[2::2], strict=True)


def _section(title: str, text: str) -> str:
    lines = text.strip("\n").splitlines()
    while lines and lines[-1].strip() in {"end", ""}:
        lines.pop()
    shown = textwrap.dedent("\n".join(lines))
    return f"#### {title}\n\n```text\n{shown}\n```\n\n"


def _states(model: Model) -> str:
    rows = [(f"`{q.name}`", q.kind, q.scope, q.unit, q.meaning) for q in model.quantities]
    return "## States and outputs\n\n" + _rows(["name", "kind", "of", "unit", "meaning"], rows)


def _parameters(model: Model) -> Iterator[str]:
    yield "## Parameters\n\n"
    yield "Between patients: *lognormal s* is the standard deviation of the logarithm, *a to b* is uniform.\n\n"
    head = ["parameter", "value", "unit", "between patients", "meaning", "source"]
    for status in STATUSES:
        own = [p for p in model.parameters if p.status == status]
        rows = [
            (
                f"`{p.name}`",
                f"{p.value:g}",
                p.unit,
                _spread(p),
                p.meaning,
                f"{p.mechanism_id} {p.source}".strip(),
            )
            for p in own
        ]
        yield f"### {status.capitalize()} ({len(own)}): {WORDS[status]}\n\n" + _rows(head, rows)


def _spread(parameter: Parameter) -> str:
    if parameter.distribution == "lognormal":
        return f"lognormal {parameter.spread:g}"
    if parameter.low is not None and parameter.high is not None:
        log = " (logarithm)" if parameter.distribution == "loguniform" else ""
        return f"{parameter.low:g} to {parameter.high:g}{log}"
    return "the same"


def _exposures(model: Model) -> str:
    rows = [(f"`{e.name}`", e.unit, e.meaning) for e in model.exposures]
    return "## What drugs do\n\n" + _rows(["effect", "unit", "meaning"], rows)


def _handles() -> str:
    rows = [
        (
            handle.family_id,
            handle.mechanism_id,
            ", ".join(f"`{name}`" for name in handle.parameters),
            handle.equation,
            f"{handle.typical:g}",
            ", ".join(handle.drugs),
            handle.reversed_by,
            handle.source,
        )
        for handle in read_handles()
    ]
    head = ["family", "mechanism", "parameter", "equation", "when on", "lowers", "undone by", "source"]
    ncrnas = [(r.ncrna, f"`{r.handle}`", r.resistance_when, r.note, r.record_id) for r in read_regulators()]
    told = "Non-coding RNAs move a handle:\n\n"
    return (
        "## Resistance handles\n\n"
        + _rows(head, rows)
        + told
        + _rows(["RNA", "handle", "resistance when", "how", "record"], ncrnas)
    )


def _drugs() -> str:
    regimens = [
        (
            f"`{r.regimen}`",
            r.drug,
            f"{r.dose:g} {'mg/kg' if r.per_kg else 'mg'}",
            f"{r.every_days:g}",
            _limits(r.doses, r.on_days, r.cycle_days),
            r.source,
        )
        for r in read_regimens().values()
    ]
    drugs = [_drug(drug) for drug in read_drugs().values()]
    return (
        "## Drugs\n\nTwo compartments; sources of every number stand in `drugs.csv`.\n\n"
        + _rows(
            [
                "drug",
                "clearance (L/day)",
                "volume (L)",
                "what it does (level of half effect, or size at the average level)",
            ],
            drugs,
        )
        + _rows(["regimen", "drug", "dose", "every (days)", "", "source"], regimens)
    )


def _limits(doses: int | None, on_days: float | None, cycle_days: float | None) -> str:
    if on_days is not None and cycle_days is not None:
        return f"{on_days:g} of {cycle_days:g} days"
    return f"{doses} doses" if doses else ""


def _drug(drug: Drug) -> tuple[str, ...]:
    effects = [f"`{name}` {half:g} mg/L" for name, half in drug.half_effects.items()]
    effects += [f"`{name}` {size:g}" for name, size in drug.effects.items()]
    kinetics = drug.kinetics
    return drug.name, f"{kinetics.clearance:g}", f"{kinetics.volume:g}", ", ".join(effects)


def _influences() -> str:
    """Tell what moves each state most."""
    influences = find_influences()
    rows: list[tuple[str, ...]] = []
    for scope, target in dict.fromkeys((one.scope, one.target) for one in influences):
        own = [one for one in influences if (one.scope, one.target) == (scope, target) and one.share >= 0.02]
        told = ", ".join(f"{one.sign}`{one.source}` {100 * one.share:.0f} %" for one in own)
        rows.append((f"`{target}`", scope, told))
    about = (
        "## What moves what\n\nInfluences on the rate of each state, by evaluating the text at random states, doses and handles; from 2 %. "
        "**+** raises, **-** lowers, **±** depends. `hccresist model --map FILE.svg` draws them.\n\n"
    )
    return about + _rows(["state", "of", "moved by"], rows)


def _compared(model: Model) -> str:
    handles = read_handles()
    return COMPARED.format(
        states=len(model.lesion.states),
        shared=len(model.patient.states),
        parameters=len(model.parameters),
        handles=len(handles),
        families=len({handle.family_id for handle in handles}),
    )
