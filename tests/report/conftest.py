"""Reports of made-up studies, made once, and what can be read back out of a page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from reading import Page
from synthetic import Case, make_case

from hccresist.report.facts import Facts
from hccresist.report.figures import response, survival, swimmer
from hccresist.report.page import Report, render_report


def render_case(case: Case) -> Report:
    """Render a case as a run does."""
    return render_report(case.study, case.tables, manifest=case.manifest)


@pytest.fixture(scope="session")
def case() -> Case:
    """Sixty patients, two arms, two readers, three criteria."""
    return make_case(60)


@pytest.fixture(scope="session")
def facts(case) -> Facts:
    """What the sections of that case are made from."""
    return Facts(case.study, case.tables, case.manifest)


@pytest.fixture(scope="session")
def report(case) -> Report:
    """The report of that case."""
    return render_case(case)


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Leave the pictures out, where a test is not about them."""
    for module in (response, swimmer, survival):
        monkeypatch.setattr(module, "draw", lambda *_, **__: '<svg width="1" height="1"></svg>')


@pytest.fixture(scope="session")
def page(report) -> Page:
    """The report, read back."""
    return Page.read(report.html)


@pytest.fixture(scope="session")
def tiny() -> Case:
    """Four patients, one reader without a name, no arms."""
    return make_case(4, readers=("",), arms=1, visits=3, seed=3)


@pytest.fixture(scope="session")
def tiny_report(tiny) -> Report:
    """The report of the small case."""
    return render_case(tiny)
