"""Codes of parameters: short, unique, and the same whatever the order of rows."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccresist.assess.criteria import CRITERIA
from hccresist.errors import ConfigError
from hccresist.export.parameters import CRITERION_CODES, endpoint_heads, make_coding


def table(readers, criteria=("recist11",)):
    rows = [(reader, criterion) for reader in readers for criterion in criteria]
    return pl.DataFrame(rows, schema=["reader", "criterion"], orient="row")


def test_1_every_criterion_has_a_code_of_its_own():
    assert set(CRITERIA) <= set(CRITERION_CODES)
    codes = [code for code in CRITERION_CODES.values() if code]
    assert len(set(codes)) == len(codes)
    assert {len(code) for code in codes} == {2}


def test_2_one_reader_needs_no_number_and_several_are_numbered_by_name():
    assert make_coding([table(["Ann"])], {}).readers == {"": "", "Ann": ""}
    assert make_coding([table(["Bob", "Ann"]), table(["Cat"])], {}).readers == {
        "": "",
        "Ann": "1",
        "Bob": "2",
        "Cat": "3",
    }


def test_3_more_than_the_codes_can_hold_is_refused():
    with pytest.raises(ConfigError, match="There are 100 readers"):
        make_coding([table([f"R{n}" for n in range(100)])], {})
    with pytest.raises(ConfigError, match="10 criteria of the study's own"):
        make_coding([table([""], [f"own{n}" for n in range(10)])], {})


@given(st.lists(st.text(max_size=12), unique=True, max_size=30))
def test_4_heads_of_endpoints_are_short_and_unique(names):
    heads = endpoint_heads(names)
    assert set(heads) == set(names)
    assert len(set(heads.values())) == len(names)
    assert all(1 <= len(head) <= 4 and head.isascii() and head.isalnum() for head in heads.values())
    assert endpoint_heads(names[::-1]) == heads
