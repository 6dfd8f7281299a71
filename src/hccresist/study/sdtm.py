"""Read a folder of CDISC SDTM files as a study.

Read are DM, TU, TR, RS, LB, EX, DS and the supplemental qualifiers SUPPTR and SUPPTU, as CSV (also
gzipped), SAS transport (XPT version 5 or 8) or Dataset-JSON v1.1 (also NDJSON and compressed).
Which file holds which domain is told in `hccresist.study.sdtm_files`; how dates become days in
`hccresist.study.sdtm_time`. The mapping, in full in ``docs/reference/sdtm.md``:

====== ================ =================================================================================
domain study table      what becomes what
====== ================ =================================================================================
DM     patients         USUBJID, AGE, SEX, ARM (else ARMCD); RFSTDTC is day 0; other variables: covariates
DM     survival         DTHDTC is death; else the last of RFPENDTC, RFXENDTC, RFENDTC and of every dated
                        record is ``last_alive_day``, and ``last_alive_source`` says which
TU     lesions          TULNKID, role (TUSTRESC), site (TULOC), TUSPLIT and TUMERGE
TR     lesions, visits  see `hccresist.study.sdtm_lesions`; SUMDIAM: ``recorded_sum_mm``, or `sums`
RS     responses        see `hccresist.study.sdtm_responses`
LB     labs             LBTESTCD, LBSTRESN, LBSTRESU
EX     treatments       one row a drug, all of the index line
DS     treatments       why treatment ended; death where DM has no date
SUPP-- lesions, visits  viable diameters, arterial phase, site; all others: covariates
====== ================ =================================================================================

The reader is --EVALID, else --EVAL, else empty; --ACPTFL = Y is the covariate ``accepted``. What
does not become a row is counted and told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.check import check_tables
from hccresist.study.config import CONFIG_FILE, read_config
from hccresist.study.issues import Issue, IssueLog, Severity
from hccresist.study.policies import Policies
from hccresist.study.sdtm_clinic import (
    lab_table,
    patient_table,
    read_clock,
    survival_table,
    treatment_table,
)
from hccresist.study.sdtm_files import DOMAINS, FILE, Domain, SdtmFolder, read_folder
from hccresist.study.sdtm_lesions import lesion_tables, read_tr, read_tu
from hccresist.study.sdtm_responses import response_table
from hccresist.study.sdtm_time import DAY, Clock, visit_days, whole_days
from hccresist.study.study import ROW, RawTable, Study, StudyConfig

READ: Final[dict[str, tuple[str, ...]]] = {
    "TU": (
        "METHOD",
        "LNKID",
        "TESTCD",
        "TEST",
        "ORRES",
        "STRESC",
        "LOC",
        "GRPID",
        "EVAL",
        "EVALID",
        "ACPTFL",
        "DTC",
        "DY",
    ),
    "TR": (
        *("LNKID", "TESTCD", "TEST", "ORRES", "ORRESU", "STRESC", "STRESN", "STRESU", "STAT", "REASND"),
        *("GRPID", "METHOD", "EVAL", "EVALID", "ACPTFL", "DTC", "DY"),
    ),
    "RS": (
        *(
            "TESTCD",
            "TEST",
            "REASND",
            "CAT",
            "SCAT",
            "ORRES",
            "STRESC",
            "STAT",
            "EVAL",
            "EVALID",
            "ACPTFL",
            "DTC",
            "DY",
        ),
    ),
    "LB": ("STAT", "TESTCD", "TEST", "ORRES", "ORRESU", "STRESC", "STRESN", "STRESU", "SPEC", "DTC", "DY"),
    "EX": ("TRT", "DOSE", "DOSU", "DOSFRQ", "OCCUR", "STDTC", "ENDTC", "STDY", "ENDY"),
    "DS": ("DECOD", "TERM", "REASND", "CAT", "SCAT", "STDTC", "STDY"),
}
"""Variables that are read of each domain, without the domain's prefix."""

_KEYS: Final = ("STUDYID", "DOMAIN", "USUBJID", "SUBJID", "VISIT", "VISITNUM", ROW, FILE)
_DATED: Final = {
    "TU": ("TUDTC",),
    "TR": ("TRDTC",),
    "RS": ("RSDTC",),
    "LB": ("LBDTC",),
    "EX": ("EXSTDTC", "EXENDTC"),
    "DS": ("DSSTDTC",),
}
"""Dates on which a subject was seen."""


