"""TU: which lesions there are, what role each has, where it is, and what it split from or merged into.

A lesion is a subject, a reader and a link identifier (TULNKID, TRLNKID). What TU says of it holds
for all its rows; where TU does not know it, TR's group (TRGRPID) and site (SUPPTR TRLOC) serve.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.study import codes
from hccresist.study import sdtm_map as words
from hccresist.study.issues import Severity
from hccresist.study.sdtm_files import FILE, Domain
from hccresist.study.sdtm_supp import PREFIX, Qualified, covariate_names
from hccresist.study.study import ROW
from hccresist.study.tables import Lesions

LESION: Final = ["USUBJID", "reader", "lesion_id"]

_DECLARED: Final = tuple(Lesions.columns())
_MERGED: Final = re.compile(r"\s*[/+&,]\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """What is known of each lesion.

    Attributes
    ----------
    lesions
        `LESION`, ``role`` (a word of `sdtm_map.ROLE`), ``location``, ``split_from``, the covariates
        of SUPPTU, and the line and file of the record that says so.
    covariates
        Names of the covariates.
    merged
        USUBJID, reader, lesion_id of a merged lesion, and ``parts``: the lesions that it is made of.
    """

    lesions: pl.DataFrame
    covariates: tuple[str, ...]
    merged: pl.DataFrame


def with_reader(domain: Domain) -> Domain:
    """Return a domain with ``reader`` and, where the domain marks records, ``accepted``.

    The reader is --EVALID (``RADIOLOGIST 1``), else --EVAL (``INVESTIGATOR``), else empty.
    """
    evaluator = [domain.column(f"{domain.name}EVALID"), domain.column(f"{domain.name}EVAL"), pl.lit("")]
    records = domain.records.with_columns(pl.coalesce(evaluator).alias("reader"))
    flag = f"{domain.name}ACPTFL"
    if domain.has(flag):
        marked = (pl.col(flag).str.to_uppercase() == "Y").fill_null(value=False)
        records = records.with_columns(marked.alias("accepted"))
    return domain.with_records(records)


def identities(tu: Qualified | None) -> Identities:
    """Return what TU says of each lesion.

    Parameters
    ----------
    tu
        TU with ``reader`` and its qualifiers, ``None`` where there is none. Hears of roles that are
        not known or contradict each other, and of merged lesions whose parts are not known.
    """
    if tu is None:
        empty = pl.DataFrame(schema=dict.fromkeys([*LESION, "role", "location", "split_from"], pl.String))
        return Identities(lesions=empty, covariates=(), merged=_no_merged())
    domain = tu.domain
    names = covariate_names(tu, (*words.LOCATION, *words.ARTERIAL), (*_DECLARED, "accepted", "visit"))
    site = [domain.column("TULOC"), *(domain.column(PREFIX + name) for name in words.LOCATION)]
    recorded = pl.coalesce(domain.column("TUSTRESC"), domain.column("TUORRES"))
    rows = domain.records.select(
        "USUBJID",
        "reader",
        pl.col("TULNKID").alias("lesion_id"),
        domain.column("TUTESTCD").str.to_uppercase().alias("test"),
        domain.column("TUGRPID").alias("group"),
        recorded.alias("recorded"),
        words.translate(recorded, words.ROLE).alias("role"),
        pl.coalesce(site).alias("location"),
        *(pl.col(PREFIX + name).alias(new) for name, new in names.items()),
        ROW,
        FILE,
    )
    _tell_roles(domain, rows)
    rows = _with_parents(rows.drop_nulls("lesion_id"))
    merged = _merged_lesions(domain, rows)
    first = [
        pl.col(name).drop_nulls().first() for name in ("role", "location", "split_from", *names.values())
    ]
    lesions = (
        rows.sort(FILE, ROW).group_by(LESION, maintain_order=True).agg(*first, pl.col(ROW, FILE).first())
    )
    return Identities(lesions=lesions, covariates=tuple(names.values()), merged=merged)


def _tell_roles(domain: Domain, rows: pl.DataFrame) -> None:
    domain.tell(
        rows.filter(pl.col("lesion_id").is_null()),
        "no-lesion-id",
        "the record names no lesion and was left out",
        column="TULNKID",
        expected="an identifier",
        hint="Fill in TULNKID.",
        severity=Severity.WARNING,
    )
    unknown = rows.filter(pl.col("recorded").is_not_null() & pl.col("role").is_null())
    domain.tell(
        unknown,
        "unknown-role",
        "the role of the lesion is not known; its group in TR serves instead",
        column="TUSTRESC",
        found="recorded",
        expected=", ".join(words.ROLE),
        hint="Correct the word, or leave it if the lesion is not part of the assessment.",
        severity=Severity.WARNING,
    )
    several = rows.filter(pl.col("role").drop_nulls().n_unique().over(LESION) > 1).drop_nulls("lesion_id")
    first = several.sort(FILE, ROW).with_columns(first=pl.col("recorded").first().over(LESION))
    domain.tell(
        first.filter(pl.col("recorded") != pl.col("first")),
        "role-changed",
        "the lesion was called {first} before; that was used",
        column="TUSTRESC",
        found="recorded",
        expected="one role",
        hint="A lesion keeps the role it had when it was first identified.",
        severity=Severity.WARNING,
    )


def _with_parents(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``split_from``: the lesion that TUGRPID or the identifier (T04 of T04.1) names."""
    known = rows.select("USUBJID", "reader", pl.col("lesion_id").alias("parent")).unique()
    by_name = pl.col("lesion_id").str.extract(r"^(.+)\.\d+$")
    is_part = (pl.col("test") == words.SPLIT).fill_null(value=False)
    rows = rows.with_columns(
        pl.when(is_part).then(pl.coalesce("group", by_name)).otherwise(by_name).alias("parent")
    )
    found = rows.join(
        known.with_columns(is_known=pl.lit(value=True)),
        on=["USUBJID", "reader", "parent"],
        how="left",
        maintain_order="left",
    )
    parent = pl.when(pl.col("is_known") & (pl.col("parent") != pl.col("lesion_id"))).then("parent")
    return found.with_columns(parent.alias("split_from")).drop("parent", "is_known")


