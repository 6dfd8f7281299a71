"""Rules between the tables of a study, and between the columns of a row.

Errors are contradictions that would make a result wrong or undefined. Warnings are what may be
right but is often a slip; they are shown with the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.columns import own_endpoints
from hccresist.study.design import check_design
from hccresist.study.issues import IssueLog, Severity
from hccresist.study.lesion_rules import check_lesions
from hccresist.study.rows import Place, RowRule, tell_broken
from hccresist.study.study import ROW, RawTable, StudyConfig
from hccresist.study.tables import ONE_OF, SCHEMAS

DAY_ZERO_SLACK: Final = 7.0
"""Days by which the first dose of the index line may miss day 0 unnoticed (trials count from randomisation)."""
SCANNED: Final = ("visits", "lesions", "sums", "responses")
"""Tables whose rows say that a scan was made."""
CRITERIA: Final = ("recist11", "mrecist", "irecist")
RESERVED_ARM: Final = "all"
"""Group of results over every arm; no arm may be called so."""

_WARNING: Final = Severity.WARNING
_OS_DAYS, _LAST = pl.col("os_days"), pl.col("last_alive_day")

SURVIVAL_RULES: Final = (
    RowRule(
        code="death-without-day",
        broken=pl.col("died") & _OS_DAYS.is_null(),
        problem="the patient died, but os_days is empty",
        column="os_days",
        expected="days from day 0 to death",
        hint="Fill in os_days.",
    ),
    RowRule(
        code="alive-after-death",
        broken=pl.col("died") & (_LAST > _OS_DAYS),
        problem="the patient is alive on day {last_alive_day:g} but died on day {os_days:g}",
        column="last_alive_day",
        expected="os_days at most",
        hint="Correct one of the two.",
    ),
    RowRule(
        code="entry-after-end",
        broken=pl.col("entry_day") > pl.coalesce(_OS_DAYS, _LAST),
        problem="the patient comes under observation after follow-up has ended",
        column="entry_day",
        expected="a day before the end of follow-up",
        hint="Correct entry_day or os_days; leave entry_day empty where observation begins at day 0.",
    ),
    RowRule(
        code="follow-up-before-start",
        broken=_OS_DAYS.is_null() & (_LAST < 0),
        problem="follow-up ends before day 0",
        column="last_alive_day",
        expected="0 or more",
        hint="Days are counted from start of the index line: correct the day or the start.",
    ),
    RowRule(
        code="follow-up-conflict",
        broken=~pl.col("died").fill_null(value=False) & (_LAST > _OS_DAYS),
        problem="last_alive_day lies after os_days, which is the one that counts",
        column="last_alive_day",
        expected="os_days at most",
        hint="Give one of the two, or correct os_days.",
        severity=_WARNING,
    ),
    RowRule(
        code="status-missing",
        broken=pl.col("died").is_null() & _OS_DAYS.is_not_null(),
        problem="os_days is given, but not whether the patient died then",
        column="died",
        expected="true or false",
        hint="Fill in died: without it the patient cannot enter overall survival.",
        severity=_WARNING,
    ),
    RowRule(
        code="no-follow-up",
        broken=~pl.col("died").fill_null(value=False) & _OS_DAYS.is_null() & _LAST.is_null(),
        problem="there is neither os_days nor last_alive_day",
        column="os_days",
        expected="os_days or last_alive_day",
        hint="Fill in one of them: without it the patient cannot enter overall survival.",
        severity=_WARNING,
    ),
    RowRule(
        code="cause-without-death",
        broken=pl.col("death_cause").is_not_null() & (pl.col("died") == False),  # noqa: E712
        problem="a cause of death is given for a patient who is alive",
        column="death_cause",
        expected="an empty cell",
        hint="Correct died or death_cause.",
        severity=_WARNING,
    ),
)

TREATMENT_RULES: Final = (
    RowRule(
        code="dates-out-of-order",
        broken=pl.col("end_day") < pl.col("start_day"),
        problem="the treatment ends on day {end_day:g}, before it starts on day {start_day:g}",
        column="end_day",
        expected="start_day or later",
        hint="Correct one of the two days.",
    ),
)

RESPONSE_RULES: Final = (
    RowRule(
        code="empty-response",
        broken=pl.all_horizontal(
            pl.col(name).is_null() for name in ("overall", "target", "nontarget", "new_lesion")
        ),
        problem="no response is recorded in the row",
        column="overall",
        expected="a response",
        hint="Fill in overall, or remove the row.",
        severity=_WARNING,
    ),
    RowRule(
        code="criterion-spelling",
        broken=pl.col("criterion").str.to_lowercase().str.replace_all(r"[\s._-]", "").is_in(CRITERIA)
        & ~pl.col("criterion").is_in(CRITERIA),
        problem="'{criterion}' is taken as a criterion of your own",
        column="criterion",
        expected=", ".join(CRITERIA),
        hint="Write recist11, mrecist or irecist where one of these is meant.",
        severity=_WARNING,
    ),
)


def check_rules(tables: Mapping[str, RawTable], config: StudyConfig, *, log: IssueLog) -> None:
    """Check what the schema of a single table cannot say.

    Parameters
    ----------
    tables
        Tables that `hccresist.study.check.check_table` returned, by name: sorted by key, with `ROW`.
    config
        Index line, planned visits, reference arm, strata and policies.
    log
        Hears every problem. Chunks of whole patients can be checked one after the other.
    """
    _check_presence(tables, log)
    rules = {"survival": SURVIVAL_RULES, "treatments": TREATMENT_RULES, "responses": RESPONSE_RULES}
    for name, of_row in rules.items():
        if name in tables:
            tell_broken(of_row, _of_known_patients(tables[name], tables), _place(tables[name], log))
    if "lesions" in tables:
        check_lesions(tables["lesions"], config.policies, _place(tables["lesions"], log))
    if "patients" in tables:
        patients = tables["patients"].frame
        _check_arms(tables["patients"], _place(tables["patients"], log))
        check_design(patients["arm"].drop_nulls().unique().to_list(), patients.columns, config, log=log)
    if "treatments" in tables:
        _check_lines(tables["treatments"], config.index_line, _place(tables["treatments"], log))
    if "survival" in tables:
        _check_endpoints(tables["survival"], _place(tables["survival"], log))
        _check_follow_up(tables, log)
    _check_readers(tables, log)
    _check_links(tables, log)
    _check_samples(tables, log)


def _place(table: RawTable, log: IssueLog) -> Place:
    return Place(file=table.file, log=log, headers=table.headers)


def _of_known_patients(table: RawTable, tables: Mapping[str, RawTable]) -> pl.DataFrame:
    """Return the rows whose patient is known: without the index date of a patient, dates have no day."""
    if "patients" not in tables:
        return table.frame.clear()
    return table.frame.join(tables["patients"].frame, on="patient_id", how="semi", maintain_order="left")


def _check_presence(tables: Mapping[str, RawTable], log: IssueLog) -> None:
    """Tell that patients or everything to assess is missing, unless a file was refused that may hold it."""
    refused = {Path(issue.file.strip("<>")).stem.lower() for issue in log.errors if issue.file}
    if refused - {"study", *SCHEMAS}:
        return
    if "patients" not in tables and "patients" not in refused:
        hint = "Add patients.csv with a column patient_id; 'hccresist init' writes a template."
        Place(file="patients.csv", log=log).error("missing-table", "the table patients is missing", hint=hint)
    if not any(name in tables or name in refused for name in ONE_OF):
        place = Place(file=f"{ONE_OF[0]}.csv", log=log)
        hint = f"Add one of {', '.join(ONE_OF)}; 'hccresist init' writes templates."
        place.error("missing-table", "there is no table to assess", hint=hint)


def _check_arms(patients: RawTable, place: Place) -> None:
    frame = patients.frame.filter(pl.col("arm").is_not_null())
    if frame.is_empty():
        return
    place.tell(
        frame.filter(pl.col("arm").str.to_lowercase() == RESERVED_ARM),
        "reserved-arm",
        "no arm can be called 'all': results over every arm stand under that name",
        column="arm",
        found="arm",
        expected="another name",
        hint="Rename the arm.",
    )
    place.tell(
        patients.frame.filter(pl.col("arm").is_null()),
        "arm-missing",
        "the patient has no arm, while others have one",
        column="arm",
        expected="an arm",
        hint="Fill it in: without it the patient counts in results over all arms alone.",
        severity=_WARNING,
    )
    alike = (
        frame.sort(ROW)
        .unique("arm", keep="first", maintain_order=True)
        .with_columns(plain=pl.col("arm").str.to_lowercase().str.replace_all(r"[\s_-]", ""))
    )
    alike = alike.with_columns(other=pl.col("arm").first().over("plain")).filter(
        pl.col("arm") != pl.col("other")
    )
    place.tell(
        alike,
        "arm-spelling",
        "the arms '{arm}' and '{other}' differ in spelling only and are taken as two",
        column="arm",
        found="arm",
        hint="Write them alike where one arm is meant.",
        severity=_WARNING,
    )


def _check_lines(treatments: RawTable, index_line: int, place: Place) -> None:
    """Tell where the index line does not start on day 0, or a later line starts earlier."""
    started = treatments.frame.filter(pl.col("start_day").is_not_null())
    lines = (
        started.sort("start_day", ROW)
        .group_by("patient_id", "line", maintain_order=True)
        .agg(pl.col("start_day", ROW).first())
        .sort("patient_id", "line")
    )
    index = lines.filter(pl.col("line") == index_line)
    if index.is_empty() and not started.is_empty():
        hint = "Set index_line in study.toml to the line whose start is day 0."
        problem = f"no treatment is of line {index_line}, the index line"
        place.warning("no-index-line", problem, column="line", expected=f"line {index_line}", hint=hint)
    place.tell(
        index.filter(pl.col("start_day").abs() > DAY_ZERO_SLACK),
        "day-zero",
        f"line {index_line} is the index line but does not start on day 0",
        column="start_day",
        found="start_day",
        expected="0",
        hint="Days are counted from start of the index line: correct the days, or index_line in study.toml.",
        severity=_WARNING,
    )
    before = lines.with_columns(
        before=pl.when(pl.col("patient_id") == pl.col("patient_id").shift()).then(pl.col("start_day").shift())
    )
    place.tell(
        before.filter(pl.col("start_day") < pl.col("before")),
        "lines-out-of-order",
        "line {line} starts before the line before it, which starts on day {before:g}",
        column="start_day",
        found="start_day",
        expected="lines in order of their start",
        hint="Correct the line or the day.",
        severity=_WARNING,
    )


def _check_endpoints(survival: RawTable, place: Place) -> None:
    names = own_endpoints(survival.frame.columns)
    rules: list[RowRule] = []
    for name in names:
        days, event = f"{name}_days", f"{name}_event"
        rules += [
            RowRule(
                code="event-without-day",
                broken=pl.col(event) & pl.col(days).is_null(),
                problem=f"{event} is true, but {days} is empty",
                column=days,
                expected="days from day 0",
                hint=f"Fill in {days}.",
            ),
            RowRule(
                code="out-of-range",
                broken=pl.col(days) < 0,
                problem="the value is out of range",
                column=days,
                expected="0 or more days",
                hint="It cannot be negative: correct it.",
            ),
        ]
    if rules:
        tell_broken(rules, survival.frame, place)


def _last_scans(tables: Mapping[str, RawTable]) -> pl.DataFrame | None:
    frames = [
        tables[name].frame.select("patient_id", "day", ROW, file=pl.lit(tables[name].file))
        for name in SCANNED
        if name in tables
    ]
    if not frames:
        return None
    days = pl.concat([frame.group_by("patient_id").agg(pl.col("day").max()) for frame in frames])
    return days.group_by("patient_id").agg(last_scan=pl.col("day").max())


def _check_follow_up(tables: Mapping[str, RawTable], log: IssueLog) -> None:
    """Tell follow-up that ends before the last scan, and scans and treatments after death.

    Both are warnings: overall survival and the responses remain defined, each from its own table,
    and clinics close the two at different dates.
    """
    survival = tables["survival"]
    place = _place(survival, log)
    frame = survival.frame.with_columns(end=pl.coalesce(_OS_DAYS, _LAST))
    died = pl.col("died").fill_null(value=False)
    scans = _last_scans(tables)
    if scans is not None:
        late = frame.join(scans, on="patient_id", how="left").filter(pl.col("last_scan") > pl.col("end"))
        place.tell(
            late.filter(died),
            "scan-after-death",
            "the patient died on day {end:g}, but a scan is dated day {last_scan:g}",
            column="os_days",
            found="end",
            expected="the last scan or later",
            hint="Correct the day of death or of the scan.",
            severity=_WARNING,
        )
        place.tell(
            late.filter(~died),
            "follow-up-too-short",
            "follow-up ends on day {end:g}, but a scan is dated day {last_scan:g}",
            column="os_days",
            found="end",
            expected="the last scan or later",
            hint="Correct the end of follow-up: the patient was alive at the scan.",
            severity=_WARNING,
        )
    if "treatments" in tables:
        deaths = frame.filter(died).select("patient_id", death="end")
        treatments = tables["treatments"]
        _place(treatments, log).tell(
            treatments.frame.join(deaths, on="patient_id").filter(pl.col("start_day") > pl.col("death")),
            "treatment-after-death",
            "the treatment starts after the patient died on day {death:g}",
            column="start_day",
            found="start_day",
            expected="a day before death",
            hint="Correct the day of death or of the treatment.",
            severity=_WARNING,
        )


def _check_readers(tables: Mapping[str, RawTable], log: IssueLog) -> None:
    """Tell readers left out in part or spelled in two ways: they are never pooled, so they count as two."""
    for name in SCANNED:
        if name not in tables:
            continue
        frame, place = tables[name].frame, _place(tables[name], log)
        readers = frame["reader"].unique()
        if "" in readers and len(readers) > 1:
            place.tell(
                frame.filter(pl.col("reader") == ""),
                "reader-missing",
                "the row names no reader, while others do",
                column="reader",
                expected="a reader",
                hint="Fill it in: rows without a reader are taken as one more reader.",
                severity=_WARNING,
            )
    if "visits" not in tables or not any(name in tables for name in ("lesions", "sums")):
        return
    visits = tables["visits"]
    known = pl.concat([tables[n].frame["reader"].unique() for n in ("lesions", "sums") if n in tables])
    strange = visits.frame.filter(~pl.col("reader").is_in(known.implode()))
    _place(visits, log).tell(
        strange.sort(ROW).unique("reader", keep="first", maintain_order=True),
        "reader-without-lesions",
        "no lesion or sum was read by '{reader}', so what visits say of that reader stands alone",
        column="reader",
        found="reader",
        expected=", ".join(f"'{reader}'" for reader in known.unique().sort()),
        hint="Write the reader as in the table of lesions or sums.",
        severity=_WARNING,
    )


def _check_links(tables: Mapping[str, RawTable], log: IssueLog) -> None:
    if "lesions" not in tables:
        return
    lesions = tables["lesions"].frame
    if "procedures" in tables:
        procedures = tables["procedures"]
        named = procedures.frame.filter(pl.col("lesion_id").is_not_null())
        known = lesions.select("patient_id", "lesion_id").unique() if not named.is_empty() else lesions
        _place(procedures, log).tell(
            named.join(known, on=["patient_id", "lesion_id"], how="anti"),
            "unknown-lesion",
            "the patient has no such lesion",
            column="lesion_id",
            found="lesion_id",
            expected="a lesion_id of lesions",
            hint="Correct the identifier, or leave the cell empty.",
            severity=_WARNING,
        )
    if "sums" in tables:
        sums = tables["sums"]
        series = ["patient_id", "reader", "day"]
        _place(sums, log).tell(
            sums.frame.join(lesions.select(series).unique(), on=series, how="semi").unique(
                series, keep="first"
            ),
            "sums-and-lesions",
            "there is a sum and there are lesions for the same scan and reader",
            column="sum",
            found="sum",
            hint="Keep one of them: sums serve only where no target lesion is measured.",
            severity=_WARNING,
        )


def _check_samples(tables: Mapping[str, RawTable], log: IssueLog) -> None:
    """Tell samples of expression and alterations that `samples` does not name."""
    if "samples" not in tables:
        for name in ("expression", "alterations"):
            if name in tables:
                hint = "Add samples.csv with sample_id and patient_id."
                problem = "the table samples is missing, so no sample belongs to a patient"
                _place(tables[name], log).warning("no-samples", problem, hint=hint)
        return
    known = tables["samples"].frame["sample_id"]
    hint = "Add the sample to samples, or correct its name."
    if "alterations" in tables:
        place = _place(tables["alterations"], log)
        rows = tables["alterations"].frame.filter(~pl.col("sample_id").is_in(known.implode()))
        place.tell(
            rows.sort(ROW).unique("sample_id", keep="first", maintain_order=True),
            "unknown-sample",
            "the sample is not in the table samples",
            column="sample_id",
            found="sample_id",
            expected="a sample_id of samples",
            hint=hint,
        )
    if "expression" in tables:
        place = _place(tables["expression"], log)
        names = set(known.to_list())
        for column in tables["expression"].frame.columns:
            if column not in (*names, "gene", ROW):
                problem, expected = "the sample is not in the table samples", "a sample_id of samples"
                place.error(
                    "unknown-sample", problem, column=column, found=column, expected=expected, hint=hint
                )
