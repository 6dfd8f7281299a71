"""Best responses of admiralonco, reproduced from recorded responses that are taken as given.

Source: ``shared/data/sdtm_onco`` (pharmaversesdtm, commit 530a5ea; its README names versions and
commands). Whose numbers:

* ``rs_onco_bor_by_admiralonco.csv``: BOR and CBOR by admiralonco 1.0.0 (minimum 42 days for SD,
  confirmation after 28 days, reference date RFSTDTC) from the investigator's OVRLRESP; records with
  ``CHECK`` were dropped. 152 subjects, two rows each.
* ``admiral_adrs.csv``: `admiralonco::admiral_adrs` (commit 83370b1), 6 subjects of rs_onco_recist;
  partial dates imputed to the last day, reference date TRTSDT, minimum 28 days for SD.

Every row is reproduced, value and date: no difference remains to be explained. Our table of best
responses has no date for the confirmed one, so the peer's date is held against the visits, by the
peer's own rules written out in `confirmed_best`.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hccresist.assess import assess_study
from hccresist.study.policies import Policies
from hccresist.study.sdtm import read_sdtm
from hccresist.study.study import Study

INVESTIGATOR = "INVESTIGATOR"
CONFIRM_DAYS = 28
IRECIST_WORDS = {"iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iUPD", "iCPD", "NE", "NED"}

Visit = tuple[float, str]


@pytest.fixture(scope="module")
def onco(shared_data: Path) -> Path:
    return shared_data / "sdtm_onco"


def days_between(start: str, end: str) -> float:
    return float((date.fromisoformat(end) - date.fromisoformat(start)).days)


def read_given(folder: Path, **policies: object) -> Study:
    return read_sdtm(folder, policies=Policies.parse({"responses": "given", **policies}))


def visits_of(study: Study, *, reader: str, criterion: str) -> dict[str, list[Visit]]:
    """Return day and response of each visit, in order, up to and including the first PD."""
    rows = assess_study(study, criteria=[criterion]).tables["timepoints"]
    found: dict[str, list[Visit]] = {}
    for row in rows.filter(pl.col("reader") == reader).sort("patient_id", "day").iter_rows(named=True):
        visits = found.setdefault(row["patient_id"], [])
        if not any(word == "PD" for _, word in visits):
            visits.append((row["day"], row["overall"]))
    return found


def confirms(visits: list[Visit], at: int, *, words: set[str], between: set[str]) -> bool:
    """Whether a visit is confirmed: the first later one of `words` after 28 days, with at most one NE and
    nothing but `between` in the middle."""
    day = visits[at][0]
    for later in range(at + 1, len(visits)):
        if visits[later][0] >= day + CONFIRM_DAYS and visits[later][1] in words:
            span = [word for _, word in visits[at + 1 : later]]
            return set(span) <= between and span.count("NE") <= 1 and not pr_after_cr(visits[at : later + 1])
    return False


def pr_after_cr(visits: list[Visit]) -> bool:
    words = [word for _, word in visits]
    return "CR" in words and "PR" in words[words.index("CR") :]


def confirmed_best(visits: list[Visit], sd_min_days: float) -> tuple[str, float]:
    """admiralonco's events cbor_cr, cbor_pr, bor_sd, bor_non_crpd, bor_pd and bor_ne, in this order."""
    for at, (day, word) in enumerate(visits):
        if word == "CR" and confirms(visits, at, words={"CR"}, between={"CR", "NE"}):
            return "CR", day
    for at, (day, word) in enumerate(visits):
        if word == "PR" and confirms(visits, at, words={"CR", "PR"}, between={"CR", "PR", "NE"}):
            return "PR", day
    late = [visit for visit in visits if visit[0] >= sd_min_days]
    events = (
        ("SD", {"CR", "PR", "SD"}, late),
        ("NON-CR/NON-PD", {"NON-CR/NON-PD"}, late),
        ("PD", {"PD"}, visits),
        ("NE", {"CR", "PR", "SD", "NON-CR/NON-PD", "NE"}, visits),
    )
    for name, words, where in events:
        for day, word in where:
            if word in words:
                return name, day
    msg = "no event applies"
    raise AssertionError(msg)


