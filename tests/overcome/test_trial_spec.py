"""Virtual trials as text: what is read, what is refused and where, and the specs that are shipped."""

from __future__ import annotations

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.errors import ConfigError, InputError
from hccresist.outcomes.published import read_trials
from hccresist.overcome.trial_endpoints import ENDPOINTS, name_unit
from hccresist.overcome.trial_file import find_spec, list_shipped, parse_spec, read_spec, share_out
from hccresist.overcome.trial_spec import Visits

GOOD = """\
name = "two arms"
n = 30
endpoints = ["mOS", "ORR"]

[eligibility]
afp = [400, inf]
ecog1 = false
handles_on = ["abc"]

[mix]
hbv = 0.5

[visits]
every = 42
until = 84
then = 63

[follow_up]
days = 300
accrual_days = 65
dropout_per_year = 0.1

[assessor]
name = "BICR"
sd = 0.1

[[arms]]
name = "placebo"
control = true
[[arms.drugs]]
regimen = "regorafenib"
start = "progression"
delay_days = 7
share = 0.5

[[arms]]
name = "combo"
ratio = 2
stop_at_progression = true
beyond_visits = 1
eligibility = { aetiology = ["hbv"] }
[[arms.drugs]]
regimen = "atezolizumab + bevacizumab"
[[arms.procedures]]
kind = "tace"
every = 56
times = 2
"""

BAD = """\
name = "wrong"
replicates = 0
colour = "red"

[eligibility]
afp = [400, 100]
handles_on = ["nonsense"]

[visits]
every = "often"

[[arms]]
name = "a"
n = 10
[[arms.drugs]]
regimen = "aspirin"
start = "someday"

[[arms]]
name = "a"
n = -3
[[arms.drugs]]
regimen = "sorafenib"
until = 5
start = 9
[[arms.procedures]]
kind = "surgery"
times = 3
"""


AFTER = '[[arms.drugs]]\nregimen = "sorafenib"\nstart = "progression"\n'
TWICE = 2 * '[[arms.drugs]]\nregimen = "sorafenib"\nshare = 0.7\n'


def test_everything_that_stands_in_the_file_is_read() -> None:
    spec = parse_spec(GOOD)
    combo, placebo = spec.arm("combo"), spec.arm("placebo")
    assert (placebo.n, combo.n) == (10, 20)
    assert spec.control == placebo.arm_id == "two_arms_placebo"
    assert spec.eligibility.ranges == {"afp": (400.0, float("inf"))}
    assert spec.eligibility.traits == {"ecog1": False}
    assert spec.visits.days(spec.follow_up.longest) == (42, 84, 147, 210, 273, 336)
    assert placebo.drugs[0].after_progression
    assert (placebo.drugs[0].start, placebo.drugs[0].share) == (7.0, 0.5)
    assert combo.drugs[0].regimens == ("atezolizumab_q3w", "bevacizumab_q3w")
    assert combo.procedures[0].days == (0.0, 56.0)
    assert combo.eligibility.aetiology == ("hbv",)
    assert (spec.assessor, spec.reading_sd) == ("BICR", 0.1)


def test_all_problems_are_told_at_once_with_line_and_name() -> None:
    with pytest.raises(InputError) as raised:
        parse_spec(BAD, file="bad.toml")
    places = {(issue.line, issue.column) for issue in raised.value.issues}
    lines = BAD.splitlines()

    def line(start: str, nth: int = 0) -> int:
        return [k for k, text in enumerate(lines, start=1) if text.startswith(start)][nth]

    assert {
        (line("replicates"), "replicates"),
        (line("colour"), "colour"),
        (line("afp"), "eligibility.afp"),
        (line("handles_on"), "eligibility.handles_on"),
        (line("every"), "visits.every"),
        (line("regimen"), "arms[1].drugs[1].regimen"),
        (line("start"), "arms[1].drugs[1].start"),
        (line("n = -3"), "arms[2].n"),
        (line("until"), "arms[2].drugs[1].until"),
        (line("kind"), "arms[2].procedures[1].kind"),
        (line("times"), "arms[2].procedures[1].times"),
    } <= places
    assert any("2 arms are called" in issue.problem for issue in raised.value.issues)
    assert all(issue.file == "bad.toml" for issue in raised.value.issues)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 3\n", "cannot be used"),
        ('name = "x"\n', "no arm"),
        ('name = "x" y\n', "not valid TOML"),
        ('name = "x"\n[[arms]]\nname = "a"\n', "stands twice or not at all"),
        ('name = "x"\nn = 4\n[[arms]]\nname = "a"\nn = 4\n', "stands twice or not at all"),
        ('name = "x"\n[[arms]]\nname = "all"\narm_id = "all"\nn = 4\n', "group of all patients"),
        ('name = "x"\n[mix]\nhbv = 0.8\nhcv = 0.4\n[[arms]]\nname = "a"\nn = 4\n', "more than all patients"),
        ('name = "x"\n[visits]\nevery = 900\n[[arms]]\nname = "a"\nn = 4\n', "no scan within"),
        ('name = "x"\n[visits]\nbaseline = 40\n[[arms]]\nname = "a"\nn = 4\n', "0 to 28"),
        (
            'name = "x"\n[assessor]\nprogression = "mrecis"\n[[arms]]\nname = "a"\nn = 4\n',
            "'mrecis' is not known",
        ),
        (
            'name = "x"\n[[arms]]\nname = "a"\nn = 4\nstop_at_progression = false\n' + AFTER,
            "need a stop at progression",
        ),
        (
            'name = "x"\n[[arms]]\nname = "a"\nn = 4\n' + TWICE,
            "more than all patients",
        ),
    ],
)
def test_what_cannot_be_a_trial_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_spec(text)


