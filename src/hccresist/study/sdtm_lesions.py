"""TU, TR and their qualifiers → `lesions`, `visits` and `sums`.

One row of `lesions` is a subject, reader, lesion and day:

=====================  ==============================================================================
LDIAM                  ``longest_mm``
LPERP                  ``perpendicular_mm``; of a lymph node ``short_axis_mm``
DIAMETER               the diameter that counts: stands in where LDIAM (of a node LPERP) is missing
a viable diameter      ``viable_mm`` (names in `sdtm_map.VIABLE`, as TRTESTCD or QNAM of SUPPTR)
TUMSTATE, LNSTATE      ``state``; UNEQUIVOCAL is progression, of a new lesion that it is there
TRSTAT NOT DONE        ``state`` not_evaluable
TOO SMALL TO MEASURE   ``state`` too_small without a number: the policy ``tstm_value`` says what counts
SUMDIAM                `sums` where the reader has no lesion that was measured, else the covariate
                       ``recorded_sum_mm`` of `visits`
TRMETHOD               ``modality`` of `visits`
=====================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from hccresist.study import sdtm_map as words
from hccresist.study.issues import Severity
from hccresist.study.sdtm_files import FILE, Domain
from hccresist.study.sdtm_identity import (
    LESION,
    Identities,
    identities,
    is_node,
    with_identities,
    with_reader,
)
from hccresist.study.sdtm_results import KIND, STATE, VALUE, tell_repeats, tell_unread_tests, with_results
from hccresist.study.sdtm_scans import HEADERS, of_record, scan_tables
from hccresist.study.sdtm_supp import PREFIX, Qualified, attach, covariate_names
from hccresist.study.sdtm_time import DAY, Clock, fill_from_visit, take_placed, visit_days, with_days
from hccresist.study.study import ROW, RawTable
from hccresist.study.tables import Lesions

_SIZES: Final = ("longest", "short", "counted", "viable", "viable_short")
_OWN: Final = (
    *("accepted", "visit", "visitnum", "organ_recorded", "state_recorded", "reason_not_done"),
    "diameter_recorded_mm",
)
_KEY: Final = [*LESION, DAY]


def read_tr(tr: Domain, supp: Domain | None, *, clock: Clock, assume_mm: bool) -> Qualified:
    """Return TR with reader, day, results and qualifiers; records without a day are left out and told.

    Parameters
    ----------
    tr, supp
        TR and SUPPTR.
    clock
        Reference dates.
    assume_mm
        As in `hccresist.study.sdtm_results.with_results`.
    """
    domain = with_days(with_reader(tr), "TRDTC", "TRDY", clock=clock)
    domain = fill_from_visit(domain, visit_days(domain, reader="reader"), reader="reader")
    qualified = attach(take_placed(domain, "TRDTC"), supp)
    return Qualified(domain=with_results(qualified.domain, assume_mm=assume_mm), labels=qualified.labels)


def read_tu(tu: Domain, supp: Domain | None, *, clock: Clock, seen: pl.DataFrame) -> Qualified:
    """Return TU with reader, day (null where there is none) and qualifiers.

    Parameters
    ----------
    tu, supp
        TU and SUPPTU.
    clock
        Reference dates.
    seen
        Days of the visits in TR.
    """
    domain = with_days(with_reader(tu), "TUDTC", "TUDY", clock=clock)
    if not tu.has("TUDTC") and not seen.is_empty():
        domain = fill_from_visit(domain, seen, reader="reader")
    return attach(domain, supp)


def lesion_tables(tu: Qualified | None, tr: Qualified | None) -> list[RawTable]:
    """Return `lesions`, `visits` and `sums`, as far as TU and TR hold them.

    Parameters
    ----------
    tu, tr
        What `read_tu` and `read_tr` returned.
    """
    known = identities(tu)
    covariates: list[str] = [*known.covariates]
    measured = pl.DataFrame()
    tables: list[RawTable] = []
    if tr is not None and not tr.domain.records.is_empty():
        tell_unread_tests(tr.domain)
        _tell_viable(tr)
        own = covariate_names(tr, _used(tr), (*Lesions.columns(), *_OWN, *covariates))
        covariates += own.values()
        measured = _measured(tr, known, own)
        tables += scan_tables(tr, measured, tu)
    rows = _with_bare(measured, tu, known)
    if rows.is_empty():
        return tables
    files = [part.domain.label for part in (tr, tu) if part is not None]
    lesions = RawTable(
        name="lesions", frame=_declared(rows, covariates), file=", ".join(files), headers=_HEADERS
    )
    return [lesions, *tables]


_HEADERS: Final = {
    **HEADERS,
    "lesion_id": "TRLNKID",
    "longest_mm": "TRSTRESN",
    "short_axis_mm": "TRSTRESN",
    "perpendicular_mm": "TRSTRESN",
    "viable_mm": "TRSTRESN",
    "state": "TRSTRESC",
    "role": "TUSTRESC",
    "organ": "TULOC",
}


def _used(tr: Qualified) -> list[str]:
    """Return the qualifiers that have a column of their own."""
    return [*words.LOCATION, *words.ARTERIAL, *_viable_names(tr, short=False), *_viable_names(tr, short=True)]


def _viable_names(tr: Qualified, *, short: bool) -> list[str]:
    """Return the qualifiers that hold a viable diameter, by name or label."""
    if short:
        return [name for name in tr.names if name in words.VIABLE_SHORT]
    label = pl.Series([tr.labels[name] for name in tr.names], dtype=pl.String).str.contains(
        words.VIABLE_LABEL
    )
    return [
        name
        for name, fits in zip(tr.names, label.to_list(), strict=True)
        if name not in words.VIABLE_SHORT and (name in words.VIABLE or fits)
    ]


def _tell_viable(tr: Qualified) -> None:
    """Tell qualifiers of a viable diameter that are no numbers; SUPP-- has no units, so they are mm."""
    names = [*_viable_names(tr, short=False), *_viable_names(tr, short=True)]
    for name in names:
        text = tr.domain.records[PREFIX + name]
        strange = text.is_not_null() & text.cast(pl.Float64, strict=False).is_null()
        tr.domain.tell(
            tr.domain.records.filter(strange),
            "unknown-viable",
            f"qualifier {name} is no number and was left out",
            found=PREFIX + name,
            expected="millimetres",
            hint="Give the viable diameter in mm; leave it out where it was not measured.",
            severity=Severity.WARNING,
        )


def _measured(tr: Qualified, known: Identities, own: dict[str, str]) -> pl.DataFrame:
    """Return one row a lesion and day of TR."""
    domain = tr.domain
    site = [domain.column(PREFIX + name) for name in words.LOCATION]
    rows = domain.records.filter(pl.col(KIND).is_not_null() & (pl.col(KIND) != "sum")).with_columns(
        lesion_id=domain.column("TRLNKID"), group=domain.column("TRGRPID"), site=pl.coalesce(site)
    )
    rows, mergers = _merge(rows, known)
    tell_repeats(Domain(name="TR", records=rows, files=domain.files, log=domain.log), _KEY)
    rows = with_identities(rows, known)
    rows = rows.sort(FILE, ROW)
    table = rows.group_by(_KEY, maintain_order=True).agg(
        *(_first_of(VALUE, kind).alias(kind) for kind in _SIZES),
        *(_first_of(STATE, kind).alias(f"{kind}_state") for kind in (*_SIZES, "state")),
        pl.coalesce(domain.column("TRSTRESC"), domain.column("TRORRES"))
        .filter(pl.col(KIND) == "state")
        .first()
        .alias("state_recorded"),
        (pl.col("TRTESTCD").str.to_uppercase() == "LNSTATE").any().alias("node_state"),
        *_qualified_sizes(tr),
        *(
            pl.col(name).drop_nulls().first()
            for name in ("role", "location", "split_from", *known.covariates)
        ),
        *(pl.col(PREFIX + name).drop_nulls().first().alias(new) for name, new in own.items()),
        *of_record(domain),
        domain.column("TRREASND").drop_nulls().first().alias("reason_not_done"),
        pl.col(ROW, FILE).first(),
    )
    table = _with_node(table, domain)
    table = _with_sizes(table)
    _tell_differences(domain, rows, table)
    return pl.concat([table, _merged_rows(table, mergers)], how="diagonal")


def _first_of(column: str, kind: str) -> pl.Expr:
    return pl.col(column).filter(pl.col(KIND) == kind).drop_nulls().first()


def _qualified_sizes(tr: Qualified) -> list[pl.Expr]:
    """Return viable diameters from qualifiers, in mm; text that is no number is told by the caller."""
    columns: list[pl.Expr] = []
    for name, short in (("viable_supp", False), ("viable_short_supp", True)):
        found = [pl.col(PREFIX + qnam) for qnam in _viable_names(tr, short=short)]
        text = pl.coalesce(found) if found else pl.lit(None, dtype=pl.String)
        columns.append(text.cast(pl.Float64, strict=False).drop_nulls().first().alias(name))
    return columns


def _with_node(table: pl.DataFrame, domain: Domain) -> pl.DataFrame:
    """Add ``organ`` and ``node``: from the site, else from how the lesion was measured."""
    table = table.with_columns(words.organs(table["location"]).alias("organ"))
    only_short = (
        pl.col("longest").is_null().all()
        & pl.col("counted").is_null().all()
        & pl.col("short").is_not_null().any()
    )
    by_test = (pl.col("node_state").any() | only_short).over(LESION)
    table = table.with_columns(
        pl.when(pl.col("organ").is_not_null())
        .then(is_node(pl.col("organ")))
        .when(by_test)
        .then(pl.lit(value=True))
        .alias("node")
    )
    guessed = table.filter(pl.col("organ").is_null() & pl.col("node"))
    if guessed.height:
        first = guessed.sort(FILE, ROW).row(0, named=True)
        lesions = guessed.select(LESION).n_unique()
        domain.place.warning(
            "node-by-test",
            f"{lesions} lesions have no site, and only a perpendicular diameter or a lymph node state:"
            " they were taken as lymph nodes",
            line=first[ROW],
            patient=first["USUBJID"],
            hint="Give their site in TULOC.",
        )
    return table


def _with_sizes(table: pl.DataFrame) -> pl.DataFrame:
    """Add the declared sizes and the state from what each test said."""
    node = pl.col("node").fill_null(value=False)
    too_small = pl.any_horizontal(
        [pl.col(f"{kind}_state") == "too_small" for kind in ("longest", "short", "counted", "state")]
    )
    too_small = too_small.fill_null(value=False)
    size = pl.when(node).then(pl.coalesce("short", "counted")).otherwise(pl.coalesce("longest", "counted"))
    own = (
        pl.when(node)
        .then(pl.coalesce("short_state", "counted_state"))
        .otherwise(pl.coalesce("longest_state", "counted_state"))
    )
    table = table.with_columns(size.alias("size"), own.alias("own_state"), too_small.alias("too_small"))
    kept = pl.when(~pl.col("too_small"))
    state = pl.when("too_small").then(pl.lit("too_small")).otherwise(_state())
    return table.with_columns(
        kept.then(pl.when(node).then("longest").otherwise(pl.coalesce("longest", "counted"))).alias(
            "longest_mm"
        ),
        kept.then(pl.when(node).then(pl.coalesce("short", "counted"))).alias("short_axis_mm"),
        kept.then(pl.when(~node).then("short")).alias("perpendicular_mm"),
        pl.coalesce("viable", "viable_supp").alias("viable_mm"),
        pl.coalesce("viable_short", "viable_short_supp").alias("viable_perpendicular_mm"),
        state.alias("state"),
        pl.col("counted").alias("diameter_recorded_mm"),
    )


def _tell_differences(domain: Domain, rows: pl.DataFrame, table: pl.DataFrame) -> None:
    """Tell where DIAMETER is not the diameter that counts here, and where a lesion changes its site."""
    differs = table.filter((pl.col("counted") != pl.col("size")).fill_null(value=False))
    if differs.height:
        first = differs.sort(FILE, ROW).row(0, named=True)
        domain.place.warning(
            "counted-differs",
            f"{differs.height} results of DIAMETER differ from LDIAM (of a node LPERP), which was used;"
            " DIAMETER is kept as diameter_recorded_mm",
            line=first[ROW],
            column="TRTESTCD",
            patient=first["USUBJID"],
            hint="Is the site of the lesion the same at every visit? A node counts by its short axis.",
        )
    moving = rows.filter(pl.col("site").drop_nulls().n_unique().over(LESION) > 1)
    if moving.height:
        first = moving.sort(FILE, ROW).row(0, named=True)
        lesions = moving.select(LESION).n_unique()
        domain.place.warning(
            "site-differs",
            f"{lesions} lesions have several sites in SUPPTR; that of TU was used, else the first",
            line=first[ROW],
            patient=first["USUBJID"],
            found=first["lesion_id"],
            hint="A lesion has one site.",
        )


def _state() -> pl.Expr:
    """Return the state of a lesion that is not too small.

    The recorded state first. UNEQUIVOCAL says of a new lesion that it is there. A node that is
    measured and called absent is no longer pathological: its number counts. Without a state, what
    the counting test said in words, unless there is a number.
    """
    recorded = pl.col("state_state")
    is_new = pl.col("role").str.starts_with("new").fill_null(value=False)
    measured_node = pl.col("node") & (pl.col("size") > 0) & (recorded == "absent")
    return (
        pl.when(is_new & (recorded == "unequivocal_progression"))
        .then(pl.lit("present"))
        .when(measured_node.fill_null(value=False))
        .then(pl.lit("present"))
        .when(recorded.is_not_null())
        .then(recorded)
        .when(pl.col("size").is_null())
        .then(pl.coalesce("own_state", *(f"{kind}_state" for kind in ("counted", "longest", "short"))))
    )


# Merged lesions


def _merge(rows: pl.DataFrame, known: Identities) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the rows of a merged lesion to the first of its parts; return who merged into whom, and when."""
    if known.merged.is_empty():
        return rows, pl.DataFrame()
    carrier = known.merged.with_columns(carrier=pl.col("parts").list.first())
    rows = rows.join(carrier.select(*LESION, "carrier"), on=LESION, how="left", maintain_order="left")
    days = (
        rows.filter(pl.col("carrier").is_not_null())
        .select(*LESION, DAY, ROW, FILE)
        .unique(_KEY, keep="first")
    )
    mergers = days.join(carrier, on=LESION).explode("parts").filter(pl.col("parts") != pl.col("carrier"))
    rows = rows.with_columns(pl.coalesce("carrier", "lesion_id").alias("lesion_id")).drop("carrier")
    return rows, mergers.select("USUBJID", "reader", DAY, ROW, FILE, lesion_id="parts", merged_into="carrier")