def read_sdtm(folder: Path, *, policies: Policies | None = None, config: StudyConfig | None = None) -> Study:
    r"""Read and check a folder of SDTM files; nothing in it is changed.

    Parameters
    ----------
    folder
        The folder. A ``study.toml`` in it is read, where there is one.
    policies
        Policies in force, instead of those of the configuration. ``date_imputation`` says how
        partial dates are read; ``units`` = conventional takes diameters without unit as mm.
    config
        What ``study.toml`` would say, instead of that file.

    Returns
    -------
    Study
        Checked tables, what was noticed or left out, and the files with their SHA-256.

    Raises
    ------
    InputError
        With every problem found in any file.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "dm.csv").write_text("USUBJID,RFSTDTC\nP1,2020-01-02\n")
    >>> _ = (folder / "rs.csv").write_text(
    ...     "USUBJID,RSTESTCD,RSCAT,RSSTRESC,RSDTC\nP1,OVRLRESP,RECIST 1.1,PR,2020-03-02\n"
    ... )
    >>> study = read_sdtm(folder)
    >>> study.table("responses").select("criterion", "day", "overall").row(0)
    ('recist11', 60.0, 'PR')
    """
    log = IssueLog()
    used = _config(folder, config, log)
    if policies is not None:
        used = replace(used, policies=policies)
    found = read_folder(folder, log)
    tables = _tables(found, used, log) if found.domains else []
    if not tables and not log.errors:
        hint = f"Give at least RS, or TR with TU, and DM; the domains are {', '.join(DOMAINS)}."
        log.add(
            Issue(
                code="no-sdtm",
                problem="the folder holds no SDTM records that can be read as a study",
                hint=hint,
            )
        )
    if not tables:
        log.raise_if_errors()
    return check_tables(tables, used, log=log, sources=found.sources)


def _config(folder: Path, config: StudyConfig | None, log: IssueLog) -> StudyConfig:
    if config is not None:
        return config
    if (folder / CONFIG_FILE).is_file():
        return read_config(folder, log)
    return StudyConfig(name=folder.resolve().name)


def _tables(found: SdtmFolder, config: StudyConfig, log: IssueLog) -> list[RawTable]:
    """Return every study table that the domains hold."""
    domains = found.domains
    for name, domain in domains.items():
        _tell_unread(domain, name)
    clock = read_clock(domains.get("DM"), imputation=config.policies.date_imputation)
    tables = _response_tables(domains, clock, assume_mm=config.policies.units == "conventional")
    if "LB" in domains:
        tables.append(lab_table(domains["LB"], clock=clock))
    if "EX" in domains:
        tables.append(treatment_table(domains["EX"], domains.get("DS"), clock=clock, line=config.index_line))
    kept = [table for table in tables if table is not None]
    kept = _with_patients(domains, kept, clock, log)
    if "DM" in domains:
        survival = survival_table(domains["DM"], domains.get("DS"), clock=clock, seen=_seen(domains, clock))
        known = next(table.frame["patient_id"] for table in kept if table.name == "patients")
        if survival is not None:
            frame = survival.frame.filter(pl.col("patient_id").is_in(known.implode()))
            kept.append(replace(survival, frame=frame))
    _tell_viable(kept, log)
    return kept


def _response_tables(
    domains: Mapping[str, Domain], clock: Clock, *, assume_mm: bool
) -> list[RawTable | None]:
    """Return lesions, visits, sums and responses."""
    tr = (
        read_tr(domains["TR"], domains.get("SUPPTR"), clock=clock, assume_mm=assume_mm)
        if "TR" in domains
        else None
    )
    seen = pl.DataFrame() if tr is None else visit_days(tr.domain, reader="reader")
    tu = read_tu(domains["TU"], domains.get("SUPPTU"), clock=clock, seen=seen) if "TU" in domains else None
    tables: list[RawTable | None] = [*lesion_tables(tu, tr)]
    if "RS" in domains:
        tables.append(response_table(domains["RS"], clock=clock, seen=seen))
    return tables