def _no_merged() -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(LESION, pl.String), "parts": pl.List(pl.String)})


def _merged_lesions(domain: Domain, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the lesions that TU says have merged, with the lesions that each is made of."""
    candidates = rows.filter(pl.col("test") == words.MERGE)
    if candidates.is_empty():
        return _no_merged()
    known = set(rows.select(LESION).iter_rows())
    kept: list[dict[str, object]] = []
    lost: list[int] = []
    for at, row in enumerate(candidates.iter_rows(named=True)):
        named = [row["lesion_id"], row["group"] or ""]
        splits = [[part for part in _MERGED.split(text) if part] for text in named]
        parts = next((p for p in splits if len(p) > 1), [])
        if parts and all((row["USUBJID"], row["reader"], part) in known for part in parts):
            kept.append({**{name: row[name] for name in LESION}, "parts": parts})
        else:
            lost.append(at)
    domain.tell(
        candidates[lost],
        "unknown-merger",
        "the lesion has merged, but not said of which; it is followed as a lesion of its own",
        column="TULNKID",
        found="lesion_id",
        expected="the merged lesions, as in T02/T03",
        hint="Name the lesions in TULNKID or TUGRPID.",
        severity=Severity.WARNING,
    )
    return pl.DataFrame(kept, schema=_no_merged().schema).unique(LESION, keep="first", maintain_order=True)


def with_identities(rows: pl.DataFrame, known: Identities) -> pl.DataFrame:
    """Add role, site, parent and covariates of its lesion to each row of TR.

    A lesion that TU knows for no reader by name (an empty --EVAL) is known to every reader.

    Parameters
    ----------
    rows
        TR with `LESION`, ``group`` (TRGRPID) and ``site`` (SUPPTR TRLOC).
    known
        What TU says.

    Returns
    -------
    pl.DataFrame
        The same rows with ``role`` (target, nontarget, new, new_target, new_nontarget), ``location``,
        ``split_from`` and the covariates.
    """
    wanted = ["role", "location", "split_from", *known.covariates]
    own = known.lesions.select(*LESION, *wanted)
    of_all = own.filter(pl.col("reader") == "").drop("reader")
    rows = rows.join(own, on=LESION, how="left", maintain_order="left")
    rows = rows.join(of_all, on=["USUBJID", "lesion_id"], how="left", suffix="__all", maintain_order="left")
    group = words.translate(pl.col("group"), words.ROLE)
    by_name = pl.when(pl.col("lesion_id").str.to_uppercase().str.contains(r"(^|[^A-Z])NEW")).then(
        pl.lit("new")
    )
    filled = [pl.coalesce(name, f"{name}__all").alias(name) for name in wanted]
    rows = rows.with_columns(filled).drop([f"{name}__all" for name in wanted])
    return rows.with_columns(
        pl.coalesce("role", by_name, group).alias("role"), pl.coalesce("location", "site").alias("location")
    )


def is_node(organ: pl.Expr) -> pl.Expr:
    """Return whether a site is a lymph node, null where there is no site."""
    return organ.is_in(codes.NODE_ORGANS)
