"""The blind re-check: a tenth of the base, counted from both readings."""

from hccresist.explain import recheck
from hccresist.explain.knowledge import read_base
from hccresist.explain.recheck import count_recheck, read_recheck


def test_a_tenth_of_the_verified_rows_was_drawn_old_ones_included():
    """Issue 4 asks for a random tenth, old rows included."""
    base = read_base()
    assert count_recheck().drawn >= 0.1 * base.marks["counted"].sum()
    assert count_recheck("old").drawn >= 0.1 * 309
    assert {row["record_id"] for row in read_recheck()} <= set(base.findings["record_id"])


def test_old_and_new_rows_add_up():
    old, new, both = count_recheck("old"), count_recheck("new"), count_recheck()
    for name in ("drawn", "found", "reversed", "effect", "level"):
        assert getattr(old, name) + getattr(new, name) == getattr(both, name)


def reading(**changes):
    row = {
        "record_id": "X",
        "part": "new",
        "found": "true",
        "entity_type": "gene",
        "alteration": "up",
        "effect": "resistance",
        "evidence_level": "in_vivo",
        "blind_alteration": "up",
        "blind_effect": "resistance",
        "blind_level": "in_vivo",
    }
    return row | changes


def counted(monkeypatch, **changes):
    monkeypatch.setattr(recheck, "read_recheck", lambda: [reading(**changes)])
    return count_recheck()


def test_more_that_resists_and_its_inhibition_that_sensitises_are_one_direction(monkeypatch):
    found = counted(monkeypatch, blind_alteration="inhibited", blind_effect="sensitivity")
    assert (found.reversed, found.effect) == (0, 1)


def test_what_restores_response_when_down_is_no_contradiction(monkeypatch):
    assert counted(monkeypatch, blind_alteration="down", blind_effect="reverses_resistance").reversed == 0


def test_the_opposite_reading_is_seen(monkeypatch):
    assert counted(monkeypatch, blind_effect="sensitivity").reversed == 1
    assert counted(monkeypatch, blind_alteration="down").reversed == 1


def test_what_was_not_found_is_drawn_and_not_compared(monkeypatch):
    found = counted(monkeypatch, found="false", blind_effect="sensitivity")
    assert (found.drawn, found.found, found.reversed) == (1, 0, 0)