def _merged_rows(table: pl.DataFrame, mergers: pl.DataFrame) -> pl.DataFrame:
    """Return a row of state merged for each part that does not carry the measurement."""
    if mergers.is_empty():
        return table.clear()
    fixed = table.group_by(LESION).agg(pl.col("role", "location", "organ", "node").drop_nulls().first())
    rows = mergers.join(table, on=_KEY, how="anti").join(fixed, on=LESION, how="left")
    return rows.with_columns(state=pl.lit("merged"))


# Lesions that TR does not know


def _with_bare(measured: pl.DataFrame, tu: Qualified | None, known: Identities) -> pl.DataFrame:
    """Add lesions that TU identifies and TR never mentions: a row at their own date, present."""
    if tu is None:
        return measured
    keys = (
        measured.select(LESION).unique()
        if not measured.is_empty()
        else pl.DataFrame(schema=dict.fromkeys(LESION, pl.String))
    )
    of_all = keys.select("USUBJID", "lesion_id").unique()
    rows = tu.domain.records.with_columns(lesion_id=pl.col("TULNKID")).drop_nulls("lesion_id")
    rows = rows.join(keys, on=LESION, how="anti")
    rows = rows.filter(pl.col("reader") != "").vstack(
        rows.filter(pl.col("reader") == "").join(of_all, on=["USUBJID", "lesion_id"], how="anti")
    )
    rows = (
        rows.join(known.merged, on=LESION, how="anti")
        .sort(FILE, ROW)
        .unique(LESION, keep="first", maintain_order=True)
    )
    _tell_bare(tu.domain, rows)
    own = [name for name in ("accepted",) if name in rows.columns]
    rows = rows.drop_nulls(DAY).select(
        *LESION, DAY, ROW, FILE, *own, tu.domain.column("VISIT").alias("visit")
    )
    rows = rows.join(known.lesions.drop(ROW, FILE), on=LESION, how="left", maintain_order="left")
    organ = words.organs(rows["location"])
    rows = rows.with_columns(organ.alias("organ"), state=pl.lit("present")).with_columns(
        node=is_node(pl.col("organ"))
    )
    return pl.concat([measured, rows], how="diagonal") if not measured.is_empty() else rows


