"""What a run cites: every reference whole, chosen by what was used, printed as BibTeX and prose."""

from __future__ import annotations

import re

import pytest

from hccresist.citations import (
    read_references,
    read_version,
    select_references,
    write_bibtex,
    write_methods,
)

MANIFEST = {
    "version": "9.9",
    "study": {"name": "A study", "simulated": True},
    "criteria": [
        {"name": "mrecist", "title": "mRECIST (HCC)", "reference": "Lencioni"},
        {"name": "who", "title": "WHO", "reference": "as tabulated in PMC3094725"},
    ],
    "citations": ["mrecist", "clopper_pearson", "polars", "hccresist"],
    "policies_changed": {"confirm_days": {"value": 42.0, "default": 28.0, "meaning": "…"}},
    "versions": {"polars": "2.1.0", "hccresist": "9.9"},
}


def test_every_reference_has_what_its_kind_needs() -> None:
    for reference in read_references():
        needed = {"author", "title"} | ({"journal", "year"} if reference.kind == "article" else set())
        assert needed <= reference.fields.keys(), reference.key
        assert reference.used_for, reference.key
        assert reference.phrase or reference.package, f"{reference.key} has nothing to be named by"


@pytest.mark.parametrize(
    "reference", [r for r in read_references() if "doi" in r.fields], ids=lambda r: r.key
)
def test_a_doi_is_a_plain_doi(reference) -> None:
    assert re.fullmatch(r"10\.\d{4,}/\S+", reference.fields["doi"])


def test_every_package_that_is_cited_is_installed() -> None:
    packages = {reference.package for reference in read_references() if reference.package}
    assert {package for package in packages if not read_version(package)} == set()


# The dois of the three criteria, from section 1 to 3 of the project's reference page.
@pytest.mark.parametrize(
    ("criterion", "doi"),
    [
        ("recist11", "10.1016/j.ejca.2008.10.026"),
        ("mrecist", "10.1055/s-0030-1247132"),
        ("irecist", "10.1016/S1470-2045(17)30074-8"),
    ],
)
def test_a_criterion_brings_its_paper(criterion: str, doi: str) -> None:
    keys = select_references([f"criterion:{criterion}"])
    dois = {reference.fields.get("doi") for reference in read_references() if reference.key in keys}
    assert doi in dois


def test_only_what_was_used_is_cited() -> None:
    keys = select_references(["criterion:mrecist", "table:rates"])
    assert {"mrecist", "clopper_pearson", "scipy"} <= set(keys)
    assert {"recist11", "irecist", "cox", "altair"}.isdisjoint(keys)


def test_bibtex_is_well_formed() -> None:
    text = write_bibtex(MANIFEST)
    assert text.count("{") == text.count("}")
    assert re.findall(r"^@(article|misc)\{(\w+),$", text, flags=re.MULTILINE) == [
        ("article", "mrecist"),
        ("article", "clopper_pearson"),
        ("misc", "polars"),
        ("misc", "hccresist"),
    ]
    assert "note = {version 2.1.0}" in text


def test_the_methods_paragraph_names_study_methods_policies_and_versions() -> None:
    text = write_methods(MANIFEST)
    for part in (
        "'A study'",
        "hccresist 9.9",
        "The data are simulated.",
        "response by mRECIST for hepatocellular carcinoma [mrecist]",
        "Criteria besides: WHO (as tabulated in PMC3094725).",
        "confirm_days = 42.0 (default 28.0)",
        "Polars 2.1.0 [polars]",
    ):
        assert part in text


def test_a_package_is_named_without_the_version_in_its_title() -> None:
    manifest = {**MANIFEST, "citations": ["scipy"], "versions": {"scipy": "1.17.1"}}
    assert "Software: SciPy 1.17.1 [scipy]." in write_methods(manifest)


def test_defaults_are_said_to_be_defaults() -> None:
    assert "All policies were at their defaults." in write_methods({**MANIFEST, "policies_changed": {}})
