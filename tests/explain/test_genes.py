"""Names of genes. Expectations are HGNC facts, typed here from the gene pages, not from our table."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.explain.genes import HOW, read_genes


def resolve(*names: str) -> list[tuple[str | None, str]]:
    return read_genes().resolve(names).select("symbol", "how").rows()


@pytest.mark.parametrize(
    ("name", "symbol", "how"),
    [
        ("TP53", "TP53", "approved"),
        ("CTGF", "CCN2", "previous"),
        ("IL8", "CXCL8", "previous"),
        ("HIST1H1C", "H1-2", "previous"),
        ("C13orf34", "BORA", "previous"),
        ("MARCH1", "MARCHF1", "previous"),
        ("A1S9T", "UBA1", "previous"),  # withdrawn symbol with a successor
        ("PDL1", "CD274", "alias"),
        ("Oct4", "POU5F1", "alias"),
        ("ENSG00000141510", "TP53", "ensembl"),
        ("ENSG00000141510.18", "TP53", "ensembl"),
        ("7157", "TP53", "entrez"),
        ("LOC7157", "TP53", "entrez"),
        ("?|7157", "TP53", "entrez"),
        ("TP53|7157", "TP53", "approved"),
    ],
)
def test_a_known_name(name: str, symbol: str, how: str) -> None:
    assert resolve(name) == [(symbol, how)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MLL2", ("KMT2D", "KMT2B")),
        ("TAZ", ("TAFAZZIN", "WWTR1")),
        ("SEPT2", ("SEPTIN2", "SEPTIN6")),
        ("1-Mar", ("MARCH1", "MARC1", "spreadsheet")),
        ("1-Dec", ("DEC1", "spreadsheet")),
        ("Fli1", ("FLI1", "FLII")),
        ("CASP8 /// CFLAR", ("several genes",)),
    ],
)
def test_what_may_be_several_genes_is_not_guessed(name: str, words: tuple[str, ...]) -> None:
    row = read_genes().resolve([name]).row(0, named=True)
    assert (row["symbol"], row["how"]) == (None, "ambiguous")
    assert all(word in row["note"] for word in words)


@pytest.mark.parametrize(
    "day", ["3-Sep", "03-Sep", "Sep-03", "3-Sep-06", "2006-09-03", "2006-09-03 00:00:00"]
)
def test_a_day_made_by_a_spreadsheet_is_read_back_and_told(day: str) -> None:
    row = read_genes().resolve([day]).row(0, named=True)
    assert row["symbol"] == "SEPTIN3"
    assert "spreadsheet" in row["note"]
    assert "SEPT3" in row["note"]


def test_a_day_that_was_no_gene_is_told() -> None:
    row = read_genes().resolve(["25-Jul"]).row(0, named=True)
    assert (row["symbol"], row["how"]) == (None, "unknown")
    assert "spreadsheet" in row["note"]


def test_an_approved_symbol_wins_over_its_being_an_alias() -> None:
    table = read_genes().genes
    aliases = table.select(pl.col("alias").explode()).drop_nulls()["alias"]
    both = table.filter(pl.col("symbol").is_in(aliases.implode()))["symbol"].to_list()
    assert len(both) > 100
    assert resolve(*both) == [(symbol, "approved") for symbol in both]


def test_withdrawn_without_successor_is_unknown_and_told() -> None:
    row = read_genes().resolve(["A12M1"]).row(0, named=True)
    assert (row["symbol"], row["how"]) == (None, "unknown")
    assert "withdrawn" in row["note"]


def test_case_is_tolerated_but_not_for_a_table_of_mouse_genes() -> None:
    assert resolve("ctnnb1", "C1ORF21") == [("CTNNB1", "approved"), ("C1orf21", "approved")]
    mouse = ["Trp53", "Ctnnb1", "Glul", "Axin2", "Lgr5", "Tbx3", "Alb", "Afp", "Cd8a", "Cd4", "Gapdh", "Actb"]
    mouse += ["Foxp3", "Pdcd1", "Ctla4", "Tgfb1", "Vegfa", "Kdr", "Epcam", "Krt19", "Myc"]
    found = read_genes().resolve([*mouse, "TP53"])
    assert found["symbol"].drop_nulls().to_list() == ["TP53"]
    assert found["note"][0] == "most names are written as mouse genes are"


def test_rows_come_back_in_the_order_given_twice_where_given_twice() -> None:
    found = read_genes().resolve(["zzz", "TP53", "zzz", "CTGF"])
    assert found["given"].to_list() == ["zzz", "TP53", "zzz", "CTGF"]
    assert found["how"].to_list() == ["unknown", "approved", "unknown", "previous"]


def test_no_names() -> None:
    assert read_genes().resolve([]).height == 0


@given(st.lists(st.text(max_size=12), max_size=10))
@settings(max_examples=40, deadline=None)
def test_any_text_gets_an_answer(names: list[str]) -> None:
    found = read_genes().resolve(names)
    assert found["given"].to_list() == names
    assert set(found["how"]) <= set(HOW)
    known = found.filter(~pl.col("how").is_in(["ambiguous", "unknown"]))
    assert set(known["symbol"]) <= read_genes().symbols()
    assert found.filter(pl.col("how").is_in(["ambiguous", "unknown"]))["symbol"].null_count() == (
        found.height - known.height
    )


def test_every_answer_is_an_approved_symbol_and_every_key_is_there_once() -> None:
    table = read_genes()
    assert set(table.keys["symbol"].drop_nulls()) <= table.symbols()
    assert table.keys.select("space", "key").is_duplicated().sum() == 0


def test_twenty_thousand_names_take_less_than_a_second() -> None:
    names = read_genes().genes["symbol"].head(20_000).to_list()
    start = time.perf_counter()
    read_genes().resolve(names)
    assert time.perf_counter() - start < 1
