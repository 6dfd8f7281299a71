"""DM, EX, DS and LB → `patients`, `treatments`, `survival` and `labs`."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.study import sdtm_map as words
from hccresist.study.issues import Severity
from hccresist.study.sdtm_files import FILE, Domain
from hccresist.study.sdtm_time import DAY, Clock, read_dates, take_placed, with_days
from hccresist.study.study import ROW, RawTable
from hccresist.study.tables import Patients

ALIVE: Final = ("RFPENDTC", "RFXENDTC", "RFENDTC")
"""Dates of DM on which a subject was alive, in the order in which a tie is settled."""

_STRUCTURE: Final = (
    "STUDYID",
    "DOMAIN",
    "USUBJID",
    "SUBJID",
    "AGE",
    "AGEU",
    "SEX",
    "ARM",
    "DTHFL",
    "DMDY",
    "DMSEQ",
)


def read_clock(dm: Domain | None, *, imputation: str) -> Clock:
    """Return what days are counted from: RFSTDTC of DM, else RFXSTDTC.

    A partial reference date is told and completed by the policy ``date_imputation``.
    """
    if dm is None:
        return Clock(
            starts=pl.DataFrame(schema={"USUBJID": pl.String, "start": pl.Date}), imputation=imputation
        )
    first = read_dates(dm, "RFSTDTC", imputation=imputation)
    second = read_dates(dm, "RFXSTDTC", imputation=imputation)
    start = first["date"].zip_with(first["date"].is_not_null(), second["date"])
    exposed = (first["date"].is_null() & second["date"].is_not_null()).sum()
    if exposed:
        dm.place.warning(
            "start-by-exposure",
            f"{exposed} subjects have no RFSTDTC; their day 0 is the first exposure (RFXSTDTC)",
            column="RFSTDTC",
        )
    dm.tell(
        dm.records.filter(first["partial"]),
        "partial-start",
        f"the reference date is partial and was read as the {imputation} day of what it leaves open",
        column="RFSTDTC",
        found="RFSTDTC",
        expected="YYYY-MM-DD",
        hint="Every day of the subject rests on it: give the whole date.",
        severity=Severity.WARNING,
    ) if "RFSTDTC" in dm.records.columns else None
    starts = dm.records.select("USUBJID").with_columns(start.alias("start")).drop_nulls("start")
    return Clock(starts=starts.unique("USUBJID", keep="first", maintain_order=True), imputation=imputation)


def patient_table(dm: Domain, clock: Clock) -> RawTable:
    """Return `patients`: one row a subject of DM; screen failures are left out and told."""
    columns = dm.records.columns
    failed = pl.any_horizontal(
        [
            words.plain(dm.column(name)).is_in(words.SCREEN_FAILURE)
            for name in ("ARMCD", "ARM", "ARMNRS", "ACTARMCD")
        ]
    )
    rows = dm.records.join(clock.starts, on="USUBJID", how="left", maintain_order="left")
    out = failed.fill_null(value=False) & pl.col("start").is_null()
    gone = rows.filter(out).height
    if gone:
        dm.place.warning(
            "screen-failures",
            f"{gone} subjects were not assigned to an arm and never started; they were left out",
        )
    rows = rows.filter(~out)
    frame = rows.select(
        pl.col("USUBJID").alias("patient_id"),
        _age(dm, rows).alias("age_years"),
        words.translate(dm.column("SEX"), words.SEX).alias("sex"),
        pl.coalesce(dm.column("ARM"), dm.column("ARMCD")).alias("arm"),
        *(pl.col(name).alias(_covariate(name)) for name in columns if _is_covariate(name)),
        ROW,
    )
    _tell_sex(dm, rows)
    headers = {"patient_id": "USUBJID", "age_years": "AGE", "sex": "SEX", "arm": "ARM"}
    return RawTable(name="patients", frame=frame, file=dm.label, headers=headers)


def _is_covariate(name: str) -> bool:
    return not name.endswith("DTC") and name not in (*_STRUCTURE, ROW, FILE)


def _covariate(name: str) -> str:
    return f"dm_{name.lower()}" if name.lower() in Patients.columns() else name.lower()


def _age(dm: Domain, rows: pl.DataFrame) -> pl.Expr:
    """Return the age in years; an age that is no number, or in another unit, is told and left out."""
    unit = words.plain(dm.column("AGEU"))
    factor = unit.fill_null("YEARS").replace_strict(words.YEARS, default=None, return_dtype=pl.Float64)
    age = dm.column("AGE").cast(pl.Float64, strict=False)
    if "AGE" in rows.columns:
        dm.tell(
            rows.filter(dm.column("AGE").is_not_null() & (age.is_null() | factor.is_null())),
            "unknown-age",
            "the age is no number, or its unit is not known; it was left out",
            column="AGE",
            found="AGE",
            expected="a number of years",
            hint="Correct AGE, or AGEU.",
            severity=Severity.WARNING,
        )
    return (age * factor).round(4)


def _tell_sex(dm: Domain, rows: pl.DataFrame) -> None:
    if "SEX" not in rows.columns:
        return
    unknown = rows.filter(pl.col("SEX").is_not_null() & words.translate(pl.col("SEX"), words.SEX).is_null())
    dm.tell(
        unknown,
        "unknown-sex",
        "the sex is not known and was left out",
        column="SEX",
        found="SEX",
        expected="F, M, U or UNDIFFERENTIATED",
        hint="Correct the code.",
        severity=Severity.WARNING,
    )


# Survival


def survival_table(dm: Domain, ds: Domain | None, *, clock: Clock, seen: pl.DataFrame) -> RawTable | None:
    """Return `survival`: death by DTHDTC, else the last day on which the subject was known alive.

    Parameters
    ----------
    dm, ds
        DM, and DS, whose DEATH serves where DTHDTC is missing.
    clock
        Reference dates.
    seen
        ``USUBJID``, ``day`` and ``source`` of every dated record.

    Returns
    -------
    RawTable or None
        With the covariate ``last_alive_source``: the variable or domain that gave the day.
    """
    death = with_days(dm, "DTHDTC", "DTHDY", clock=clock)
    deaths = death.records.select(
        "USUBJID", pl.col(DAY).alias("os_days"), dm.column("DTHFL").alias("flag"), ROW
    )
    if ds is not None:
        deaths = _deaths_of_ds(deaths, ds, clock)
    alive = pl.concat([_alive_in_dm(dm, clock), seen.select("USUBJID", DAY, "source", "order")])
    alive = alive.drop_nulls(DAY).sort("USUBJID", DAY, "order", descending=[False, True, False])
    last = alive.unique("USUBJID", keep="first", maintain_order=True)
    table = deaths.join(last, on="USUBJID", how="left", maintain_order="left")
    died, lost = (
        pl.col("os_days").is_not_null(),
        (pl.col("flag").str.to_uppercase() == "Y").fill_null(value=False),
    )
    _tell_undated(dm, table.filter(~died & lost))
    before = ~died & (pl.col(DAY) < 0)
    frame = table.select(
        pl.col("USUBJID").alias("patient_id"),
        "os_days",
        pl.when(died).then(pl.lit(value=True)).when(~lost).then(pl.lit(value=False)).alias("died"),
        pl.when(~died & ~before).then(DAY).alias("last_alive_day"),
        pl.when(~died & ~before).then("source").alias("last_alive_source"),
        ROW,
    )
    frame = frame.filter(pl.col("os_days").is_not_null() | pl.col("last_alive_day").is_not_null())
    headers = {"patient_id": "USUBJID", "os_days": "DTHDTC", "died": "DTHFL", "last_alive_day": "RFPENDTC"}
    return (
        None if frame.is_empty() else RawTable(name="survival", frame=frame, file=dm.label, headers=headers)
    )


def _alive_in_dm(dm: Domain, clock: Clock) -> pl.DataFrame:
    parts: list[pl.DataFrame] = []
    for order, name in enumerate(ALIVE):
        days = with_days(dm, name, "", clock=clock).records
        rows = days.select("USUBJID", DAY).with_columns(
            source=pl.lit(name), order=pl.lit(order, dtype=pl.Int32)
        )
        parts.append(rows)
    return pl.concat(parts)


def _deaths_of_ds(deaths: pl.DataFrame, ds: Domain, clock: Clock) -> pl.DataFrame:
    """Fill in the day of death from DS where DM has none."""
    dead = words.plain(pl.coalesce(ds.column("DSDECOD"), ds.column("DSTERM"))) == "DEATH"
    rows = ds.with_records(ds.records.filter(dead.fill_null(value=False)))
    if rows.records.is_empty():
        return deaths
    days = with_days(rows, "DSSTDTC", "DSSTDY", clock=clock).records.drop_nulls(DAY)
    days = days.group_by("USUBJID").agg(pl.col(DAY).min().alias("of_ds"))
    deaths = deaths.join(days, on="USUBJID", how="left", maintain_order="left")
    filled = deaths.filter(pl.col("os_days").is_null() & pl.col("of_ds").is_not_null()).height
    if filled:
        ds.place.warning(
            "death-by-disposition", f"{filled} subjects have no DTHDTC in DM; DS says when they died"
        )
    return deaths.with_columns(pl.coalesce("os_days", "of_ds").alias("os_days")).drop("of_ds")


def _tell_undated(dm: Domain, rows: pl.DataFrame) -> None:
    if rows.height:
        dm.place.warning(
            "death-without-date",
            f"{rows.height} subjects died (DTHFL = Y), it is not known when: died is left empty",
            line=rows[ROW].min(),  # pyright: ignore[reportArgumentType]
            column="DTHDTC",
            patient=rows.sort(ROW)["USUBJID"][0],
            hint="Fill in DTHDTC.",
        )


# Treatments


def treatment_table(ex: Domain, ds: Domain | None, *, clock: Clock, line: int) -> RawTable | None:
    """Return `treatments`: one row a subject and drug, from its first to its last dose.

    Parameters
    ----------
    ex
        EX; records of doses that were not given (EXOCCUR = N) are left out and counted.
    ds
        DS: why the study treatment ended, where it says so once.
    clock
        Reference dates.
    line
        The index line, to which all study treatment belongs.
    """
    skipped = (ex.column("EXOCCUR").str.to_uppercase() == "N").fill_null(value=False)
    given = ex.records.filter(~skipped)
    if given.height < ex.records.height:
        ex.place.warning(
            "not-given", f"{ex.records.height - given.height} doses were not given (EXOCCUR = N)"
        )
    given = given.drop_nulls("EXTRT")
    if given.is_empty():
        return None
    domain = ex.with_records(given)
    domain = with_days(domain, "EXSTDTC", "EXSTDY", clock=clock, name="start_day")
    domain = with_days(domain, "EXENDTC", "EXENDY", clock=clock, name="end_day")
    domain = take_placed(domain, "EXSTDTC", name="start_day")
    dose = pl.concat_str(
        [ex.column("EXDOSE"), ex.column("EXDOSU"), ex.column("EXDOSFRQ")], separator=" ", ignore_nulls=True
    ).str.strip_chars()
    frame = (
        domain.records.sort("USUBJID", "start_day", FILE, ROW)
        .group_by("USUBJID", pl.col("EXTRT").str.to_lowercase().alias("drug"), maintain_order=True)
        .agg(
            pl.col("start_day").min(),
            pl.when(pl.col("end_day").last().is_not_null()).then(pl.col("end_day").max()).alias("end_day"),
            dose.unique(maintain_order=True).str.join("; ").alias("dose"),
            pl.col(ROW).min(),
        )
        .with_columns(pl.lit(line, dtype=pl.Int64).alias("line"))
    )
    frame = frame.with_columns(pl.when(pl.col("dose") != "").then("dose").alias("dose"))
    if ds is not None:
        frame = frame.join(_end_reasons(ds), on="USUBJID", how="left", maintain_order="left")
    headers = {"patient_id": "USUBJID", "drug": "EXTRT", "start_day": "EXSTDTC", "end_day": "EXENDTC"}
    return RawTable(
        name="treatments", frame=frame.rename({"USUBJID": "patient_id"}), file=ex.label, headers=headers
    )


def _end_reasons(ds: Domain) -> pl.DataFrame:
    """Return why study treatment ended, for subjects of whom DS says it once.

    Counted are disposition events whose category or sub-category names treatment or a drug.
    """
    scope = pl.concat_str([ds.column("DSCAT"), ds.column("DSSCAT")], separator=" ", ignore_nulls=True)
    about = scope.str.to_uppercase().str.contains("TREATMENT|DRUG|MEDICATION").fill_null(value=False)
    reason = pl.coalesce(ds.column("DSDECOD"), ds.column("DSTERM"))
    rows = ds.records.filter(about & reason.is_not_null())
    rows = rows.with_columns(words.translate(reason, words.END_REASON).fill_null("other").alias("end_reason"))
    one = rows.group_by("USUBJID").agg(pl.col("end_reason").unique().sort())
    several = one.filter(pl.col("end_reason").list.len() > 1).height
    if several:
        ds.place.warning(
            "several-end-reasons",
            f"{several} subjects have several reasons for the end of treatment; none was used",
            column="DSDECOD",
        )
    single = one.filter(pl.col("end_reason").list.len() == 1)
    return single.select("USUBJID", pl.col("end_reason").list.first())


# Laboratory


def lab_table(lb: Domain, *, clock: Clock) -> RawTable | None:
    """Return `labs`: numeric results; of several on one day the last is taken and the others counted.

    A test in another specimen than blood has the specimen before its name (``urine_albumin``).
    """
    number = lb.column("LBSTRESN").cast(pl.Float64, strict=False)
    text = pl.coalesce(lb.column("LBSTRESC"), lb.column("LBORRES"))
    bound = text.str.extract(r"^\s*([<>])=?\s*(\d+\.?\d*)\s*$", 1)
    beyond = text.str.extract(r"^\s*[<>]=?\s*(\d+\.?\d*)\s*$", 1).cast(pl.Float64, strict=False)
    standard = pl.coalesce(number, lb.column("LBSTRESC").cast(pl.Float64, strict=False))
    original = lb.column("LBORRES").cast(pl.Float64, strict=False)
    own_unit = standard.is_null() & beyond.is_null()
    records = lb.records.with_columns(
        pl.coalesce(beyond, standard, original).alias("value"),
        pl.when(own_unit)
        .then(lb.column("LBORRESU"))
        .otherwise(pl.coalesce(lb.column("LBSTRESU"), lb.column("LBORRESU")))
        .alias("unit"),
        bound.alias("comparator"),
        _lab_name(lb).alias("test"),
    )
    kept = records.drop_nulls(["value", "test"])
    if kept.height < records.height:
        lb.place.warning(
            "no-number",
            f"{records.height - kept.height} laboratory records hold no number and were left out",
            column="LBSTRESN",
        )
    if kept.is_empty():
        return None
    domain = with_days(lb.with_records(kept), "LBDTC", "LBDY", clock=clock)
    rows = take_placed(domain, "LBDTC").records
    time = lb.column("LBDTC").fill_null("")
    last = rows.with_columns(time.alias("__time")).sort("USUBJID", DAY, "test", "__time", FILE, ROW)
    last = last.unique(["USUBJID", DAY, "test"], keep="last", maintain_order=True)
    if last.height < rows.height:
        lb.place.warning(
            "several-results",
            f"{rows.height - last.height} results were followed by another of the same day; the last counts",
            column="LBDTC",
        )
    frame = last.select("value", "unit", "comparator", "test", DAY, ROW, patient_id="USUBJID")
    headers = {
        "patient_id": "USUBJID",
        "day": "LBDTC",
        "test": "LBTESTCD",
        "value": "LBSTRESN",
        "unit": "LBSTRESU",
    }
    return RawTable(name="labs", frame=frame, file=lb.label, headers=headers)


def _lab_name(lb: Domain) -> pl.Expr:
    code = pl.col("LBTESTCD").str.to_uppercase()
    name = code.replace_strict(words.LAB, default=None, return_dtype=pl.String).fill_null(
        code.str.to_lowercase()
    )
    specimen = words.plain(lb.column("LBSPEC"))
    blood = specimen.is_null() | specimen.is_in(words.BLOOD)
    return (
        pl.when(blood)
        .then(name)
        .otherwise(specimen.str.to_lowercase().str.replace_all(" ", "_") + "_" + name)
    )