def _tell_unread(domain: Domain, name: str) -> None:
    """Tell variables of a domain that have values and are not read."""
    if name not in READ:
        return
    known = {*_KEYS, f"{name}SEQ", *(name + variable for variable in READ[name])}
    unread = [column for column in domain.records.columns if column not in known and domain.has(column)]
    if unread:
        hint = "They have no place in the study tables; nothing is derived from them."
        problem = f"variables of {name} that are not read: {', '.join(unread)}"
        domain.place.warning("unread-variables", problem, hint=hint)


# Patients


def _with_patients(
    domains: Mapping[str, Domain], tables: Sequence[RawTable], clock: Clock, log: IssueLog
) -> list[RawTable]:
    """Add `patients`: those of DM, and those whom only other domains know."""
    dm = domains.get("DM")
    if dm is None and not tables:
        return []
    patients = None if dm is None else patient_table(dm, clock)
    known = pl.Series("patient_id", [], dtype=pl.String) if patients is None else patients.frame["patient_id"]
    left_out = [] if dm is None else sorted(set(dm.records["USUBJID"].to_list()) - set(known.to_list()))
    kept = [_without(table, left_out, log) for table in tables]
    others = [table.frame.select("patient_id", ROW) for table in kept]
    extra = (
        pl.concat([frame.select("patient_id") for frame in others]).unique() if others else known.to_frame()
    )
    extra = extra.filter(~pl.col("patient_id").is_in(known.implode())).sort("patient_id")
    _tell_strangers(dm, extra["patient_id"].to_list(), log)
    if patients is None:
        file = kept[0].file if kept else next(iter(domains.values())).label
        frame = extra.with_columns(pl.lit(1, dtype=pl.Int64).alias(ROW))
        return [RawTable(name="patients", frame=frame, file=file), *kept]
    frame = pl.concat(
        [patients.frame, extra.with_columns(pl.lit(1, dtype=pl.Int64).alias(ROW))], how="diagonal"
    )
    return [replace(patients, frame=frame), *kept]


def _without(table: RawTable, patients: list[str], log: IssueLog) -> RawTable:
    """Return a table without the rows of subjects who are not part of the study, which are counted."""
    frame = table.frame.filter(~pl.col("patient_id").is_in(patients))
    gone = table.frame.height - frame.height
    if gone:
        problem = f"{gone} records of screen failures were left out of {table.name}"
        log.add(Issue(code="screen-failures", problem=problem, file=table.file, severity=Severity.WARNING))
    return replace(table, frame=frame)


def _tell_strangers(dm: Domain | None, patients: Sequence[str], log: IssueLog) -> None:
    if dm is None:
        problem = "there is no DM: days are study days, and neither arm, age nor survival is known"
        hint = "Add DM (USUBJID, RFSTDTC, DTHDTC, ARM)."
        log.add(Issue(code="no-dm", problem=problem, hint=hint, severity=Severity.WARNING))
    elif patients:
        listed = ", ".join(patients[:5]) + (" …" if len(patients) > 5 else "")
        dm.place.warning(
            "not-in-dm",
            f"{len(patients)} subjects are not in DM and were placed by their study days: {listed}",
            hint="Add them to DM, so that their arm and survival are known.",
        )


def _seen(domains: Mapping[str, Domain], clock: Clock) -> pl.DataFrame:
    """Return the days on which each subject was seen, and by which domain."""
    empty = {"USUBJID": pl.String, DAY: pl.Float64, "source": pl.String, "order": pl.Int32}
    parts = [pl.DataFrame(schema=empty)]
    for order, (name, dates) in enumerate(_DATED.items(), start=10):
        for dtc in dates:
            if name in domains and dtc in domains[name].records.columns:
                days = whole_days(domains[name], dtc, clock=clock)
                parts.append(days.with_columns(source=pl.lit(name), order=pl.lit(order, dtype=pl.Int32)))
    return pl.concat(parts)


def _tell_viable(tables: Sequence[RawTable], log: IssueLog) -> None:
    lesions = next((table for table in tables if table.name == "lesions"), None)
    if lesions is None:
        return
    if (
        "viable_mm" in lesions.frame.columns
        and lesions.frame["viable_mm"].null_count() < lesions.frame.height
    ):
        return
    log.add(
        Issue(
            code="no-viable-diameter",
            problem="no viable (arterially enhancing) diameter was found: mRECIST cannot be derived",
            file=lesions.file,
            hint="Give it as TRTESTCD or as QNAM of SUPPTR; accepted names stand in docs/reference/sdtm.md.",
            severity=Severity.WARNING,
        )
    )
