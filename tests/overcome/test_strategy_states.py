"""What is on in a tumour: from the tables of explain, made by its public functions."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from strategy_cases import CASE, explain, genes_of, make_study

from hccresist.overcome.strategy_states import grade_z, read_tumours


@pytest.mark.parametrize(
    ("z", "reference", "strength"),
    [(3.0, True, 1.0), (1.5, True, 0.5), (1.5, False, 0.4), (9.0, False, 0.8), (-2.0, True, 0.0)],
)
def test_strength_is_z_over_three_and_less_within_a_cohort(z, reference, strength) -> None:
    assert grade_z(z, reference=reference) == pytest.approx(strength)


def signs(**case) -> dict[str, object]:
    """Feature to sign of the patient of interest."""
    tumour = read_tumours(explain(make_study(**case)))[CASE]
    return {sign.feature: sign for sign in tumour.signs.values()}


def test_a_gene_that_is_high_is_on_and_a_patient_like_the_mean_has_nothing_on() -> None:
    found = signs(high=["EGFR"])
    assert "expression EGFR" in found
    assert found["expression EGFR"].loss is False
    assert "SD from the mean of this cohort" in found["expression EGFR"].words
    assert signs(high=["OR4F5"]) == {}


def test_every_expression_that_stands_out_is_read_from_the_matches() -> None:
    """The words of `evidence_matches` are read; should they change, this fails."""
    tables = explain(make_study(high=["EGFR", "MET"], low=["PTEN"]))
    tumours = read_tumours(tables)
    rows = tables["evidence_matches"].filter(pl.col("feature").str.starts_with("expression "))
    assert rows.height > 100
    for patient, feature in rows.select("patient_id", "feature").unique().iter_rows():
        assert tumours[patient].strength_of(feature) >= grade_z(1.0, reference=False) - 1e-9


def test_neutrophils_are_on_where_their_sets_are_high() -> None:
    sign = signs(high=genes_of("TME-NEU"))["sets TME-NEU"]
    assert (sign.kind, sign.mechanisms, sign.loss) == ("sets", ("TME-NEU",), False)


def test_exclusion_is_on_where_the_sets_of_t_cells_are_low_and_not_where_they_are_high() -> None:
    cells = genes_of("IMM-EXC")
    assert "sets IMM-EXC" in signs(low=cells)
    assert "sets IMM-EXC" not in signs(high=cells)


def test_a_footprint_of_unclear_meaning_is_never_on() -> None:
    genes = genes_of("GEN-TP53")
    assert "sets GEN-TP53" not in signs(high=genes)
    assert "sets GEN-TP53" not in signs(low=genes)


def test_a_mutation_is_on_in_full_with_its_mechanism_and_a_truncated_gene_is_lost() -> None:
    found = signs(
        mutated=[("CTNNB1", "p.S45P", "Missense_Mutation"), ("AXIN1", "p.R395*", "Nonsense_Mutation")]
    )
    assert found["alteration CTNNB1"].strength == 1.0
    assert "GEN-CTNNB1" in found["alteration CTNNB1"].mechanisms
    assert found["alteration CTNNB1"].loss is False
    assert found["alteration AXIN1"].loss is True


def test_what_does_not_count_does_not_speak() -> None:
    tables = explain(make_study(high=["EGFR"]))
    counted = tables["evidence_matches"].filter("counted")
    spoken = {s.record_id for t in read_tumours(tables).values() for s in t.speeches}
    assert spoken == set(counted["record_id"])


def test_without_tables_there_is_no_tumour() -> None:
    assert read_tumours({}) == {}
