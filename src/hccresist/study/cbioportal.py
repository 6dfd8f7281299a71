"""Read a cBioPortal study folder: clinical data, mutations, discrete copy number, expression.

What is not read is told: segments, structural variants, methylation, protein, z-scores, timelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.cbioportal_clinical import read_clinical, split_survival
from hccresist.study.cbioportal_meta import (
    META_STUDY,
    Folder,
    look_at_folder,
    read_panels,
    read_sequenced,
)
from hccresist.study.issues import IssueLog
from hccresist.study.maf import read_alterations
from hccresist.study.omics import Gathered, fit_columns, one_row_a_gene, read_matrix, read_own_config
from hccresist.study.policies import Policies
from hccresist.study.rows import Place
from hccresist.study.study import ROW, Study
from hccresist.study.tab import load_text, open_tab, read_tab
from hccresist.study.tables import SCHEMAS

NORMAL: Final = r"(?i)\bnormal\b"
_WHOLE: Final = {"wes": "exome", "wxs": "exome", "exome": "exome", "wgs": "genome", "genome": "genome"}


def is_cbioportal_folder(folder: Path) -> bool:
    """Return whether a folder is a cBioPortal study: it holds ``meta_study.txt``."""
    return (folder / META_STUDY).is_file()


def read_cbioportal(folder: Path, *, policies: Policies | None = None) -> Study:
    """Read and check a cBioPortal study folder; nothing in it is changed.

    1. Patients: PATIENT_ID, AGE, SEX; every other attribute is a covariate in lower case.
    2. Survival: OS_MONTHS and OS_STATUS become os_days and died, other pairs NAME_MONTHS and
       NAME_STATUS own endpoints; a month is 30.4375 days. cBioPortal counts from diagnosis or
       sampling, not from start of treatment: a warning says so.
    3. Samples: SAMPLE_ID, PATIENT_ID, tissue (tumour, unless the attributes say normal), and what was
       sequenced: by gene panel where the folder names one, else the case list of sequenced samples.
    4. Alterations: mutations and discrete copy number, as `hccresist.study.maf` reads them.
    5. Expression: one continuous profile, RNA-seq first. Of several rows of a gene the one with the
       highest mean is kept.
    6. Every other data file is named in a warning.

    Parameters
    ----------
    folder
        Folder with ``meta_study.txt``. A ``study.toml`` in it is read, where there is one.
    policies
        Policies in force, instead of those of the configuration.

    Returns
    -------
    Study
        The checked study.

    Raises
    ------
    InputError
        With every problem found in any file.
    """
    gathered = Gathered(log=IssueLog())
    found = look_at_folder(folder, gathered.log)
    title, name = found.study.get("name", ""), found.study.get("cancer_study_identifier", folder.name)
    config = read_own_config(folder, gathered.log, name=name, title=title, policies=policies)
    _tell_unread(found, gathered.log)
    patients = _add_samples(folder, found, gathered)
    _add_patients(found, patients, gathered)
    for kind in ("mutation", "copy_number"):
        if kind in found.files:
            path = found.files[kind]
            read = read_alterations(path, kind, place=Place(file=path.name, log=gathered.log))
            if read is not None:
                gathered.tables.append(read[0])
                gathered.sources.append(read[1])
    _add_expression(found, gathered)
    return gathered.finish(config)


def _tell_unread(found: Folder, log: IssueLog) -> None:
    if not found.unread:
        return
    names = ", ".join(found.unread[:12]) + (" …" if len(found.unread) > 12 else "")
    hint = "Read are clinical data, mutations, discrete copy number and one expression profile."
    if any("timeline" in name for name in found.unread):
        hint += " Timelines count from diagnosis: write table treatments with days from start of treatment."
    problem = f"{len(found.unread)} data files were not read: {names}"
    Place(file=META_STUDY, log=log).warning("not-read", problem, hint=hint)


def _add_samples(folder: Path, found: Folder, gathered: Gathered) -> pl.DataFrame | None:
    """Add the table samples; return the patients that it names."""
    path = found.files.get("samples")
    if path is None:
        hint = "Add data_clinical_sample.txt with SAMPLE_ID and PATIENT_ID."
        Place(file=META_STUDY, log=gathered.log).error("missing-file", "there is no sample file", hint=hint)
        return None
    place = Place(file=path.name, log=gathered.log)
    frame = read_clinical(
        path, gathered, table="samples", needed={"SAMPLE_ID": "sample_id", "PATIENT_ID": "patient_id"}
    )
    if frame is None:
        return None
    described = [
        name for name in frame.columns if name.upper() in ("SAMPLE_TYPE", "SAMPLE_CLASS", "TISSUE_TYPE")
    ]
    normal = (
        pl.any_horizontal(pl.col(name).str.contains(NORMAL) for name in described)
        if described
        else pl.lit(value=False)
    )
    frame = frame.with_columns(
        __tissue=pl.when(normal.fill_null(value=False)).then(pl.lit("normal")).otherwise(pl.lit("tumour"))
    )
    frame = fit_columns(frame, "samples", place)
    if "tissue" in frame.columns:
        frame = frame.rename({"tissue": "recorded_tissue"})
    frame = _with_sequenced(frame.rename({"__tissue": "tissue"}), folder, found, gathered)
    gathered.add(
        "samples", frame, file=path.name, headers={"sample_id": "SAMPLE_ID", "patient_id": "PATIENT_ID"}
    )
    return (
        frame.select("patient_id", ROW).drop_nulls().unique("patient_id", keep="first", maintain_order=True)
    )


def _with_sequenced(frame: pl.DataFrame, folder: Path, found: Folder, gathered: Gathered) -> pl.DataFrame:
    """Return samples with what was sequenced: by panel, or the whole exome."""
    frame = frame.drop("sequenced", "panel", "panel_genes", strict=False)
    if "panels" in found.files:
        panels = _read_panel_matrix(found.files["panels"], gathered)
        if panels is not None:
            return _with_panels(frame, panels, read_panels(folder, gathered.log), gathered)
    listed = read_sequenced(folder, gathered.log)
    if listed is None:
        return frame
    place = Place(file="cases_sequenced.txt", log=gathered.log)
    problem = "no gene panel is named, so the samples listed count as sequenced over the whole exome"
    hint = "If a panel was used, add data_gene_panel_matrix.txt and the file of the panel."
    place.warning("exome-assumed", problem, hint=hint)
    scope = pl.when(pl.col("sample_id").is_in(list(listed))).then(pl.lit("exome")).otherwise(pl.lit("none"))
    return frame.with_columns(sequenced=scope)


def _read_panel_matrix(path: Path, gathered: Gathered) -> pl.DataFrame | None:
    place = Place(file=path.name, log=gathered.log)
    text = load_text(path, place)
    tab = None if text is None else open_tab(text.data, place)
    if text is None or tab is None:
        return None
    names = {header.lower(): header for header in tab.headers}
    if not {"sample_id", "mutations"} <= names.keys():
        hint = "A gene panel matrix has the columns SAMPLE_ID and mutations."
        place.warning("not-read", "the gene panel matrix has no panels of mutations", hint=hint)
        return None
    frame = read_tab(tab, place, columns=(names["sample_id"], names["mutations"]))
    if frame is None:
        return None
    gathered.add_file(path.name, sha256=text.sha256, rows=frame.height, table="samples")
    frame = frame.select(sample_id=names["sample_id"], panel=names["mutations"])
    return frame.drop_nulls("sample_id").unique("sample_id", keep="first", maintain_order=True)


def _with_panels(
    frame: pl.DataFrame, panels: pl.DataFrame, genes: pl.DataFrame, gathered: Gathered
) -> pl.DataFrame:
    whole = pl.col("panel").str.to_lowercase().replace_strict(_WHOLE, default=None, return_dtype=pl.String)
    none = pl.col("panel").is_null() | pl.col("panel").str.to_uppercase().is_in(["NA", ""])
    panels = panels.with_columns(
        sequenced=pl.coalesce(whole, pl.when(none).then(pl.lit("exome")).otherwise(pl.lit("panel"))),
        panel=pl.when(~none).then("panel"),
    )
    used = panels.filter(pl.col("sequenced") == "panel")["panel"].unique().sort()
    missing = used.filter(~used.is_in(genes["panel"].implode()))
    if len(missing):
        place = Place(file="data_gene_panel_matrix.txt", log=gathered.log)
        problem = "the genes of a panel are not known, so only genes with a mutation count as measured"
        hint = "Put the file of the panel (stable_id, gene_list) into the folder as data_gene_panel_NAME.txt."
        place.warning("unknown-panel", problem, found=", ".join(missing.head(6)), hint=hint)
    panels = panels.join(genes, on="panel", how="left")
    return frame.join(panels, on="sample_id", how="left", maintain_order="left")


def _add_patients(found: Folder, named: pl.DataFrame | None, gathered: Gathered) -> None:
    """Add patients and survival; patients that only the sample file names are added as they are."""
    path = found.files.get("patients")
    if path is None:
        if named is not None:
            gathered.add(
                "patients", named, file=found.files["samples"].name, headers={"patient_id": "PATIENT_ID"}
            )
        return
    frame = read_clinical(path, gathered, table="patients", needed={"PATIENT_ID": "patient_id"})
    if frame is None:
        return
    place = Place(file=path.name, log=gathered.log)
    frame, survival = split_survival(frame, place)
    renamed = _rename_known(frame)
    patients = fit_columns(renamed, "patients", place)
    if named is not None:
        others = named.join(patients, on="patient_id", how="anti", maintain_order="left")
        patients = pl.concat([patients, others], how="diagonal")
    gathered.add("patients", patients, file=path.name, headers={"patient_id": "PATIENT_ID"})
    if survival is not None:
        gathered.add("survival", survival, file=path.name, headers=_survival_headers(survival))


def _rename_known(frame: pl.DataFrame) -> pl.DataFrame:
    names = {name.upper(): name for name in frame.columns}
    wanted = {"AGE": "age_years", "SEX": "sex", "GENDER": "sex"}
    chosen: dict[str, str] = {}
    for source, target in wanted.items():
        if (
            source in names
            and target not in chosen.values()
            and target.upper() not in (names.keys() - {"SEX"})
        ):
            chosen[names[source]] = target
    return frame.rename(chosen)


def _survival_headers(survival: pl.DataFrame) -> Mapping[str, str]:
    headers = {"patient_id": "PATIENT_ID", "os_days": "OS_MONTHS", "died": "OS_STATUS"}
    for name in survival.columns:
        if name not in SCHEMAS["survival"].columns() and name.endswith(("_days", "_event")):
            stem, _, kind = name.rpartition("_")
            headers[name] = f"{stem.upper()}_{'MONTHS' if kind == 'days' else 'STATUS'}"
    return headers


def _add_expression(found: Folder, gathered: Gathered) -> None:
    path = found.files.get("expression")
    if path is None:
        return
    place = Place(file=path.name, log=gathered.log)
    text = load_text(path, place)
    tab = None if text is None else open_tab(text.data, place)
    if text is None or tab is None:
        return
    names = [header for header in tab.headers if header.lower() in ("hugo_symbol", "entrez_gene_id")]
    if not names:
        hint = "The first column of an expression matrix is Hugo_Symbol."
        place.error("missing-column", "no column names the gene", expected="Hugo_Symbol", hint=hint)
        return
    names.sort(key=lambda name: name.lower() != "hugo_symbol")
    frame = read_matrix(tab, place, names=names)
    if frame is not None:
        gathered.add_file(path.name, sha256=text.sha256, rows=frame.height, table="expression")
        gathered.add("expression", one_row_a_gene(frame, place), file=path.name)
