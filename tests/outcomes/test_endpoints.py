"""Every rule of the times to event, case by case; expectations follow the rules by hand."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_cases import GRID, assessed, best_response, make_study, timepoints

from hccresist.errors import InputError
from hccresist.outcomes.endpoints import derive_events
from hccresist.outcomes.results import Events

AT = "censored at last adequate assessment, day "
NOTHING = "censored at day 1, no adequate assessment after baseline"


def rows_of(study, courses, *, criterion="recist11", **options):
    """Endpoint to (days, event, reason, cause) of the only patient."""
    visits, best = assessed(courses, criterion=criterion)
    events = derive_events(study, timepoints=visits, best_response=best, **options)
    Events.validate(events)
    return {
        row["endpoint"]: (row["days"], row["event"], row["reason"], row["cause"]) for row in events.to_dicts()
    }


def one(survival=None, **options):
    row = {"patient_id": "p", **(survival or {})}
    return make_study(["p"], survival=[row] if survival is not None else None, **options)


DIED = {"os_days": 300.0, "died": True}
ALIVE = {"os_days": 400.0, "died": False}


@pytest.mark.parametrize(
    ("visits", "survival", "expected"),
    [
        ({56: "SD", 112: "PD"}, ALIVE, (112.0, True, "progression on day 112", "progression")),
        ({56: "SD", 112: "SD"}, ALIVE, (112.0, False, f"{AT}112: no event seen", None)),
        ({56: "SD", 112: "NE"}, ALIVE, (56.0, False, f"{AT}56: no event seen", None)),
        ({56: "SD"}, DIED, (300.0, True, "death on day 300 without progression", "death")),
        ({56: "PD"}, DIED, (56.0, True, "progression on day 56", "progression")),
        ({56: "NE"}, DIED, (300.0, True, "death on day 300 before any adequate assessment", "death")),
        ({}, DIED, (300.0, True, "death on day 300 before any adequate assessment", "death")),
        ({}, ALIVE, (1.0, False, f"{NOTHING}: no event seen", None)),
        ({56: "NE"}, ALIVE, (1.0, False, f"{NOTHING}: no event seen", None)),
        ({56.25: "SD"}, ALIVE, (56.25, False, f"{AT}56.2: no event seen", None)),
        ({56: "SD"}, None, (56.0, False, f"{AT}56: no event seen", None)),
        ({56: "PD"}, None, (56.0, True, "progression on day 56", "progression")),
        ({300: "PD"}, DIED, (300.0, True, "progression on day 300", "progression")),
        ({56: "SD"}, {"os_days": 300.0, "died": None}, (56.0, False, f"{AT}56: no event seen", None)),
    ],
)
def test_pfs_without_a_visit_grid(visits, survival, expected):
    assert rows_of(one(survival), {"p": visits})["PFS"] == expected


@pytest.mark.parametrize(
    ("visits", "survival", "limit", "expected"),
    [
        # two planned visits (112 and 168) went by before the scan of day 224
        (
            {56: "SD", 224: "PD"},
            ALIVE,
            2,
            (56.0, False, f"{AT}56: progression on day 224 came after 2 missed visits"),
        ),
        ({56: "SD", 224: "PD"}, ALIVE, 3, (224.0, True, "progression on day 224")),
        ({56: "SD", 224: "PD"}, ALIVE, 0, (224.0, True, "progression on day 224")),
        ({56: "SD", 168: "PD"}, ALIVE, 2, (168.0, True, "progression on day 168")),
        # a scan two weeks early still is the scan of day 112
        ({56: "SD", 98: "SD", 224: "PD"}, ALIVE, 2, (224.0, True, "progression on day 224")),
        # NE does not count as attended
        (
            {56: "SD", 112: "NE", 168: "NE", 224: "PD"},
            ALIVE,
            2,
            (56.0, False, f"{AT}56: progression on day 224 came after 2 missed visits"),
        ),
        # a gap that was followed by an assessment does no harm
        ({56: "SD", 280: "SD", 336: "PD"}, ALIVE, 2, (336.0, True, "progression on day 336")),
        # death on day 300: visits 112, 168, 224 and 280 were due
        ({56: "SD"}, DIED, 2, (56.0, False, f"{AT}56: death on day 300 came after 4 missed visits")),
        (
            {56: "SD"},
            {"os_days": 168.0, "died": True},
            2,
            (168.0, True, "death on day 168 without progression"),
        ),
        (
            {56: "SD"},
            {"os_days": 169.0, "died": True},
            2,
            (56.0, False, f"{AT}56: death on day 169 came after 2 missed visits"),
        ),
        # no assessment: death before the first scan was due, before two were missed, and after
        (
            {},
            {"os_days": 40.0, "died": True},
            2,
            (40.0, True, "death on day 40 before any adequate assessment"),
        ),
        (
            {},
            {"os_days": 112.0, "died": True},
            2,
            (112.0, True, "death on day 112 before any adequate assessment"),
        ),
        (
            {},
            {"os_days": 113.0, "died": True},
            2,
            (1.0, False, f"{NOTHING}: death on day 113 came after 2 missed visits"),
        ),
        (
            {},
            {"os_days": 113.0, "died": True},
            0,
            (113.0, True, "death on day 113 before any adequate assessment"),
        ),
        # the first scan of all comes after two missed visits
        (
            {168: "PD"},
            ALIVE,
            2,
            (1.0, False, f"{NOTHING}: progression on day 168 came after 2 missed visits"),
        ),
        # after the last planned day no visit can be missed
        ({336: "SD", 700: "PD"}, ALIVE, 2, (700.0, True, "progression on day 700")),
    ],
)
def test_pfs_with_a_visit_grid(visits, survival, limit, expected):
    study = one(survival, planned=GRID, missed_visits_to_censor=limit)
    assert rows_of(study, {"p": visits})["PFS"][:3] == expected


@pytest.mark.parametrize(
    ("day", "policy", "expected"),
    [
        (90.0, "censor", (56.0, False, f"{AT}56: new therapy from day 90")),
        (90.0, "ignore", (112.0, True, "progression on day 112")),
        (112.0, "censor", (112.0, True, "progression on day 112")),
        (56.0, "censor", (56.0, False, f"{AT}56: new therapy from day 56")),
        (30.0, "censor", (1.0, False, f"{NOTHING}: new therapy from day 30")),
        (500.0, "censor", (112.0, True, "progression on day 112")),
    ],
)
def test_new_therapy_before_progression(day, policy, expected):
    study = one(ALIVE, treatments=[("p", 1, 0.0), ("p", 2, day)], new_therapy=policy)
    assert rows_of(study, {"p": {56: "SD", 112: "PD"}})["PFS"][:3] == expected


def test_new_therapy_is_a_later_line_than_the_index_line():
    treatments = [("p", 1, -200.0), ("p", 2, 0.0), ("p", 3, 90.0), ("p", 4, 70.0)]
    study = one(ALIVE, treatments=treatments, index_line=2)
    assert rows_of(study, {"p": {56: "SD", 112: "PD"}})["PFS"][2] == f"{AT}56: new therapy from day 70"


def test_a_death_after_new_therapy_is_censored_before_it():
    study = one(DIED, treatments=[("p", 2, 90.0)])
    rows = rows_of(study, {"p": {56: "SD", 112: "SD"}})
    assert rows["PFS"][:3] == (56.0, False, f"{AT}56: new therapy from day 90")
    assert rows["OS"][:3] == (300.0, True, "death on day 300")


@pytest.mark.parametrize(
    ("kind", "day", "policy", "expected"),
    [
        ("transplant", 90.0, "censor", (56.0, False, f"{AT}56: transplant or resection on day 90", None)),
        ("resection", 90.0, "event", (90.0, True, "transplant or resection on day 90", "procedure")),
        ("transplant", 90.0, "ignore", (112.0, True, "progression on day 112", "progression")),
        ("tace", 90.0, "censor", (112.0, True, "progression on day 112", "progression")),
        ("transplant", -90.0, "censor", (112.0, True, "progression on day 112", "progression")),
        ("transplant", 112.0, "event", (112.0, True, "progression on day 112", "progression")),
    ],
)
def test_curative_procedures(kind, day, policy, expected):
    study = one(ALIVE, procedures=[("p", day, kind)], curative_procedure=policy)
    rows = rows_of(study, {"p": {56: "SD", 112: "PD"}})
    assert rows["PFS"] == rows["TTP"] == expected
    assert rows["OS"][0] == 400.0


def test_ttp_censors_death_without_progression_at_the_last_assessment():
    rows = rows_of(one(DIED), {"p": {56: "SD", 112: "SD"}})
    assert rows["TTP"] == (112.0, False, f"{AT}112: death without progression on day 300", None)
    assert rows["PFS"][:2] == (300.0, True)


def test_duration_and_time_of_response():
    rows = rows_of(one(ALIVE), {"p": {56: "SD", 112: "PR", 168: "PR", 224: "PD"}})
    assert rows["TTR"] == (112.0, True, "first response on day 112 (best PR)", "response")
    assert rows["DOR"] == (
        112.0,
        True,
        "first response on day 112 (best PR); progression on day 224",
        "progression",
    )


def test_duration_of_a_response_that_lasts():
    rows = rows_of(one(ALIVE), {"p": {56: "CR", 112: "CR"}})
    assert rows["DOR"][:2] == (56.0, False)
    assert rows["DOR"][2] == f"first response on day 56 (best CR); {AT}112: no event seen"


def test_a_response_at_the_last_assessment_counts_for_nothing_yet():
    rows = rows_of(one(ALIVE), {"p": {56: "SD", 112: "PR"}})
    assert rows["TTR"][:2] == (112.0, True)
    assert rows["DOR"] == (
        0.0,
        False,
        f"first response on day 112 (best PR); {AT}112: no event seen",
        None,
    )


def test_only_responders_have_a_duration_of_response():
    assert set(rows_of(one(ALIVE), {"p": {56: "SD", 112: "SD"}})) == {"OS", "PFS", "TTP"}


def test_a_response_after_new_therapy_does_not_count():
    study = one(ALIVE, treatments=[("p", 2, 90.0)])
    rows = rows_of(study, {"p": {56: "SD", 112: "PR", 168: "PD"}})
    because = (
        f"response not counted, since it came only on day 112 (best PR); {AT}56: new therapy from day 90"
    )
    assert rows["TTR"] == (56.0, False, because, None)
    assert rows["DOR"] == (0.0, False, because, None)


def test_an_unconfirmed_response_counts_only_when_asked_for():
    visits = timepoints({"p": {56: "PR", 112: "PD"}})
    best = best_response({"p": {"best": "PR", "confirmed": "SD", "response": 56.0, "progression": 112.0}})
    strict = derive_events(one(ALIVE), timepoints=visits, best_response=best)
    loose = derive_events(one(ALIVE), timepoints=visits, best_response=best, confirmed=False)
    assert set(strict["endpoint"]) == {"OS", "PFS", "TTP"}
    assert loose.filter(pl.col("endpoint") == "DOR")["days"].to_list() == [56.0]


def test_irecist_has_its_own_names_and_words():
    visits = timepoints({"p": {56: "iPR", 112: "iUPD", 168: "iCPD"}}, criterion="irecist")
    best = best_response({"p": {"best": "iPR", "response": 56.0, "progression": 112.0}}, criterion="irecist")
    events = derive_events(one(ALIVE), timepoints=visits, best_response=best)
    days = dict(events.select("endpoint", "days").iter_rows())
    assert days == {"OS": 400.0, "TTR": 56.0, "iDOR": 56.0, "iPFS": 112.0}


@pytest.mark.parametrize(
    ("survival", "expected"),
    [
        (DIED, (300.0, True, "death on day 300", "death")),
        (ALIVE, (400.0, False, "censored at last contact, day 400", None)),
        (
            {"os_days": 400.0},
            (
                400.0,
                False,
                "censored at last contact, day 400: whether the patient died is not recorded",
                None,
            ),
        ),
        (
            {"last_alive_day": 250.0, "died": False},
            (250.0, False, "censored at the last day known alive, day 250", None),
        ),
        (
            {"last_alive_day": 250.0, "died": True},
            (
                250.0,
                False,
                "censored at the last day known alive, day 250: the day of death is not recorded",
                None,
            ),
        ),
        (
            {"last_alive_day": -3.0, "died": False},
            (0.0, False, "censored at the last day known alive, day 0", None),
        ),
        ({"died": True}, None),
        (None, None),
    ],
)
def test_overall_survival(survival, expected):
    assert rows_of(one(survival), {"p": {}}).get("OS") == expected


def test_readers_and_criteria_are_never_pooled():
    study = make_study(["p"], survival=[{"patient_id": "p", **ALIVE}])
    parts = [
        assessed({"p": {56: "PD"}}, reader="1"),
        assessed({"p": {56: "SD", 112: "PD"}}, reader="2"),
        assessed({"p": {56: "SD", 112: "SD"}}, reader="2", criterion="mrecist"),
    ]
    events = derive_events(
        study,
        timepoints=pl.concat(part[0] for part in parts),
        best_response=pl.concat(part[1] for part in parts),
    )
    pfs = events.filter(pl.col("endpoint") == "PFS").select("reader", "criterion", "days", "event")
    assert pfs.rows() == [
        ("1", "recist11", 56.0, True),
        ("2", "mrecist", 112.0, False),
        ("2", "recist11", 112.0, True),
    ]


def test_a_study_without_assessments_has_overall_survival():
    visits, best = assessed({})
    events = derive_events(one(DIED), timepoints=visits, best_response=best)
    assert events["endpoint"].to_list() == ["OS"]


WORDS = st.sampled_from(["CR", "PR", "SD", "PD", "NE"])
COURSES = st.lists(
    st.tuples(
        st.dictionaries(st.integers(1, 6).map(lambda k: 56.0 * k), WORDS, max_size=6),
        st.one_of(st.none(), st.tuples(st.integers(1, 400).map(float), st.booleans())),
        st.one_of(st.none(), st.integers(1, 400).map(float)),
    ),
    min_size=1,
    max_size=6,
)


def whole_study(courses):
    """A study of many patients; nobody is assessed after death."""
    survival, visits, treatments = [], {}, []
    for number, (seen, end, therapy) in enumerate(courses):
        name = f"p{number}"
        last = end[0] if end else 1000.0
        visits[name] = {day: word for day, word in seen.items() if day <= last}
        if end:
            survival.append({"patient_id": name, "os_days": end[0], "died": end[1]})
        if therapy:
            treatments.append((name, 2, therapy))
    study = make_study(list(visits), survival=survival, treatments=treatments, planned=GRID)
    return study, *assessed(visits)


@settings(max_examples=60, deadline=None)
@given(COURSES, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(courses, random):
    study, visits, best = whole_study(courses)
    events = derive_events(study, timepoints=visits, best_response=best)
    Events.validate(events)
    assert events.equals(events.sort(Events.primary_key()))

    def shuffled(table):
        return table[random.sample(range(table.height), table.height)] if table.height else table

    assert derive_events(study, timepoints=shuffled(visits), best_response=shuffled(best)).equals(events)


@settings(max_examples=60, deadline=None)
@given(COURSES)
def test_endpoints_agree_with_each_other(courses):
    study, visits, best = whole_study(courses)
    events = derive_events(study, timepoints=visits, best_response=best)
    wide = {name: {} for name in ("OS", "PFS", "TTP", "DOR", "TTR")}
    for row in events.to_dicts():
        wide[row["endpoint"]][row["patient_id"]] = row
    for patient, pfs in wide["PFS"].items():
        ttp, overall = wide["TTP"][patient], wide["OS"].get(patient)
        assert pfs["days"] >= ttp["days"]
        assert pfs["event"] or not ttp["event"]
        if overall and overall["event"]:
            assert pfs["days"] <= max(overall["days"], 1.0)
        if patient in wide["DOR"]:
            response = wide["TTR"][patient]
            if response["event"]:
                assert response["days"] + wide["DOR"][patient]["days"] == pfs["days"]
            assert wide["DOR"][patient]["event"] == (pfs["event"] and response["event"])
    assert events.filter(pl.col("event") == pl.col("cause").is_null()).is_empty()


def test_endpoints_that_the_study_brings():
    study = make_study(
        ["a", "b", "c"],
        survival=[
            {"patient_id": "a", "rfs_days": 100.0, "rfs_event": True, "dRFS_days": "30", "dRFS_event": "no"},
            {
                "patient_id": "b",
                "rfs_days": 200.0,
                "rfs_event": False,
                "dRFS_days": " 40 ",
                "dRFS_event": "1",
            },
            {"patient_id": "c", "rfs_days": None, "rfs_event": True, "dRFS_days": "", "dRFS_event": None},
        ],
    )
    visits, best = assessed({})
    events = derive_events(study, timepoints=visits, best_response=best)
    Events.validate(events)
    assert events.select(
        "patient_id", "reader", "criterion", "endpoint", "days", "event", "reason"
    ).rows() == [
        ("a", "", "recorded", "RFS", 100.0, True, "as recorded by the study: event on day 100"),
        ("a", "", "recorded", "dRFS", 30.0, False, "as recorded by the study: censored on day 30"),
        ("b", "", "recorded", "RFS", 200.0, False, "as recorded by the study: censored on day 200"),
        ("b", "", "recorded", "dRFS", 40.0, True, "as recorded by the study: event on day 40"),
    ]


def test_every_problem_of_an_own_endpoint_is_told_at_once():
    study = make_study(
        ["a", "b"],
        survival=[
            {"patient_id": "a", "rfs_days": "soon", "rfs_event": "1", "RFS_days": 5.0, "RFS_event": 1},
            {"patient_id": "b", "rfs_days": "-4", "rfs_event": "perhaps", "RFS_days": 6.0, "RFS_event": 0},
        ],
    )
    visits, best = assessed({})
    with pytest.raises(InputError) as caught:
        derive_events(study, timepoints=visits, best_response=best)
    told = [(issue.code, issue.column, issue.patient, issue.found) for issue in caught.value.issues]
    assert told == [
        ("duplicate-endpoint", "RFS_days", None, None),
        ("recorded-endpoint", "rfs_days", "a", "soon"),
        ("recorded-endpoint", "rfs_days", "b", "-4"),
        ("recorded-endpoint", "rfs_event", "b", "perhaps"),
    ]


def test_a_column_of_days_without_its_event_is_a_covariate():
    study = make_study(["a"], survival=[{"patient_id": "a", **ALIVE, "ct_days": "none", "os_event": True}])
    visits, best = assessed({})
    events = derive_events(study, timepoints=visits, best_response=best)
    assert events["endpoint"].to_list() == ["OS"]
