"""Kinds of broken study folders: what is done to the valid one, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

Change = Callable[[Path], object]


def edit(file: str, old: str, new: str) -> Change:
    """Replace a piece of text that stands in the file once."""

    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")

    return change


def add(file: str, text: str) -> Change:
    """Append to a file."""

    def change(folder: Path) -> None:
        with (folder / file).open("a", encoding="utf-8") as handle:
            handle.write(text)

    return change


def write(file: str, content: bytes) -> Change:
    return lambda folder: (folder / file).write_bytes(content)


def remove(file: str) -> Change:
    return lambda folder: (folder / file).unlink()


def every(*changes: Change) -> Change:
    return lambda folder: [change(folder) for change in changes]


def replaced(file: str, old: str, new: str) -> Change:
    """Replace a piece of text wherever it stands."""

    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")

    return change


def drop_column(file: str, column: str) -> Change:
    return lambda folder: pl.read_csv(folder / file, infer_schema=False).drop(column).write_csv(folder / file)


@dataclass(frozen=True)
class Broken:
    """What is done to the valid folder, and what must be said of it: place is file, line, column, patient."""

    name: str
    change: Change
    code: str
    place: str
    found: str | None = None
    hint: str = ""


SURVIVAL = "patient_id,os_days,died,last_alive_day,death_cause,ttup_days,ttup_event"
DATED = b"P3,2020-01-01\nP4,2020-01-01\n"

CASES = [
    # Columns
    Broken(
        "missing key column",
        drop_column("lesions.csv", "day"),
        "missing-column",
        "lesions.csv |  | day",
        hint="Add day",
    ),
    Broken(
        "mistyped key column",
        edit("lesions.csv", "patient_id,", "patientid,"),
        "missing-column",
        "lesions.csv |  | patient_id",
        hint="'patientid'",
    ),
    Broken(
        "no measurement column",
        every(
            drop_column("lesions.csv", "longest_mm"),
            drop_column("lesions.csv", "short_axis_mm"),
            drop_column("lesions.csv", "state"),
        ),
        "missing-column",
        "lesions.csv |  | longest_mm",
    ),
    Broken(
        "column twice",
        edit("patients.csv", "centre", "Age_Years"),
        "duplicate-column",
        "patients.csv |  | age_years",
    ),
    Broken(
        "column without a name",
        edit("patients.csv", ",centre", ","),
        "unnamed-column",
        "patients.csv | 1",
        found="North",
    ),
    Broken(
        "reserved column",
        edit("patients.csv", "centre", "__row"),
        "reserved-column",
        "patients.csv |  | __row",
    ),
    Broken(
        "unknown header",
        edit("survival.csv", SURVIVAL, "id,months,status,last,cause,x,y"),
        "unknown-header",
        "survival.csv | 1",
    ),
    # Values
    Broken(
        "wrong type",
        edit("lesions.csv", "21.0", "large"),
        "not-a-number",
        "lesions.csv | 3 | longest_mm | P1",
        found="large",
    ),
    Broken(
        "unit in the cell",
        edit("lesions.csv", "21.0", "21 mm"),
        "not-a-number",
        "lesions.csv | 3 | longest_mm | P1",
        found="21 mm",
        hint="unit",
    ),
    Broken(
        "decimal comma in quotes",
        edit("lesions.csv", "21.0", '"2,3"'),
        "decimal-comma",
        "lesions.csv | 3 | longest_mm | P1",
        found="2,3",
        hint="point as the decimal mark",
    ),
    Broken(
        "decimal commas between semicolons",
        every(replaced("lesions.csv", ",", ";"), edit("lesions.csv", "21.0", "21,5")),
        "decimal-comma",
        "lesions.csv | 3 | longest_mm | P1",
        found="21,5",
    ),
    Broken(
        "decimal comma that divides",
        edit("lesions.csv", "21.0", "2,3"),
        "ragged-row",
        "lesions.csv | 3",
        found="9",
        hint="quotes",
    ),
    Broken(
        "infinite number",
        edit("patients.csv", "58.5", "inf"),
        "not-a-number",
        "patients.csv | 3 | age_years | P2",
        found="inf",
    ),
    Broken(
        "part of a point",
        edit("patients.csv", "true,A,North", "true,A,North\nP9,50,male,C,5.5,no,A,x"),
        "not-whole",
        "patients.csv | 3 | child_pugh_score | P9",
        found="5.5",
    ),
    Broken(
        "neither true nor false",
        edit("visits.csv", "mri,yes", "mri,perhaps"),
        "not-true-or-false",
        "visits.csv | 5 | arterial_phase | P3",
        found="perhaps",
    ),
    Broken(
        "unknown code",
        edit("lesions.csv", "P4,L1,-7,target", "P4,L1,-7,tagret"),
        "unknown-code",
        "lesions.csv | 12 | role | P4",
        found="tagret",
        hint="'target'",
    ),
    Broken(
        "comparator in the number",
        edit("labs.csv", "60500", ">60500"),
        "not-a-number",
        "labs.csv | 3 | value | P2",
        found=">60500",
        hint="comparator",
    ),
    Broken("missing value", edit("labs.csv", "820", ""), "missing-value", "labs.csv | 2 | value | P1"),
    Broken(
        "missing patient",
        edit("lesions.csv", "P4,L1", ",L1"),
        "missing-value",
        "lesions.csv | 12 | patient_id",
    ),
    Broken(
        "negative diameter",
        edit("lesions.csv", "21.0", "-21"),
        "out-of-range",
        "lesions.csv | 3 | longest_mm | P1",
        found="-21",
        hint="negative",
    ),
    Broken(
        "diameter in micrometres",
        edit("lesions.csv", "21.0", "21000"),
        "out-of-range",
        "lesions.csv | 3 | longest_mm | P1",
        found="21000",
        hint="unit",
    ),
    Broken(
        "age out of range",
        edit("patients.csv", "58.5", "585"),
        "out-of-range",
        "patients.csv | 3 | age_years | P2",
        found="585",
    ),
    # Days and dates
    Broken(
        "date in a column of days",
        edit("lesions.csv", "P4,L1,-7", "P4,L1,2020-03-01"),
        "not-a-number",
        "lesions.csv | 12 | day | P4",
        found="2020-03-01",
        hint="name the column date",
    ),
    Broken(
        "spreadsheet serial number",
        edit("lesions.csv", "P4,L1,-7", "P4,L1,43831"),
        "implausible-day",
        "lesions.csv | 12 | day | P4",
        found="43831",
        hint="date",
    ),
    Broken(
        "dates without index_date",
        edit(
            "labs.csv",
            "patient_id,day,test,value,unit,comparator\nP1,-5",
            "patient_id,date,test,value,unit,comparator\nP1,2020-01-01",
        ),
        "no-index-date",
        "labs.csv |  | date",
        hint="index_date",
    ),
    Broken(
        "patient without index_date",
        every(
            write("patients.csv", b"patient_id,index_date\nP1,2020-01-06\nP2,\n" + DATED),
            write("labs.csv", b"patient_id,date,test,value\nP1,2020-01-01,afp,820\nP2,2020-01-01,afp,3\n"),
        ),
        "no-index-date",
        "labs.csv | 3 | date | P2",
        found="2020-01-01",
    ),
    Broken(
        "impossible date",
        every(
            write("patients.csv", b"patient_id,index_date\nP1,2020-01-06\nP2,2020-01-01\n" + DATED),
            write("labs.csv", b"patient_id,date,test,value\nP1,2020-02-30,afp,820\n"),
        ),
        "not-a-date",
        "labs.csv | 2 | date | P1",
        found="2020-02-30",
        hint="YYYY-MM-DD",
    ),
    Broken(
        "partial index_date",
        write("patients.csv", b"patient_id,index_date\nP1,2020-01\nP2,2020-01-01\n" + DATED),
        "not-a-date",
        "patients.csv | 2 | index_date | P1",
        found="2020-01",
    ),
    Broken(
        "day and date",
        edit("labs.csv", "patient_id,day,test,value,unit", "patient_id,day,test,value,date"),
        "day-and-date",
        "labs.csv |  | date",
    ),
    Broken(
        "treatment ends before it starts",
        edit("treatments.csv", "0,150", "0,-150"),
        "dates-out-of-order",
        "treatments.csv | 2 | end_day | P1",
        found="-150",
    ),
    Broken(
        "died without a day",
        edit("survival.csv", "P1,400", "P1,"),
        "death-without-day",
        "survival.csv | 2 | os_days | P1",
    ),
    Broken(
        "alive after death",
        edit("survival.csv", "P1,400,true,", "P1,400,true,500"),
        "alive-after-death",
        "survival.csv | 2 | last_alive_day | P1",
        found="500",
    ),
    Broken(
        "event without its day",
        edit("survival.csv", "tumour,300,true", "tumour,,true"),
        "event-without-day",
        "survival.csv | 2 | ttup_days | P1",
    ),
    # Keys and links
    Broken(
        "duplicate key",
        add("lesions.csv", "P1,L1,56,target,liver,23,,present\n"),
        "duplicate-key",
        "lesions.csv | 13 | day | P1",
        found="L1, 56",
    ),
    Broken(
        "duplicate patient",
        add("patients.csv", "P2,60,male,C,5,no,B,North\n"),
        "duplicate-key",
        "patients.csv | 6 | patient_id | P2",
        found="P2",
    ),
    Broken(
        "unknown patient",
        add("labs.csv", "P11,0,afp,4,ng/mL,\n"),
        "unknown-patient",
        "labs.csv | 4 | patient_id | P11",
        found="P11",
        hint="'P1'",
    ),
    Broken(
        "merged into a lesion that is not there",
        every(
            edit("lesions.csv", "short_axis_mm,state", "short_axis_mm,state,merged_into"),
            replaced("lesions.csv", "present\n", "present,\n"),
            replaced("lesions.csv", "absent\n", "absent,\n"),
            edit("lesions.csv", "not_evaluable\n", "merged,L7\n"),
            edit("lesions.csv", "52,,\n", "52,,,\n"),
        ),
        "unknown-lesion",
        "lesions.csv | 11 | merged_into | P3",
        found="L7",
    ),
    Broken(
        "merged without saying into which",
        edit("lesions.csv", "not_evaluable", "merged"),
        "merged-without-target",
        "lesions.csv | 11 | merged_into | P3",
    ),
    Broken(
        "sample of nobody",
        every(
            write("samples.csv", b"sample_id,patient_id\nS1,P1\n"),
            write("alterations.csv", b"sample_id,gene,change\nS2,TP53,R249S\n"),
        ),
        "unknown-sample",
        "alterations.csv | 2 | sample_id",
        found="S2",
    ),
    # Lesions
    Broken(
        "target without baseline",
        edit("lesions.csv", "P1,X1,112,new_target", "P1,X1,112,target"),
        "target-without-baseline",
        "lesions.csv | 7 | day | P1",
        found="112",
    ),
    Broken(
        "role changes",
        edit("lesions.csv", "P1,N1,56,nontarget", "P1,N1,56,target"),
        "role-changed",
        "lesions.csv | 6 | role | P1",
        found="target",
    ),
    Broken(
        "new lesion at baseline",
        edit("lesions.csv", "P4,L1,-7,target", "P4,L1,-7,new_target"),
        "new-at-baseline",
        "lesions.csv | 12 | role | P4",
    ),
    Broken(
        "absent and measured",
        edit("lesions.csv", "P2,L1,56,target,liver,0", "P2,L1,56,target,liver,12"),
        "absent-with-size",
        "lesions.csv | 9 | state | P2",
        found="12",
    ),
    # Files
    Broken("empty file", write("lesions.csv", b""), "empty-file", "lesions.csv"),
    Broken("blank file", write("lesions.csv", b"\n\n  \n"), "empty-file", "lesions.csv"),
    Broken("patients with a header only", write("patients.csv", b"patient_id\n"), "no-rows", "patients.csv"),
    Broken("no patients", remove("patients.csv"), "missing-table", "patients.csv"),
    Broken("nothing to assess", remove("lesions.csv"), "missing-table", "lesions.csv"),
    Broken(
        "table in two files",
        write("lesions.tsv", b"patient_id\n"),
        "table-twice",
        "lesions.tsv",
        hint="lesions.csv",
    ),
    Broken(
        "too few values", edit("lesions.csv", ",52,,\n", ",52\n"), "ragged-row", "lesions.csv | 8", found="6"
    ),
    Broken("open quote", edit("patients.csv", "58.5", '"58.5'), "unbalanced-quote", "patients.csv | 3"),
    Broken(
        "quote inside a value",
        edit("patients.csv", "58.5,female", '58.5,5" long'),
        "unbalanced-quote",
        "patients.csv | 3",
        hint="twice",
    ),
    Broken(
        "spreadsheet under a wrong name",
        write("lesions.csv", b"PK\x03\x04\x14\x00\x06\x00" * 99),
        "binary-file",
        "lesions.csv | 1",
        hint="CSV",
    ),
    Broken(
        "UTF-16",
        write("patients.csv", "patient_id\nP1\n".encode("utf-16")),
        "encoding",
        "patients.csv",
        hint="UTF-8",
    ),
    Broken(
        "neither UTF-8 nor Latin-1",
        write("patients.csv", b"patient_id,centre\nP1,ab\nP2,\x81\xff\n"),
        "encoding",
        "patients.csv | 3",
    ),
    Broken(
        "truncated Parquet",
        every(remove("lesions.csv"), write("lesions.parquet", b"PAR1\x15\x04\x15")),
        "unreadable-file",
        "lesions.parquet",
    ),
    # Configuration
    Broken(
        "invalid TOML",
        edit("study.toml", 'name = "small"', "name = small"),
        "config-syntax",
        "study.toml | 2",
    ),
    Broken(
        "unknown section",
        edit("study.toml", "[policies]", "[policy]"),
        "config-unknown-key",
        "study.toml | 7 | policy",
        hint="'policies'",
    ),
    Broken(
        "unknown key",
        edit("study.toml", "index_line", "index_lines"),
        "config-unknown-key",
        "study.toml | 4 | index_lines",
        hint="'index_line'",
    ),
    Broken(
        "wrong value",
        edit("study.toml", "[56, 112, 168]", "[56, 40]"),
        "config-value",
        "study.toml | 5 | planned_visit_days",
    ),
    Broken(
        "unknown policy",
        edit("study.toml", "confirm_days", "confirm_day"),
        "policy",
        "study.toml | 8 | confirm_day",
    ),
    Broken(
        "wrong policy",
        edit("study.toml", "= 28", '= "soon"'),
        "policy",
        "study.toml | 8 | confirm_days",
        found="soon",
    ),
    Broken(
        "wrong option",
        add("study.toml", '[options]\ndelimiter = "pipe"\n'),
        "config-value",
        "study.toml | 10 | delimiter",
        found="pipe",
    ),
]
