"""All tables of *explain* of a study: what is made, what is not, and that they fit their schemas."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hccresist.explain.look import TABLES, Inquiry
from hccresist.explain.reference import build_reference
from hccresist.explain.results import RESULTS
from hccresist.explain.signatures import read_signatures
from hccresist.flow import run_study
from hccresist.study.frames import study_from_frames
from hccresist.study.read import read_study

_PATH = Path(__file__).parents[1] / "reference" / "shared_studies.py"
_SPEC = importlib.util.spec_from_file_location("shared_studies", _PATH)
shared = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(shared)
TCGA = shared.SHARED / "tcga_lihc"


def simulated(tumours=30, *, expression=True, alterations=True):
    rng = np.random.default_rng(5)
    genes = sorted({gene for item in read_signatures() for gene in item.genes} | {"ABCB1", "EGFR"})[:2500]
    names = [f"S{number:03d}" for number in range(tumours)]
    tables = {
        "patients": pl.DataFrame({"patient_id": [f"P{number:03d}" for number in range(tumours)]}),
        "samples": pl.DataFrame({"sample_id": names, "patient_id": [f"P{n:03d}" for n in range(tumours)]}),
    }
    if expression:
        values = rng.normal(6, 2, (len(genes), tumours)).clip(0)
        tables["expression"] = pl.DataFrame({"gene": genes} | dict(zip(names, values.T, strict=True)))
    if alterations:
        tables["alterations"] = pl.DataFrame(
            {
                "sample_id": names[:3],
                "gene": ["CTNNB1", "TP53", "AXIN1"],
                "change": ["p.S45P", "p.R249S", "p.R395*"],
                "kind": ["Missense_Mutation", "Missense_Mutation", "Nonsense_Mutation"],
            }
        )
    return study_from_frames(**tables)


def make_all(study, **options):
    ask = Inquiry(study=study, tables={}, **options)
    return {name: table.make(ask) for name, table in TABLES.items() if not table.why_not(study)}


def test_every_table_of_the_contract_has_its_maker():
    assert set(TABLES) == set(RESULTS)


@pytest.mark.parametrize("kinds", [{}, {"expression": False}, {"alterations": False}])
def test_tables_fit_their_schemas_whatever_the_study_holds(kinds):
    study = simulated(**kinds)
    made = make_all(study)
    for name, frame in made.items():
        RESULTS[name].validate(frame)
    assert ("mechanism_scores" in made) is kinds.get("expression", True)
    assert ("alteration_calls" in made) is kinds.get("alterations", True)
    assert made["evidence_matches"].height > 0


def test_a_patient_with_one_mutation_and_nothing_else_is_explained():
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}),
        samples=pl.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"]}),
        alterations=pl.DataFrame(
            {"sample_id": ["S1"], "gene": ["CTNNB1"], "change": ["p.S45P"], "kind": ["Missense_Mutation"]}
        ),
    )
    made = make_all(study)
    assert (
        "GEN-CTNNB1" in made["alteration_calls"].filter(pl.col("call") == "altered")["mechanism_id"].to_list()
    )
    assert set(made["evidence_matches"]["feature"]) == {"alteration CTNNB1"}


def test_few_tumours_are_scored_by_rank_and_not_compared_with_each_other():
    made = make_all(simulated(5, alterations=False))
    by_method = made["mechanism_scores"].group_by("method").agg(pl.col("score").is_not_null().any())
    scored = dict(zip(by_method["method"].cast(pl.String), by_method["score"], strict=True))
    assert scored["rank"] is True
    assert scored["cohort_z"] is False
    assert made["evidence_matches"].height == 0


@pytest.mark.parametrize(("scale", "platform"), [("log2_cpm", "RNA-seq"), (None, "array")])
def test_a_reference_on_another_scale_or_platform_is_refused_for_genes_too(scale, platform):
    study = simulated(20)
    matrix = Inquiry(study=study, tables={}).prepared.matrix
    signatures = read_signatures()
    other = replace(matrix, values=matrix.values + 5.0, scale=scale or matrix.scale)
    reference = build_reference(other, signatures, name="far", platform="RNA-seq")
    ask = Inquiry(study=study, tables={}, reference=reference, platform=platform)
    assert not ask.states()["feature"].str.starts_with("expression ").any()
    assert not ask.states()["feature"].str.starts_with("sets ").any()
    assert ask.states()["feature"].str.starts_with("alteration ").any()
    scores = TABLES["mechanism_scores"].make(ask).filter(pl.col("method") == "reference_z")
    assert scores["z"].null_count() == scores.height
    assert "no gene or gene set was held against the reference far" in ask.notices[-1]
    classes = TABLES["classes"].make(ask)
    assert classes.height > 0
    assert classes["p"].null_count() == classes.height
    assert set(classes["reason"]) == {ask.unlike}
    report = TABLES["sample_report"].make(ask)
    RESULTS["sample_report"].validate(report)
    assert report.filter("used")["note"].str.contains(ask.unlike, literal=True).all()


def test_a_reference_like_the_samples_is_used_for_genes_and_sets():
    study = simulated(20)
    matrix = Inquiry(study=study, tables={}).prepared.matrix
    reference = build_reference(matrix, read_signatures(), name="near", platform="RNA-seq")
    ask = Inquiry(study=study, tables={}, reference=reference, platform="rna-seq ")
    assert ask.unlike == ""
    words = ask.states().filter(pl.col("feature").str.starts_with("expression "))["words"]
    assert words.str.ends_with("the reference near").all()
    assert words.len() > 0


def test_recorded_responses_alone_are_held_against_survival():
    names = [f"P{number:02d}" for number in range(30)]
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": names}),
        responses=pl.DataFrame(
            {
                "patient_id": names,
                "day": [60.0] * 30,
                "criterion": ["mrecist"] * 30,
                "overall": ["PR", "SD", "PD"] * 10,
            }
        ),
        survival=pl.DataFrame(
            {"patient_id": names, "os_days": [200.0 + 10 * n for n in range(30)], "died": [True, False] * 15}
        ),
    )
    assert TABLES["associations"].why_not(study) == ""
    assert TABLES["coverage"].why_not(study) == "the study has no expression"


def test_order_of_samples_changes_nothing():
    study = simulated(12)
    columns = study.tables["expression"].columns
    turned = study.tables["expression"].select("gene", *columns[:0:-1]).reverse()
    other = study_from_frames(**{**study.tables, "expression": turned})
    for name, frame in make_all(study).items():
        assert frame.equals(make_all(other)[name]), name


@pytest.mark.slow
@pytest.mark.skipif(not TCGA.exists(), reason=f"{TCGA} is not here")
def test_tcga_lihc_as_a_study(tmp_path):
    """Issue 4: alterations, survival and partial expression go through explain to a report."""
    study = read_study(shared.write_tcga_lihc(tmp_path / "study"))
    result = run_study(study, out=tmp_path / "out", formats=["parquet"])
    assert result.failed == ()
    calls = result.tables["alteration_calls"].filter(pl.col("call") == "altered")
    assert calls.filter(pl.col("gene") == "CTNNB1")["patient_id"].n_unique() > 60
    coverage = result.tables["coverage"]
    refused = coverage.filter(~pl.col("scored"))
    for mechanism in ("IMM-EXC", "SIG-TGFB", "HYP-HIF1", "APO-BCL2", "AUT-PRO", "ERS-PERK"):
        assert mechanism in set(refused["mechanism_id"])
        assert mechanism not in set(coverage.filter("scored")["mechanism_id"])
    assert (refused["reason"].is_not_null()).all()
    told = result.tables["associations"]["caveat"]
    assert told.str.contains("prognostic or unknown: no control arm").any()
