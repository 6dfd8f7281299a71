"""The page of simulated patterns and its figures (its numbers: ``docs/simulated_patterns.py --check``)."""

import re
from pathlib import Path

import pytest

from hccresist.assess.patterns import DEFINITIONS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def page() -> str:
    """Return the written page."""
    return (DOCS / "explanation" / "simulated-patterns.md").read_text(encoding="utf-8")


def test_page_shows_figures_that_exist(page: str) -> None:
    for name in ("courses", "tumour", "chance", "survival"):
        for theme in ("light", "dark"):
            file = f"simulated-patterns-{name}-{theme}.svg"
            assert f"../images/{file}#only-{theme}" in page
            assert (DOCS / "images" / file).stat().st_size > 0


def test_page_names_only_definitions_that_are_registered(page: str) -> None:
    named = re.findall(r"`((?:pseudo|dissociated|[a-z]+(?:_[a-z]+)?_20\d\d)\w*)`", page)
    assert len(set(named)) > 10
    assert set(named) <= set(DEFINITIONS)


def test_page_names_every_pattern_of_the_issue(page: str) -> None:
    for words in (
        "oedema",
        "micrometastases",
        "Treg",
        "growth signal",
        "Rebound",
        "Mixed",
        "without RECIST",
        "off drug",
        "survival",
    ):
        assert words in page