@pytest.fixture(scope="module")
def rs_onco(onco: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("rs_onco")
    for name in ("dm_dates.csv", "rs_onco.csv"):
        shutil.copy(onco / name, folder / name)
    return read_given(folder)


@pytest.fixture(scope="module")
def peer(onco: Path) -> dict[tuple[str, str], tuple[str, float]]:
    """Value and day of each row of the peer, by subject and parameter."""
    starts = dict(pl.read_csv(onco / "dm_dates.csv").select("USUBJID", "RFSTDTC").iter_rows())
    rows = pl.read_csv(onco / "rs_onco_bor_by_admiralonco.csv")
    return {
        (row["USUBJID"], row["PARAMCD"]): (row["AVALC"], days_between(starts[row["USUBJID"]], row["ADT"]))
        for row in rows.iter_rows(named=True)
    }


def best_of(study: Study, *, reader: str) -> dict[str, dict[str, object]]:
    table = assess_study(study, criteria=["recist11"]).tables["best_response"]
    rows = table.filter(pl.col("reader") == reader).iter_rows(named=True)
    return {row["patient_id"]: row for row in rows}


def test_1_the_peer_has_two_rows_for_each_of_152_subjects(peer):
    assert len(peer) == 304
    assert len({subject for subject, _ in peer}) == 152


def test_2_best_response_and_its_day_equal_every_bor_row(rs_onco, peer):
    best = best_of(rs_onco, reader=INVESTIGATOR)
    ours = {subject: (best[subject]["best"], best[subject]["best_day"]) for subject, _ in peer}
    assert ours == {subject: value for (subject, code), value in peer.items() if code == "BOR"}


def test_3_confirmed_best_response_equals_every_cbor_row(rs_onco, peer):
    best = best_of(rs_onco, reader=INVESTIGATOR)
    ours = {subject: best[subject]["best_confirmed"] for subject, _ in peer}
    assert ours == {subject: value for (subject, code), (value, _) in peer.items() if code == "CBOR"}


def test_4_the_visits_date_every_cbor_row(rs_onco, peer):
    visits = visits_of(rs_onco, reader=INVESTIGATOR, criterion="recist11")
    ours = {subject: confirmed_best(found, 42.0) for subject, found in visits.items()}
    assert ours == {subject: value for (subject, code), value in peer.items() if code == "CBOR"}


def test_5_records_with_a_data_query_do_not_count(rs_onco):
    """The three CHECK records are told, and leave no response at their visit."""
    told = [issue for issue in rs_onco.warnings if issue.code == "unknown-response"]
    assert [(issue.found, issue.patient) for issue in told] == [("CHECK", "01-711-1143")] * 3
    rows = rs_onco.table("responses").filter(pl.col("overall_recorded") == "CHECK")
    assert rows.height == 3
    assert rows["overall"].null_count() == 3


@pytest.fixture(scope="module")
def admiral_adrs(onco: Path) -> pl.DataFrame:
    return pl.read_csv(onco / "admiral_adrs.csv", infer_schema=False)


@pytest.fixture(scope="module")
def recist(onco: Path, admiral_adrs: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """rs_onco_recist with the peer's treatment dates as DM."""
    folder = tmp_path_factory.mktemp("recist")
    shutil.copy(onco / "rs_onco_recist.csv", folder / "rs_onco_recist.csv")
    dates = admiral_adrs.select("USUBJID", RFSTDTC="TRTSDT", RFXENDTC="TRTEDT", DTHDTC="DTHDT")
    dates.unique().write_csv(folder / "dm.csv")
    return read_given(folder, date_imputation="last", sd_min_days=28)


def adrs_values(adrs: pl.DataFrame, code: str) -> dict[str, tuple[str, float]]:
    rows = adrs.filter(pl.col("PARAMCD") == code).iter_rows(named=True)
    return {row["USUBJID"]: (row["AVALC"], days_between(row["TRTSDT"], row["ADT"])) for row in rows}


def test_6_admiral_adrs_overall_responses_are_our_visits(recist, admiral_adrs):
    visits = visits_of(recist, reader=INVESTIGATOR, criterion="recist11")
    ours = {(subject, *visit) for subject, found in visits.items() for visit in found}
    rows = admiral_adrs.filter(pl.col("PARAMCD") == "OVR").iter_rows(named=True)
    assert ours == {(row["USUBJID"], days_between(row["TRTSDT"], row["ADT"]), row["AVALC"]) for row in rows}


def test_7_admiral_adrs_best_responses_are_ours(recist, admiral_adrs):
    best = best_of(recist, reader=INVESTIGATOR)
    ours = {subject: (row["best"], row["best_day"]) for subject, row in best.items()}
    assert ours == adrs_values(admiral_adrs, "BOR")
    confirmed = {subject: row["best_confirmed"] for subject, row in best.items()}
    assert confirmed == {subject: value for subject, (value, _) in adrs_values(admiral_adrs, "CBOR").items()}


def test_8_admiral_adrs_confirmed_best_responses_are_dated_by_our_visits(recist, admiral_adrs):
    visits = visits_of(recist, reader=INVESTIGATOR, criterion="recist11")
    ours = {subject: confirmed_best(found, 28.0) for subject, found in visits.items()}
    assert ours == adrs_values(admiral_adrs, "CBOR")


def test_9_admiral_adrs_response_and_progression_days_are_ours(recist, admiral_adrs):
    """RSP is the first CR or PR before progression, PD the first progression."""
    best = best_of(recist, reader=INVESTIGATOR)
    for code, column in (("RSP", "first_response_day"), ("PD", "progression_day")):
        rows = admiral_adrs.filter(pl.col("PARAMCD") == code).iter_rows(named=True)
        peer = {
            row["USUBJID"]: days_between(row["TRTSDT"], row["ADT"]) if row["AVALC"] == "Y" else None
            for row in rows
        }
        assert {subject: row[column] for subject, row in best.items()} == peer


@pytest.fixture(scope="module")
def irecist(onco: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("irecist")
    for name in ("dm_dates.csv", "rs_onco_irecist.csv"):
        shutil.copy(onco / name, folder / name)
    return read_given(folder)


def test_10_irecist_best_responses_follow_from_the_recorded_words(irecist):
    """rs_onco_irecist has no result of a peer; the rule is that of Seymour 2017 (doi
    10.1016/S1470-2045(17)30074-8): the best of iCR, iPR and iSD (from day 42), else iCPD, else iUPD;
    after iCPD nothing counts; an iSD before day 42 counts as NE."""
    table = assess_study(irecist, criteria=["irecist"]).tables["best_response"]
    best = {row["patient_id"]: row["best"] for row in table.iter_rows(named=True)}
    visits = visits_of(irecist, reader=INVESTIGATOR, criterion="irecist")
    assert len(visits) == 22
    order = ("iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iCPD", "iUPD", "NE")
    for subject, found in visits.items():
        words = [word for _, word in found]
        end = words.index("iCPD") + 1 if "iCPD" in words else len(words)
        counted = [
            "NE" if word in {"iSD", "NON-iCR/NON-iUPD"} and day < 42 else word for day, word in found[:end]
        ]
        assert set(words) <= IRECIST_WORDS
        assert best[subject] == min(counted, key=order.index), subject

    assert {best[subject] for subject in best if subject not in visits} == {"NE"}


def test_11_irecist_progression_is_the_first_unconfirmed_one_of_its_block(irecist):
    """01-701-1028: iUPD on day 13, a visit that was not done, iCPD on day 82: progression is day 13.
    01-701-1034: iUPD on day 41, then iSD: no progression. 01-701-1118: iUPD on day 42 is undone by
    iSD, iUPD on day 168 is the last word: progression is day 168 (policy irecist_unconfirmed)."""
    table = assess_study(irecist, criteria=["irecist"]).tables["best_response"]
    days = {row["patient_id"]: row["progression_day"] for row in table.iter_rows(named=True)}
    subjects = ("01-701-1028", "01-701-1034", "01-701-1118")
    assert [days[subject] for subject in subjects] == [13.0, None, 168.0]
