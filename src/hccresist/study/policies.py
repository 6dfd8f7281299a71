"""Policies: every choice on which published rules leave room, each with a name, default and source.

A policy is set by ``--policy NAME=VALUE`` or in ``[policies]`` of ``study.toml``; what was in force
stands in the manifest and in the report. `Policies` is the frozen record that the stages receive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, cast

from hccresist.errors import ConfigError
from hccresist.study.issues import nearest

RECIST: Final = "RECIST 1.1, doi:10.1016/j.ejca.2008.10.026"
MRECIST: Final = "mRECIST, doi:10.1055/s-0030-1247132"
IRECIST: Final = "iRECIST, doi:10.1016/S1470-2045(17)30074-8"
FDA: Final = "FDA guidance: Clinical Trial Endpoints for the Approval of Cancer Drugs and Biologics (2018)"
OURS: Final = "convention of hccresist (assumption)"

Value = bool | int | float | str


def _policy(
    default: Value, meaning: str, source: str, *, allowed: tuple[str, ...] = (), low: float | None = None
) -> Any:  # noqa: ANN401  (dataclasses.field is typed the same way)
    return field(
        default=default,
        metadata={"meaning": meaning, "source": source, "allowed": allowed, "low": low},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The switches in force for one run; see `describe` for meaning and source of each.

    Examples
    --------
    >>> Policies.parse({"confirm_days": "42"}).confirm_days
    42.0
    """

    # Which scans and lesions count
    visit_window_days: float = _policy(
        14.0,
        "scans of one reader within this many days of a visit's first scan form one visit; 0: one visit a day",
        OURS,
        low=0,
    )
    baseline_window_start: float = _policy(
        -28.0,
        "first day on which a scan can be the baseline",
        "RECIST 1.1 section 4.1 (as close as possible to, and at most 4 weeks before, treatment start)",
    )
    baseline_window_end: float = _policy(1.0, "last day on which a scan can be the baseline", OURS)
    target_selection: str = _policy(
        "recorded",
        "recorded: targets as the reader chose them; rule: chosen anew by size, organ and measurability",
        RECIST,
        allowed=("recorded", "rule"),
    )
    max_targets: int = _policy(5, "largest number of targets when chosen by rule", RECIST, low=1)
    max_targets_per_organ: int = _policy(
        2, "largest number of targets in one organ when chosen by rule", RECIST, low=1
    )
    min_target_mm: float = _policy(10.0, "smallest measurable non-nodal lesion", RECIST, low=0)
    min_node_mm: float = _policy(15.0, "smallest short axis of a measurable node", RECIST, low=0)
    tstm_value: float = _policy(5.0, "millimetres that a target too small to measure counts", RECIST, low=0)
    tstm_use_slice: bool = _policy(
        False, "a target too small to measure counts the slice thickness where that is larger", RECIST
    )
    pd_on_partial_sum: bool = _policy(
        True,
        "targets that were evaluated can show progression although others were not",
        "derivation of pharmaversesdtm::rs_onco_recist",
    )
    ne_updates_nadir: bool = _policy(False, "an incomplete sum can become the nadir", OURS)
    nadir_includes_baseline: bool = _policy(True, "the baseline sum can be the nadir", RECIST)
    # Response at a visit
    continuing_pr: bool = _policy(
        True,
        "after PR later visits stay PR until PD or CR",
        "RECIST working group, recist.eortc.org FAQ on managing PR",
    )
    reappearance_rule: str = _policy(
        "after_cr",
        "a lesion that vanished and returns is progression: after_cr (only when overall CR stood at the previous assessment), always, never (only through the sum)",
        RECIST,
        allowed=("after_cr", "always", "never"),
    )
    nadir_zero: str = _policy(
        "cr_rule",
        "a sum above 0 after a nadir of 0, which has no percentage: cr_rule (progression only as reappearance_rule says), progression (progression wherever the rise is large enough in millimetres)",
        "RECIST working group, recist.eortc.org, on reappearing lesions; the other value is a convention of hccresist",
        allowed=("cr_rule", "progression"),
    )
    mrecist_5mm_floor: bool = _policy(False, "mRECIST progression also needs a rise of 5 mm", MRECIST)
    mrecist_new_lesion_mm: float = _policy(
        10.0, "smallest new intrahepatic lesion that counts for mRECIST", MRECIST, low=0
    )
    mrecist_hilar_node_mm: float = _policy(
        20.0, "smallest short axis of a malignant porta hepatis node for mRECIST", MRECIST, low=0
    )
    new_node_mm: float = _policy(10.0, "smallest short axis of a new node", RECIST, low=0)
    irecist_min_days: float = _policy(
        28.0, "days from unconfirmed to confirmed progression, at least", IRECIST, low=0
    )
    irecist_warn_days: float = _policy(
        56.0, "a confirmation later than this many days after iUPD is marked in the reason", IRECIST, low=0
    )
    irecist_unconfirmed: str = _policy(
        "event",
        "an iUPD that is never confirmed and never followed by iSD, iPR or iCR: event (progression at its first day) or ignore",
        IRECIST,
        allowed=("event", "ignore"),
    )
    responses: str = _policy(
        "measured",
        "measured: from lesions or sums, recorded responses only where neither exists; given: recorded responses are taken as they are",
        OURS,
        allowed=("measured", "given"),
    )
    # Best response
    sd_min_days: float = _policy(
        42.0,
        "days from which SD and NON-CR/NON-PD count for the best response",
        "common protocol choice; admiralonco default events",
        low=0,
    )
    sd_min_reference: str = _policy(
        "start",
        "sd_min_days is counted from start of treatment or from the baseline scan",
        OURS,
        allowed=("start", "baseline"),
    )
    confirm_days: float = _policy(28.0, "days after which a repeat confirms CR or PR", RECIST, low=0)
    confirmation_window_max: float = _policy(
        0.0, "days within which the repeat must come; 0: no limit", OURS, low=0
    )
    max_ne: int = _policy(
        1, "NE visits tolerated between response and confirmation", "admiralonco 1.0 event_joined", low=0
    )
    accept_one_sd: bool = _policy(
        False, "one SD visit is tolerated between PR and its confirmation", "admiralonco 1.0 accept_sd"
    )
    cr_then_pr: str = _policy(
        "break",
        "CR followed by PR: break (does not confirm, SD or NE by date), table3 (SD if the minimum interval is met, else PD), pd (progression)",
        "RECIST 1.1 Table 3 (from memory); admiralonco 1.0",
        allowed=("break", "table3", "pd"),
    )
    # Dates and events
    pd_date: str = _policy(
        "last",
        "progression by sum in a visit of several scans is dated at its first or last scan",
        FDA,
        allowed=("first", "last"),
    )
    date_imputation: str = _policy(
        "first",
        "a partial date is read as the first, last or middle day of what it leaves open",
        OURS,
        allowed=("first", "last", "mid"),
    )
    new_therapy: str = _policy(
        "censor",
        "new anti-cancer therapy before progression: censor at the last assessment before it, or ignore it",
        FDA,
        allowed=("censor", "ignore"),
    )
    missed_visits_to_censor: int = _policy(
        2,
        "progression or death after this many missed planned visits is censored at the last assessment; 0: never; needs a visit grid in study.toml",
        FDA,
        low=0,
    )
    curative_procedure: str = _policy(
        "censor",
        "transplant or curative resection during follow-up: censor, event or ignore",
        OURS,
        allowed=("censor", "event", "ignore"),
    )
    cbr_min_days: float = _policy(
        168.0, "days for which SD must last to be clinical benefit", "common choice of 24 weeks", low=0
    )
    denominator: str = _policy(
        "all",
        "denominator of rates: all patients, those measurable at baseline, or those with an evaluable visit",
        FDA,
        allowed=("all", "measurable", "evaluable"),
    )
    primary_reader: str = _policy(
        "",
        "reader whose results lead the report: a name, 'accepted' (marked by the study), 'adjudicated' (third reader where the first two differ); empty: every reader side by side",
        OURS,
    )
    # Resistance
    resistance_criterion: str = _policy(
        "recist11",
        "criterion whose best response and progression decide on resistance; where it was not assessed, the first that was",
        OURS,
    )
    resistance_min_days: float = _policy(
        42.0,
        "exposure, in days, below which progression is not called resistance",
        "SITC 2020, doi:10.1136/jitc-2019-000398, Table 1 (6 weeks)",
        low=0,
    )
    resistance_acquired_days: float = _policy(
        182.625,
        "SD that lasts longer than this before progression is acquired, not primary, resistance",
        "SITC 2020, doi:10.1136/jitc-2019-000398, Table 1 (6 months)",
        low=0,
    )
    resistance_short_response: str = _policy(
        "acquired",
        "CR or PR lost before resistance_acquired_days: acquired or primary (SITC names neither)",
        "Schoenfeld 2021, doi:10.1016/j.annonc.2021.08.2151 (an objective response makes it acquired)",
        allowed=("acquired", "primary"),
    )
    resistance_after_stop_days: float = _policy(
        84.0,
        "progression up to this many days after the last dose is judged as if under treatment",
        "SITC 2020 as applied, doi:10.1136/jitc-2019-000398 (12 weeks, seen in later uses)",
        low=0,
    )
    resistance_confirmation: str = _policy(
        "where_assessed",
        "progression must be confirmed at least confirm_days later: required, where_assessed (a later scan without progression takes it back), waived",
        "SITC 2020, doi:10.1136/jitc-2019-000398, Table 1 asks for 4 weeks; the default is ours",
        allowed=("required", "where_assessed", "waived"),
    )
    # Growth and markers
    hpd_month_length: float = _policy(
        30.4375,
        "days in a month of growth rates (365.25/12)",
        "Champiat 2017, doi:10.1158/1078-0432.CCR-16-1741",
        low=1,
    )
    hpd_reference_scan_window: float = _policy(
        84.0,
        "days before baseline within which a scan serves as pre-treatment reference for growth",
        OURS,
        low=1,
    )
    child_pugh_albumin_cut: float = _policy(
        2.8,
        "g/dL below which albumin scores 3 points in Child-Pugh (some tables print 3.0)",
        "Pugh 1973, doi:10.1002/bjs.1800600817",
        low=0,
    )
    units: str = _policy(
        "strict",
        "strict: a laboratory value without unit is refused where two units are plausible; conventional: it is read in the test's conventional unit",
        OURS,
        allowed=("strict", "conventional"),
    )

    @classmethod
    def parse(cls, values: Mapping[str, object], base: Policies | None = None) -> Policies:
        """Return policies with named values replaced, each checked.

        Parameters
        ----------
        values
            Policy names and values; text is read as the policy's own type.
        base
            Policies to start from; the defaults if not given.

        Raises
        ------
        ConfigError
            For an unknown name, a value of the wrong type, or one that is not allowed. All
            problems are told at once.
        """
        known = {info.name: info for info in describe()}
        parsed: dict[str, Value] = {}
        problems: list[str] = []
        for name, value in values.items():
            if name not in known:
                problems.append(f"There is no policy '{name}'. {nearest(name, list(known))}".strip())
                continue
            try:
                parsed[name] = _read(value, known[name])
            except ValueError as error:
                problems.append(f"Policy {name}: {error}")
        if problems:
            problems.append("'hccresist policies' lists every policy with its values.")
            raise ConfigError("\n".join(problems))
        return replace(base or cls(), **parsed)  # pyright: ignore[reportArgumentType]

    def values(self) -> dict[str, Value]:
        """Return name and value of every policy in force."""
        return asdict(self)


