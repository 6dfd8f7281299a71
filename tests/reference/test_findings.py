"""The page of findings holds the numbers that assess gives today on the data where they lie."""

import importlib.util
import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_SPEC = importlib.util.spec_from_file_location("findings", DOCS / "findings.py")
findings = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(findings)
KEPT = json.loads((DOCS / "findings.json").read_text(encoding="utf-8"))
DATA = findings.load_mappings().SHARED


def need(name):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(findings.STUDIES))
def test_numbers_of_a_data_set_are_those_kept(name):
    need(name)
    made = json.loads(json.dumps(findings.run_data_set(name)))
    assert made == KEPT["studies"][name]


def test_inspire_agrees_with_its_recorded_responses():
    """The recorded classes are the authors' (column orr of patients.csv)."""
    need("pembrolizumab_inspire")
    table = findings.share_by_recorded_response()
    assert table == KEPT["recorded"]
    assert set(table["CR/PR"]) <= {"CR", "PR"}
    assert set(table["SD/PD"]) <= {"SD", "PD", "NE"}


def test_page_and_numbers_belong_together():
    page = findings.PAGE.read_text(encoding="utf-8")
    assert findings.write_page(KEPT["studies"], KEPT["recorded"]) == page
