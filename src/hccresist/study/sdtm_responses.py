"""RS → `responses`: one row a subject, reader, criterion and day.

OVRLRESP, TRGRESP, NTRGRESP and NEWLIND become the declared columns; any other test is kept as a
covariate under its RSTESTCD in lower case. A word that is no response (``CHECK``, ``sCR``) leaves
its column empty and stands in ``COLUMN_recorded``; it is told. A scan without any of the four is
left out and counted. Best responses belong to no scan: they are counted and not read.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.study import sdtm_map as words
from hccresist.study.issues import Severity
from hccresist.study.sdtm_files import FILE, Domain
from hccresist.study.sdtm_identity import with_reader
from hccresist.study.sdtm_time import DAY, Clock, fill_from_visit, take_placed, with_days
from hccresist.study.study import ROW, RawTable
from hccresist.study.tables import Responses

CRITERIA: Final = ("recist11", "mrecist", "irecist")

_KEY: Final = ["USUBJID", "reader", "criterion", DAY]
_HEADERS: Final = {
    "patient_id": "USUBJID",
    "criterion": "RSCAT",
    "day": "RSDTC",
    **dict.fromkeys(words.RESPONSE_COLUMNS.values(), "RSSTRESC"),
}


def response_table(rs: Domain, *, clock: Clock, seen: pl.DataFrame) -> RawTable | None:
    """Return `responses`.

    Parameters
    ----------
    rs
        RS. Hears of everything that is not read as it stands.
    clock
        Reference dates.
    seen
        Days of the visits in TR, for records of RS without a date.

    Returns
    -------
    RawTable or None
        ``None`` where nothing in RS is a response at a scan.
    """
    domain = fill_from_visit(with_days(with_reader(rs), "RSDTC", "RSDY", clock=clock), seen, reader="reader")
    domain = _without_best(domain)
    if domain.records.is_empty():
        return None
    domain = _with_criterion(take_placed(domain, "RSDTC"))
    if domain.records.is_empty():
        return None
    rows = _with_words(domain)
    _tell_words(domain, rows)
    _tell_repeats(domain, rows)
    frame = _pivot(domain, rows)
    frame = frame.filter(pl.any_horizontal(pl.col(*words.RESPONSE_COLUMNS.values()).is_not_null()))
    _tell_left_out(domain, rows, frame.rename({"patient_id": "USUBJID"}))
    if frame.is_empty():
        return None
    own = [name for name in frame.columns if name not in Responses.columns()]
    empty = [name for name in own if frame[name].null_count() == frame.height]
    return RawTable(name="responses", frame=frame.drop(empty), file=domain.label, headers=_HEADERS)


def _without_best(domain: Domain) -> Domain:
    best = pl.col("RSTESTCD").str.to_uppercase().is_in(words.RECORDED_BEST).fill_null(value=False)
    rows = domain.records.filter(best)
    if rows.is_empty():
        return domain
    domain.place.warning(
        "recorded-best",
        f"{rows.height} recorded best responses belong to no scan and are not read; they are derived anew",
        column="RSTESTCD",
        found=", ".join(sorted(set(rows["RSTESTCD"].to_list()))),
    )
    return domain.with_records(domain.records.filter(~best))


def _with_criterion(domain: Domain) -> Domain:
    """Add ``criterion``; the sub-category is part of the name of a criterion that is not ours."""
    records = domain.records
    category = domain.series("RSCAT")
    bare = category.null_count()
    if bare:
        domain.place.warning(
            "criterion-assumed",
            f"{bare} records do not say by which criterion (RSCAT); they were read as RECIST 1.1",
            column="RSCAT",
            expected="RECIST 1.1, mRECIST, iRECIST …",
            hint="Fill in RSCAT.",
        )
    names = {value: words.criterion_of(value) for value in category.drop_nulls().unique().to_list()}
    own = category.replace_strict(names, default="recist11", return_dtype=pl.String)
    sub = words.plain(domain.column("RSSCAT")).str.to_lowercase().str.replace_all(" ", "_")
    records = records.with_columns(own.alias("criterion"), sub.alias("__sub"))
    records = records.with_columns(
        pl.when(~pl.col("criterion").is_in(CRITERIA) & pl.col("__sub").is_not_null())
        .then(pl.col("criterion") + "_" + pl.col("__sub"))
        .otherwise("criterion")
        .alias("criterion")
    ).drop("__sub")
    return domain.with_records(records)


def _with_words(domain: Domain) -> pl.DataFrame:
    """Add the column that a record goes to, what it says there, and what it said in its own words."""
    test = pl.col("RSTESTCD").str.to_uppercase()
    text = pl.coalesce(domain.column("RSSTRESC"), domain.column("RSORRES"))
    done = words.plain(domain.column("RSSTAT")) == "NOT DONE"
    none = done.fill_null(value=False) | words.plain(text).is_in(
        [words.plain_word(w) for w in words.NO_RESPONSE]
    )
    column = test.replace_strict(words.RESPONSE_COLUMNS, default=None, return_dtype=pl.String)
    response = words.translate(text, words.RESPONSE)
    flag = words.translate(text, words.YES_NO)
    return domain.records.with_columns(
        pl.coalesce(column, test.str.to_lowercase()).alias("column"), text.alias("text")
    ).with_columns(
        pl.when(none.fill_null(value=False))
        .then(None)
        .when(pl.col("column") == "new_lesion")
        .then(flag)
        .when(column.is_not_null())
        .then(response)
        .otherwise(text)
        .alias("word"),
        pl.when(~none.fill_null(value=False)).then("text").alias("text"),
        column.is_not_null().alias("declared"),
    )


def _tell_words(domain: Domain, rows: pl.DataFrame) -> None:
    """Tell words that are no response: each one of our criteria, counted for the others."""
    strange = rows.filter(pl.col("declared") & pl.col("text").is_not_null() & pl.col("word").is_null())
    ours = pl.col("criterion").is_in(CRITERIA)
    domain.tell(
        strange.filter(ours),
        "unknown-response",
        "this is no response; the record counts as without one",
        column="RSSTRESC",
        found="text",
        expected="a response word",
        hint="Resolve the query, or correct the word.",
        severity=Severity.WARNING,
    )
    for (criterion,), part in (
        strange.filter(~ours).partition_by("criterion", as_dict=True, maintain_order=True).items()
    ):
        found = sorted(set(part["text"].to_list()))
        domain.place.warning(
            "foreign-response",
            f"{part.height} responses by {criterion} are words of its own and are not read as responses",
            column="RSSTRESC",
            found=", ".join(found),
            hint="hccresist does not know this criterion.",
        )


def _tell_left_out(domain: Domain, rows: pl.DataFrame, kept: pl.DataFrame) -> None:
    """Tell scans without any response that is read, by criterion."""
    lost = rows.join(kept, on=_KEY, how="anti")
    for (criterion,), part in sorted(lost.partition_by("criterion", as_dict=True).items()):
        tests = ", ".join(sorted(set(part["RSTESTCD"].drop_nulls().to_list())))
        scans = part.select(_KEY).n_unique()
        domain.place.warning(
            "response-not-read",
            f"{scans} scans by {criterion} ({part.height} records of {tests}) have no response that is read"
            " and were left out",
            column="RSSTRESC",
        )


def _tell_repeats(domain: Domain, rows: pl.DataFrame) -> None:
    found = pl.coalesce("word", "text", pl.lit("(nothing)"))
    key = [*_KEY, "column"]
    twice = rows.with_columns(__found=found).filter(pl.len().over(key) > 1)
    differ = twice.filter(pl.col("__found").n_unique().over(key) > 1)
    domain.tell(
        differ.with_columns(__first=pl.col(ROW).min().over(key)).filter(pl.col(ROW) > pl.col("__first")),
        "repeated-response",
        "line {__first} has another response of this test for the same reader, criterion and day",
        column="RSSTRESC",
        found="__found",
        expected="one response",
        hint="Keep one of them. Two visits on one day need dates of their own.",
    )
    equal = twice.height - differ.height
    if equal:
        domain.place.warning("repeated-record", f"{equal} records say the same of one scan; each counts once")


def _pivot(domain: Domain, rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.sort(FILE, ROW)
    declared = list(words.RESPONSE_COLUMNS.values())
    others = sorted(set(rows.filter(~pl.col("declared"))["column"].drop_nulls().to_list()))
    names = {name: f"rs_{name}" if name in Responses.columns() else name for name in others}
    of = {
        name: pl.col("word").filter(pl.col("column") == name).drop_nulls().first()
        for name in (*declared, *others)
    }
    lost = {
        name: pl.col("text")
        .filter((pl.col("column") == name) & pl.col("word").is_null())
        .drop_nulls()
        .first()
        for name in declared
    }
    frame = rows.group_by(_KEY, maintain_order=True).agg(
        *(of[name].alias(name) for name in declared),
        *(lost[name].alias(f"{name}_recorded") for name in declared),
        *(of[name].alias(names[name]) for name in others),
        *([pl.col("accepted").any()] if "accepted" in rows.columns else []),
        domain.column("RSREASND").drop_nulls().first().alias("reason_not_done"),
        domain.column("VISIT").drop_nulls().first().alias("visit"),
        domain.column("VISITNUM").cast(pl.Float64, strict=False).drop_nulls().first().alias("visitnum"),
        pl.col(ROW).first(),
    )
    frame = frame.rename({"USUBJID": "patient_id"}).with_columns(
        (pl.col("new_lesion") == "true").alias("new_lesion")
    )
    return _with_new_lesions(frame)


def _with_new_lesions(frame: pl.DataFrame) -> pl.DataFrame:
    """Take an unequivocal new lesion from NEWLPROG where NEWLIND says nothing."""
    if "newlprog" not in frame.columns:
        return frame
    sure = words.plain(pl.col("newlprog")) == "UNEQUIVOCAL"
    return frame.with_columns(
        pl.when(pl.col("new_lesion").is_null() & sure)
        .then(pl.lit(value=True))
        .otherwise("new_lesion")
        .alias("new_lesion")
    )
