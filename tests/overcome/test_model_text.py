"""The subset of Antimony that the model is written in."""

from __future__ import annotations

import pytest

from hccresist.errors import ConfigError
from hccresist.overcome.model.text import FOLDER, read_formula, read_module, read_text

SMALL = """
// a comment; with a semicolon
function half(x, k)
  x / (x + k);
end
//@ sum all = size
model toy()
  b := 2*a;  // rules need not stand in order
  a := half(s, k)^2;
  s' = -b*s;
end
"""


def test_a_small_text_is_read_whole() -> None:
    toy = read_module(SMALL)
    assert toy.name == "toy"
    assert list(toy.rules) == ["a", "b"]
    assert toy.states == ("s",)
    assert toy.sums == {"all": "size"}
    assert toy.needed() == {"k"}
    assert toy.rules["a"].python == "half(s, k) ** 2"
    assert toy.functions["half"].arguments == ("x", "k")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a ? b : c", "is no expression"),
        ("a +", "is no expression"),
        ("a ** 2", "does not have"),
        ("a.b", "does not have"),
        ("a if b else c", "does not have"),
        ("[a]", "does not have"),
        ("a < b", "does not have"),
    ],
)
def test_what_the_subset_lacks_is_refused(text: str, found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        read_formula(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("model m()\n a := b;\n b := a;\nend", "circle"),
        ("model m()\n a := 1;\n a := 2;\nend", "a defined twice"),
        ("model m()\n a := 1;\n a' = 2;\nend", "a defined twice"),
        ("model m()\n a = 1;\nend", "cannot read the statement 'a = 1'"),
        ("model m()\n a := 1;\n", "exactly one"),
        ("a := 1;", "exactly one"),
        ("function f()\n 1;\nend\nmodel m()\nend", "cannot read the function"),
    ],
)
def test_a_text_that_is_wrong_is_refused(text: str, found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        read_module(text)


def test_the_model_has_the_states_of_the_plan() -> None:
    lesion, patient = read_text()
    assert len(lesion.states) == 14
    assert len(patient.states) == 9


def test_the_state_that_swings_within_a_day_is_read_and_must_be_one_state() -> None:
    assert read_module(SMALL).ripple == ""
    assert read_module(SMALL.replace("  b := ", "  //@ ripple s (a remark)\n  b := ")).ripple == "s"
    assert read_text()[0].ripple == "capacity"
    for wrong, named in (("//@ ripple b", "not b"), ("//@ ripple s\n  //@ ripple s", "not s, s")):
        with pytest.raises(ConfigError, match=f"one state may ripple within the day, {named}"):
            read_module(SMALL.replace("  b := ", f"  {wrong}\n  b := "))


@pytest.mark.parametrize("name", ["lesion.ant", "patient.ant"])
def test_antimony_itself_reads_the_text(name: str) -> None:
    antimony = pytest.importorskip("antimony", reason="extra 'model' is not installed")
    text = (FOLDER / name).read_text(encoding="utf-8")
    functions = (FOLDER / "lesion.ant").read_text(encoding="utf-8").partition("model lesion()")[0]
    antimony.clearPreviousLoads()
    whole = text if name == "lesion.ant" else functions + text
    assert antimony.loadAntimonyString(whole) >= 0, antimony.getLastError()