def _read(value: object, info: PolicyInfo) -> Value:
    text, default = str(value).strip(), info.default
    if isinstance(default, bool):
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in words:
            msg = f"{text!r} is not true or false."
            raise ValueError(msg)
        return words[text.lower()]
    if isinstance(default, str):
        if info.allowed and text not in info.allowed:
            msg = f"{text!r} is not one of {', '.join(info.allowed)}. {nearest(text, info.allowed)}".strip()
            raise ValueError(msg)
        return text
    return _number(text, default, info.low)


def _number(text: str, default: int | float, low: float | None) -> int | float:
    kind = int if isinstance(default, int) else float
    try:
        number = kind(text)
    except ValueError:
        msg = f"{text!r} is not {'a whole number' if kind is int else 'a number'}."
        raise ValueError(msg) from None
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124  (NaN)
        msg = f"{text!r} is not a finite number."
        raise ValueError(msg)
    if low is not None and number < low:
        msg = f"{text} is below {low:g}, the smallest value allowed."
        raise ValueError(msg)
    return number


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """What a policy is: name, default, meaning, allowed words (empty: any of the type), source, lowest value."""

    name: str
    default: Value
    meaning: str
    allowed: tuple[str, ...]
    source: str
    low: float | None


def describe() -> Iterator[PolicyInfo]:
    """Yield every policy in the order of the flow."""
    for item in fields(Policies):
        meta = item.metadata
        yield PolicyInfo(
            item.name,
            cast("Value", item.default),
            meta["meaning"],
            meta["allowed"],
            meta["source"],
            meta["low"],
        )
