"""The page of the handles keeps up with its tables (its numbers: ``docs/handles.py --check``)."""

from pathlib import Path

import pytest

from hccresist.overcome.model.handle_facts import read_facts, read_reversals
from hccresist.overcome.model.parameters import read_handles

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "reference" / "handles.md"


@pytest.fixture(scope="module")
def page() -> str:
    """Return the written page."""
    return PAGE.read_text(encoding="utf-8")


def test_page_holds_every_fact_with_its_source(page: str) -> None:
    for fact in read_facts():
        assert fact.statement.replace("|", "/") in page
        assert fact.source.replace("|", "/") in page


def test_page_names_the_strategy_of_every_handle(page: str) -> None:
    reversals = read_reversals()
    for handle in read_handles():
        reversal = reversals.get(handle.handle)
        strategy = reversal.strategy_id if reversal else "none in the evidence base"
        assert f"| `{handle.handle}` | {strategy} |" in page


def test_page_shows_figures_that_exist(page: str) -> None:
    names = [f"{name}-{theme}.svg" for name in ("handles", "handles-alike") for theme in ("light", "dark")]
    for name in names:
        assert f"../images/{name}#only-" in page
        assert (DOCS / "images" / name).stat().st_size > 0
