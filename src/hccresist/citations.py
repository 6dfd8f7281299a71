"""What a run should cite: BibTeX and a methods paragraph, chosen by what the run really used.

The references stand in ``data/references.toml``; each lists the tags under which it is used. A run
collects its tags (criteria, tables, statistics) and the manifest keeps the keys that follow.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference.

    Attributes
    ----------
    key
        BibTeX key, and the key in the manifest.
    kind
        ``article`` or ``software``.
    fields
        BibTeX fields in the order of printing.
    used_for
        Tags under which it is cited.
    phrase
        How the methods paragraph names what was done with it; empty for software.
    package
        Installed package whose version is quoted; empty for articles on methods.
    """

    key: str
    kind: str
    fields: Mapping[str, str]
    used_for: tuple[str, ...]
    phrase: str = ""
    package: str = ""

    def bibtex(self, release: str = "") -> str:
        """Return the reference as a BibTeX entry, with a version for software."""
        entry = "article" if self.kind == "article" else "misc"
        fields = dict(self.fields)
        if release:
            fields["note"] = f"version {release}"
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        return f"@{entry}{{{self.key},\n{body}\n}}"


_BIBTEX = ("author", "title", "journal", "year", "volume", "number", "pages", "doi")


@cache
def read_references() -> tuple[Reference, ...]:
    """Return every reference that hccresist knows, in the order of the file."""
    text = files("hccresist").joinpath("data/references.toml").read_text(encoding="utf-8")
    return tuple(_reference(key, entry) for key, entry in tomllib.loads(text).items())


def _reference(key: str, entry: Mapping[str, Any]) -> Reference:
    return Reference(
        key=key,
        kind=entry["kind"],
        fields={name: str(entry[name]) for name in _BIBTEX if name in entry},
        used_for=tuple(entry["used_for"]),
        phrase=entry.get("phrase", ""),
        package=entry.get("package", ""),
    )


def select_references(tags: Iterable[str]) -> list[str]:
    """Return the keys of the references that a run with these tags should cite.

    Examples
    --------
    >>> select_references(["criterion:mrecist"])
    ['mrecist', 'polars', 'hccresist']
    """
    wanted = {"always", *tags}
    return [reference.key for reference in read_references() if wanted.intersection(reference.used_for)]


def read_version(package: str) -> str:
    """Return the installed version of a package, or an empty string when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def write_bibtex(manifest: Mapping[str, object]) -> str:
    """Return the BibTeX entries of what a run cites.

    Parameters
    ----------
    manifest
        Content of the run's ``manifest.json``.
    """
    versions = cast("Mapping[str, str]", manifest["versions"])
    entries = [ref.bibtex(versions.get(ref.package, "")) for ref in _cited(manifest)]
    return "\n\n".join(entries)


def write_methods(manifest: Mapping[str, object]) -> str:
    """Return a paragraph for the methods section, written from what a run used."""
    cited = _cited(manifest)
    methods = [f"{ref.phrase} [{ref.key}]" for ref in cited if ref.phrase]
    versions = cast("Mapping[str, str]", manifest["versions"])
    parts = [f"{_plain(ref)} {versions.get(ref.package, '')} [{ref.key}]" for ref in cited if ref.package]
    sentences = [
        f"The study '{_study(manifest, 'name')}' was analysed with hccresist {manifest['version']}.",
        f"Methods: {_join(methods)}." if methods else "",
        _other_criteria(manifest),
        _policies(manifest),
        f"Software: {_join(parts)}.",
    ]
    if _study(manifest, "simulated"):
        sentences.insert(1, "The data are simulated.")
    return " ".join(sentence for sentence in sentences if sentence)


def _cited(manifest: Mapping[str, object]) -> list[Reference]:
    keys = set(cast("Sequence[str]", manifest["citations"]))
    return [reference for reference in read_references() if reference.key in keys]


def _study(manifest: Mapping[str, object], field: str) -> object:
    return cast("Mapping[str, object]", manifest["study"])[field]


def _plain(reference: Reference) -> str:
    """Return the name of a package: its title without subtitle and version."""
    return re.sub(r" [\d.]+$", "", reference.fields["title"].split(":")[0])


def _other_criteria(manifest: Mapping[str, object]) -> str:
    """Name the criteria that stand under no reference of the list, with the source of their rules."""
    known = {tag for ref in _cited(manifest) for tag in ref.used_for}
    records = cast("Sequence[Mapping[str, object]]", manifest["criteria"])
    others = [f"{r['title']} ({r['reference']})" for r in records if f"criterion:{r['name']}" not in known]
    return f"Criteria besides: {_join(others)}." if others else ""


def _policies(manifest: Mapping[str, object]) -> str:
    changed = cast("Mapping[str, Mapping[str, object]]", manifest["policies_changed"])
    if not changed:
        return "All policies were at their defaults."
    settings = [f"{name} = {entry['value']} (default {entry['default']})" for name, entry in changed.items()]
    return f"Policies other than the default: {_join(settings)}."


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
