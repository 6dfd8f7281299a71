"""The base as files for others."""

from __future__ import annotations

import json

import polars as pl
import pytest
from evidence_cases import base_of, rows

from hccresist.explain.evidence_export import export_base, list_items
from hccresist.explain.knowledge import read_base


def test_every_table_is_written_as_parquet_and_csv_with_the_same_rows(tmp_path) -> None:
    base = base_of(rows({}, {"drug": "nivolumab + ipilimumab"}))
    written = export_base(base, tmp_path)
    assert sorted(path.name for path in written) == sorted(path.name for path in tmp_path.iterdir())
    for path in tmp_path.glob("*.parquet"):
        assert pl.read_parquet(path).height == pl.read_csv(path.with_suffix(".csv")).height
    found = pl.read_parquet(tmp_path / "findings.parquet")
    assert found["drugs"].to_list() == [["sorafenib"], ["ipilimumab", "nivolumab"]]
    assert pl.read_csv(tmp_path / "findings.csv")["drugs"].to_list() == ["sorafenib", "ipilimumab; nivolumab"]


def test_the_same_base_gives_the_same_bytes(tmp_path) -> None:
    base = base_of(rows({}, {}))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        export_base(base, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "kind", "direction", "significance"),
    [
        # Terms of CIViC: docs.civicdb.org, Evidence, Significance.
        ({}, "Predictive", "Supports", "Resistance"),
        ({"effect": "sensitivity"}, "Predictive", "Supports", "Sensitivity/Response"),
        ({"effect": "no_effect"}, "Predictive", "Does Not Support", "N/A"),
        ({"effect": "unclear"}, "Predictive", None, "N/A"),
        ({"effect": "prognosis", "prognosis_direction": "worse"}, "Prognostic", "Supports", "Poor Outcome"),
        ({"effect": "prognosis"}, "Prognostic", "Supports", "N/A"),
    ],
)
def test_items_speak_the_terms_of_civic(
    changes: dict[str, str], kind: str, direction: str | None, significance: str
) -> None:
    items = list_items(base_of(rows({**changes, "evidence_level": "case_report"})))["evidence_items"]
    assert isinstance(items, list)
    item = items[0]
    assert (item["evidence_type"], item["evidence_direction"], item["significance"]) == (
        kind,
        direction,
        significance,
    )
    assert (item["evidence_level"], item["evidence_level_ours"]) == ("C", "case_report")


def test_the_file_says_whose_levels_these_are_and_what_does_not_count(tmp_path) -> None:
    base = read_base()
    export_base(base, tmp_path)
    text = json.loads((tmp_path / "civic_like.json").read_text(encoding="utf-8"))
    assert "not submitted to it" in text["note"]
    assert "A is never given" in text["note"]
    assert len(text["evidence_items"]) == base.findings.height
    refused = [item for item in text["evidence_items"] if item["status"] == "retracted"]
    assert refused
    assert not any(item["counts_as_support"] for item in refused)
