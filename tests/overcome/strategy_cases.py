"""Small studies of the textbook cases, brought through the public functions of explain."""

from __future__ import annotations

import numpy as np
import polars as pl

from hccresist.explain.look import TABLES, Inquiry
from hccresist.explain.signatures import read_signatures
from hccresist.overcome.strategies import rank_strategies
from hccresist.study.frames import study_from_frames
from hccresist.study.study import Study

OTHERS = 24
CASE = "P00"
KINDS = ("mechanism", "own", "cells")


def genes_of(*mechanisms: str) -> list[str]:
    """Genes up in the sets of mechanisms, those of no other mechanism."""
    sets = [item for item in read_signatures() if item.kind in KINDS]
    own = {gene for item in sets if item.mechanism_id in mechanisms for gene in item.up}
    others = {g for item in sets if item.mechanism_id not in mechanisms for g in (*item.up, *item.down)}
    return sorted(own - others)


def make_study(
    *,
    high: list[str] | None = None,
    low: list[str] | None = None,
    mutated: list[tuple[str, str, str]] | None = None,
    had: str | None = None,
    aetiology: str | None = None,
    child_pugh: int | None = None,
    **tables: pl.DataFrame,
) -> Study:
    """One patient of interest among others who differ from the mean at random.

    Parameters
    ----------
    high
        Genes that are high in the tumour of the patient; everybody else is a mirror of somebody.
    low
        Genes that are low there.
    mutated
        Gene, change and kind in that tumour.
    had
        Drug of the first line of everybody; without it the patient had none, and the others sorafenib.
    """
    names = [f"P{at:02d}" for at in range(OTHERS + 1)]
    samples = [f"S{at:02d}" for at in range(OTHERS + 1)]
    found: dict[str, pl.DataFrame] = {
        "patients": pl.DataFrame(
            {
                "patient_id": names,
                "aetiology": [aetiology, *("hbv" for _ in range(OTHERS))],
                "child_pugh_score": [child_pugh, *(5 for _ in range(OTHERS))],
            },
            schema_overrides={"aetiology": pl.String, "child_pugh_score": pl.Int64},
        ),
        "samples": pl.DataFrame({"sample_id": samples, "patient_id": names}),
    }
    if high is not None or low is not None:
        found["expression"] = make_expression(samples, high or [], low or [])
    if mutated is not None:
        rows = [("S00", *row) for row in mutated] + [("S01", "TERT", "promoter", "5'Flank")]
        found["alterations"] = pl.DataFrame(
            rows, schema=["sample_id", "gene", "change", "kind"], orient="row"
        )
    treated = names if had is not None else names[1:]
    found["treatments"] = pl.DataFrame(
        {"patient_id": treated, "line": [1] * len(treated), "drug": [had or "sorafenib"] * len(treated)}
    )
    return study_from_frames(**(found | tables))


def make_expression(samples: list[str], high: list[str], low: list[str]) -> pl.DataFrame:
    """Genes of the sets and some more; the first sample has the mean of each gene that is not high or low."""
    known = {gene for item in read_signatures() if item.kind in KINDS for gene in (*item.up, *item.down)}
    genes = sorted(known | set(high) | set(low) | {"EGFR", "MET", "VEGFA", "CXCR2", "CXCR1"})
    rng = np.random.default_rng(11)
    half = rng.normal(0, 1, (len(genes), OTHERS // 2))
    values = 8 + np.hstack([np.zeros((len(genes), 1)), half, -half])
    values[[genes.index(gene) for gene in high], 0] += 5
    values[[genes.index(gene) for gene in low], 0] -= 5
    return pl.DataFrame({"gene": genes} | dict(zip(samples, values.T, strict=True)))


def explain(study: Study) -> dict[str, pl.DataFrame]:
    """What explain says of the tumours; the tables that strategies ask for."""
    ask = Inquiry(study=study, tables={})
    wanted = ("mechanism_scores", "alteration_calls", "evidence_matches")
    return {name: TABLES[name].make(ask) for name in wanted if not TABLES[name].why_not(study)}


def rank(study: Study, **more: object) -> pl.DataFrame:
    """Strategies of the patient of interest."""
    made = rank_all(study, **more)
    return made.filter(pl.col("patient_id") == CASE)


def rank_all(study: Study, **more: object) -> pl.DataFrame:
    """Strategies of everybody."""
    return rank_strategies(study, explain(study), **more)
