"""The map of the model: influences are those of the text, with the sign that its equations have."""

from __future__ import annotations

import re

import pytest

from hccresist.overcome.model.influences import find_influences
from hccresist.overcome.model.map import draw_map, tell_map
from hccresist.overcome.model.parameters import read_handles, read_model

SIGNS = {
    ("blood_effector", "effector"): "+",  # entry from the blood
    ("h_exclusion", "effector"): "-",
    ("effector", "oedema"): "+",
    ("toxicity", "liver"): "-",
    ("h_treg", "treg"): "+",
    ("deplete_treg", "treg"): "-",
    ("block_vegf", "capacity"): "-",
    ("inhibit_vegfr", "capacity"): "-",
    ("h_abc", "bypass"): "-",  # less drug inside, less pressure
    ("h_presentation", "sensitive"): "-",
    ("h_presentation", "escaped"): "+",
    ("sensitive", "afp"): "+",
    ("liver", "hazard_death"): "-",
    ("micromets", "hazard_new"): "+",
}
"""Read off the equations by eye."""


@pytest.mark.parametrize(("pair", "sign"), SIGNS.items(), ids=["-".join(pair) for pair in SIGNS])
def test_the_sign_is_that_of_the_equation(pair: tuple[str, str], sign: str) -> None:
    found = {(one.source, one.target): one.sign for one in find_influences()}
    assert found[pair] == sign


def test_what_is_not_in_an_equation_has_no_influence() -> None:
    found = {(one.source, one.target) for one in find_influences()}
    assert ("liver", "sensitive") not in found
    assert ("afp", "hazard_death") not in found
    assert ("hazard_new", "micromets") not in found


def test_shares_of_a_state_add_up_to_one_at_most_and_nothing_moves_itself() -> None:
    influences = find_influences()
    for state in {one.target for one in influences}:
        own = [one for one in influences if one.target == state]
        assert 0.99 < sum(one.share for one in own) <= 1 + 1e-9
        assert all(one.source != state for one in own)


def test_every_handle_and_drug_effect_moves_something() -> None:
    sources = {one.source for one in find_influences()}
    assert {name for handle in read_handles() for name in handle.parameters} <= sources
    outside = {"efflux_affinity"}
    assert {exposure.name for exposure in read_model().exposures} - outside <= sources


def test_figure_and_text_hold_every_source() -> None:
    figure, text = draw_map(), tell_map()
    for one in find_influences():
        assert re.search(rf">{re.escape(one.source)}</text>", figure) or one.source in figure
        assert f"{one.source} " in text
