"""What a cBioPortal study folder holds: its ``meta_*.txt`` files, case lists and gene panels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.issues import IssueLog
from hccresist.study.rows import Place

META_STUDY: Final = "meta_study.txt"
MAX_META_BYTES: Final = 5_000_000
ROLES: Final = {
    ("CLINICAL", "PATIENT_ATTRIBUTES"): "patients",
    ("CLINICAL", "SAMPLE_ATTRIBUTES"): "samples",
    ("MUTATION_EXTENDED", "MAF"): "mutation",
    ("COPY_NUMBER_ALTERATION", "DISCRETE"): "copy_number",
    ("MRNA_EXPRESSION", "CONTINUOUS"): "expression",
    ("GENE_PANEL_MATRIX", "GENE_PANEL_MATRIX"): "panels",
}
"""What is read, by the type and datatype of a meta file."""
DEFAULT_NAMES: Final = {
    "data_clinical_patient.txt": "patients",
    "data_clinical_patients.txt": "patients",
    "data_clinical_sample.txt": "samples",
    "data_clinical_samples.txt": "samples",
    "data_mutations.txt": "mutation",
    "data_mutations_extended.txt": "mutation",
    "data_cna.txt": "copy_number",
    "data_gene_panel_matrix.txt": "panels",
}
"""What is read, by name, where no meta file says it."""
BEST_EXPRESSION: Final = (
    "rna_seq_v2_mrna",
    "rna_seq_mrna",
    "mrna_seq_v2_rsem",
    "mrna_seq_tpm",
    "mrna_seq_fpkm",
    "mrna",
)
"""Expression profiles by their stable_id, the one that is taken first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What is in a cBioPortal study folder.

    Attributes
    ----------
    study
        Keys and values of ``meta_study.txt``.
    files
        Role to file; see `ROLES`.
    unread
        Data files that are not read.
    """

    study: Mapping[str, str]
    files: Mapping[str, Path]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Profile:
    """One meta file that names a data file."""

    role: str | None
    path: Path
    stable_id: str = ""
    notes: Mapping[str, str] = field(default_factory=dict[str, str])


def look_at_folder(folder: Path, log: IssueLog) -> Folder:
    """Return what a folder holds, and tell data files that meta files name and that are missing."""
    metas = [path for path in sorted(folder.glob("meta_*.txt")) if path.name != META_STUDY]
    profiles = [profile for path in metas if (profile := _read_profile(path, log)) is not None]
    named = {profile.path.name for profile in profiles}
    for path in sorted(folder.iterdir()):
        role = DEFAULT_NAMES.get(path.name.lower())
        if path.is_file() and role is not None and path.name not in named:
            profiles.append(_Profile(role=role, path=path))
    files: dict[str, Path] = {}
    for profile in sorted(profiles, key=_rank):
        if profile.role is not None and profile.role not in files:
            files[profile.role] = profile.path
    read = {path.name for path in files.values()}
    data = {path.name for path in folder.glob("data_*") if path.is_file()} | named
    unread = sorted(name for name in data - read if not name.startswith("data_gene_panel"))
    study = read_meta(folder / META_STUDY, log) or {}
    return Folder(study=study, files=files, unread=tuple(unread))


def _rank(profile: _Profile) -> tuple[int, str]:
    known = [n for n, name in enumerate(BEST_EXPRESSION) if profile.stable_id.endswith(name)]
    return (known[0] if known else len(BEST_EXPRESSION), profile.path.name)


def _read_profile(path: Path, log: IssueLog) -> _Profile | None:
    meta = read_meta(path, log)
    if meta is None or not meta.get("data_filename"):
        return None
    data = path.parent / Path(meta["data_filename"]).name
    place = Place(file=path.name, log=log)
    if not data.is_file():
        hint = "Put it beside the meta file, or remove the meta file."
        place.warning("missing-file", f"the data file {data.name} is not there", found=data.name, hint=hint)
        return None
    stable = meta.get("stable_id", "")
    kind = (meta.get("genetic_alteration_type", "").upper(), meta.get("datatype", "").upper())
    role = None if "normal" in stable.lower() else ROLES.get(kind)
    return _Profile(role=role, path=data, stable_id=stable, notes=meta)


def read_meta(path: Path, log: IssueLog) -> dict[str, str] | None:
    """Return the ``key: value`` lines of a meta file or case list; ``None`` and told where it is none."""
    place = Place(file=path.name, log=log)
    try:
        if path.stat().st_size > MAX_META_BYTES:
            hint = "A meta file has a few lines of the form key: value."
            place.error("too-large", "the meta file is larger than five million bytes", hint=hint)
            return None
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or "the system refused it"
        place.error(
            "unreadable-file", f"the file cannot be read: {reason}", hint="Check that you may read it."
        )
        return None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        place.error("encoding", "the text is not UTF-8", line=line, hint="Save it as UTF-8.")
        return None
    pairs = [line.partition(":") for line in text.splitlines() if ":" in line]
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def read_sequenced(folder: Path, log: IssueLog) -> frozenset[str] | None:
    """Return the samples of the case list ``cases_sequenced.txt``; ``None`` where there is none."""
    path = folder / "case_lists" / "cases_sequenced.txt"
    meta = read_meta(path, log) if path.is_file() else None
    return None if meta is None else frozenset(meta.get("case_list_ids", "").split())


def read_panels(folder: Path, log: IssueLog) -> pl.DataFrame:
    """Return the gene panels that lie in the folder: panel, panel_genes separated by ``;``."""
    paths = [*sorted(folder.glob("data_gene_panel_*.txt")), *sorted(folder.glob("gene_panels/*.txt"))]
    rows: dict[str, str] = {}
    for path in paths:
        meta = read_meta(path, log) if path.name.lower() != "data_gene_panel_matrix.txt" else None
        if meta and meta.get("stable_id") and meta.get("gene_list"):
            rows.setdefault(meta["stable_id"], ";".join(meta["gene_list"].split()))
    schema = {"panel": pl.String, "panel_genes": pl.String}
    return pl.DataFrame({"panel": list(rows), "panel_genes": list(rows.values())}, schema=schema)