def _tell_bare(domain: Domain, rows: pl.DataFrame) -> None:
    lost = rows.filter(pl.col(DAY).is_null())
    if lost.height:
        first = lost.row(0, named=True)
        domain.place.warning(
            "lesion-without-day",
            f"{lost.height} lesions have neither a day nor a result in TR that has one, and were left out",
            line=first[ROW],
            column="TUDTC",
            patient=first["USUBJID"],
            found=first["lesion_id"],
            hint="Give TUDTC, or the results of the lesion in TR.",
        )
    placed = rows.filter(pl.col(DAY).is_not_null())
    if placed.height:
        first = placed.row(0, named=True)
        domain.place.warning(
            "lesion-without-result",
            f"{placed.height} lesions have no result in TR: each is kept as present when it was identified",
            line=first[ROW],
            column="TULNKID",
            patient=first["USUBJID"],
            found=first["lesion_id"],
            hint="Add their results to TR.",
        )


def _declared(rows: pl.DataFrame, covariates: Sequence[str]) -> pl.DataFrame:
    """Return the columns of `lesions`, and the covariates that hold anything."""
    size = pl.any_horizontal(
        [pl.col(name).is_not_null() for name in _SIZES if name in rows.columns] or [pl.lit(value=False)]
    )
    role = pl.col("role")
    new = pl.when(size.any().over(LESION)).then(pl.lit("new_target")).otherwise(pl.lit("new_nontarget"))
    rows = rows.with_columns(
        pl.col("USUBJID").alias("patient_id"),
        pl.when(role == "new").then(new).otherwise(role).alias("role"),
        pl.col("location").alias("organ_recorded"),
    )
    declared = [name for name in Lesions.columns() if name in rows.columns]
    own = [
        name
        for name in (*_OWN, *covariates)
        if name in rows.columns and rows[name].null_count() < rows.height
    ]
    return rows.select(*declared, *own, ROW)