def test_a_mistyped_entry_is_answered_with_the_right_one() -> None:
    with pytest.raises(InputError, match="Did you mean 'beyond_visits'"):
        parse_spec('name = "x"\n[[arms]]\nname = "a"\nn = 4\nbeyond_visit = 1\n')


@given(st.integers(0, 5000), st.lists(st.floats(0.1, 9.0), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_sharing_out_loses_nobody_and_is_within_one_of_the_ratio(total: int, ratios: list[float]) -> None:
    sizes = share_out(total, ratios)
    assert sum(sizes) == total
    assert all(abs(n - total * r / sum(ratios)) < 1.0 + 1e-6 for n, r in zip(sizes, ratios, strict=True))


@given(st.floats(7, 100), st.floats(0, 400), st.floats(7, 100), st.floats(1, 1000))
@settings(max_examples=60, deadline=None)
def test_visits_have_one_step_up_to_a_day_and_the_other_after(
    every: float, until: float, then: float, last: float
) -> None:
    days = (0.0, *Visits(every=every, until=until, then=then).days(last))
    for a, b in pairwise(days):
        assert b <= last + 1e-6
        step = every if b <= until + 1e-6 and a + every <= until + 1e-6 else then
        assert b - a == pytest.approx(step)


def test_the_order_of_arms_in_the_file_changes_nothing() -> None:
    head, _, arms = GOOD.partition("[[arms]]")
    first, _, second = arms.partition("\n[[arms]]")
    turned = f"{head}[[arms]]{second}\n[[arms]]{first}\n"
    assert parse_spec(turned) == parse_spec(GOOD)


def test_a_shipped_trial_is_found_whatever_case_and_spaces() -> None:
    assert find_spec("imbrave 150") == find_spec("IMbrave150")
    assert find_spec("checkmate459").name == "CheckMate 459"
    with pytest.raises(ConfigError, match="Did you mean REFLECT"):
        find_spec("REFLEKT")
    with pytest.raises(ConfigError, match=r"there\.toml"):
        find_spec("not there.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_spec(path)


def test_every_arm_whose_drugs_the_model_knows_is_shipped_or_said_to_be_left_out() -> None:
    specs = [parse_spec(text) for text in list_shipped().values()]
    shipped = {arm.arm_id: arm for spec in specs for arm in spec.arms}
    notes = " ".join(spec.note for spec in specs)
    arms = read_trials("arms")
    unknown = {"brivanib", "sunitinib", "ADI-PEG 20", "S-1", "everolimus", "tivantinib"}
    for row in arms.iter_rows(named=True):
        if row["arm_id"] in shipped:
            assert shipped[row["arm_id"]].n == row["n"]
            assert shipped[row["arm_id"]].control == row["control"]
        elif row["n"] and row["drugs"] not in unknown:
            assert row["arm_id"] in notes
    held_out = arms.filter("heldout")["arm_id"].to_list()
    assert set(held_out) <= set(shipped)


def test_shipped_trials_are_what_their_maker_makes() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "make_trial_specs.py"
    spec = importlib.util.spec_from_file_location("make_trial_specs", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_trial_specs"] = module
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0


def test_names_and_units_of_endpoints_are_those_of_the_published_table() -> None:
    rows = read_trials("endpoints_long").select("endpoint", "unit").unique()
    assert set(rows["endpoint"]) <= set(ENDPOINTS)
    for endpoint, unit in rows.iter_rows():
        assert name_unit(endpoint) == unit
