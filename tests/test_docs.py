"""The documentation says what the code does: generated pages, links, commands and table columns."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from hccresist.assess.all_results import ALL_RESULTS
from hccresist.cli import app
from hccresist.explain.results import RESULTS as EXPLAINED
from hccresist.outcomes.results import RESULTS as OUTCOMES
from hccresist.overcome.strategy_results import RESULTS as STRATEGIES
from hccresist.overcome.twin_results import RESULTS as TWINS
from hccresist.study.policies import Policies, describe

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"])


def load_generator() -> ModuleType:
    """Import docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()


@pytest.mark.parametrize("name", GENERATOR.PAGES)
def test_a_generated_page_equals_what_the_code_says(name: str) -> None:
    written = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert written == GENERATOR.PAGES[name](), "run ./dev tables"


def test_a_page_that_differs_is_found(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(GENERATOR, "REFERENCE", tmp_path)
    assert GENERATOR.main([]) == 0
    assert GENERATOR.find_drift() == []
    (tmp_path / "tables.md").write_text("changed", encoding="utf-8")
    assert GENERATOR.find_drift() == ["tables.md"]
    assert GENERATOR.main(["--check"]) == 1


def test_every_page_is_in_the_navigation_and_the_other_way_round() -> None:
    def leaves(node: object) -> list[str]:
        if isinstance(node, str):
            return [node]
        items = node.values() if isinstance(node, dict) else node
        return [leaf for item in items for leaf in leaves(item)]

    nav = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert set(leaves(nav)) == pages


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_a_local_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def commands() -> set[str]:
    """Names of the commands that the command line has."""
    return {name for name in app if not name.startswith("-")}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_a_command_that_is_shown_exists_or_is_marked_as_planned(page: Path) -> None:
    for line in page.read_text(encoding="utf-8").splitlines():
        for name in re.findall(r"(?:^\$ |`|bin/)hccresist ([a-z]+)\b", line):
            assert name in commands() or "planned" in line, f"{page.name}: hccresist {name}"


def test_every_command_is_described() -> None:
    text = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert {name for name in commands() if f"## hccresist {name}\n" not in text} == set()


def test_the_page_on_outputs_names_every_table_and_no_other() -> None:
    text = (DOCS / "reference" / "outputs.md").read_text(encoding="utf-8")
    listed = text.partition("## Which tables")[2].partition("\n## ")[0]
    rows = [line for line in listed.splitlines() if line.startswith("|")]
    named = {name for line in rows for name in re.findall(r"`([a-z_]+)`", line)}
    assert named == {*ALL_RESULTS, *OUTCOMES, *EXPLAINED, *STRATEGIES, *TWINS}


def test_policies_that_the_pages_set_exist() -> None:
    known = {info.name for info in describe()}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for setting in re.findall(r"--policy ([a-z_0-9]+=[^\s`\]]+)", text):
            name, _, value = setting.partition("=")
            assert name in known or name == "name", f"{page.name}: {name}"
            Policies.parse({name: value})


def test_the_readme_fits_a_screen() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_the_changelog_has_no_stray_sections() -> None:
    allowed = {"Breaking", "Results change", "Features", "Fixes", "Performance", "Docs"}
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE)) <= allowed
