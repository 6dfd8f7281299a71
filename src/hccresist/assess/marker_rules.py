"""Published response rules of AFP and DCP, as records. A rule of one's own is one more record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hccresist.assess.marker_definitions import Definition, Reading

RESPONDER: Final = "responder"
NON_RESPONDER: Final = "non_responder"

EACH: Final = "each"
WINDOW: Final = "window"
FIRST_EVALUATION: Final = "first_evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A verdict and the change from baseline that it takes.

    Attributes
    ----------
    verdict
        What is said when the cut is met.
    operator
        ``<=``, ``<`` or ``>=``.
    percent
        Change from baseline in per cent, negative for a fall.
    """

    verdict: str
    operator: str
    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Days from start of treatment in which a measurement serves, and the day aimed at."""

    aim: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRule:
    """A rule on the change of one tumour marker from baseline.

    Attributes
    ----------
    definition
        Name, source and verification.
    test
        Laboratory test.
    cuts
        Tried in order; the first that is met gives the verdict.
    otherwise
        Verdict when none is met.
    baseline_min
        The baseline must be at least this, in the unit of the test.
    when
        `EACH`: every value after the baseline has a verdict; `WINDOW`: the value nearest to `window.aim`;
        `FIRST_EVALUATION`: the value nearest to the first visit after baseline.
    window
        For `WINDOW`.
    """

    definition: Definition
    test: str
    cuts: tuple[Cut, ...]
    otherwise: str = NON_RESPONDER
    baseline_min: float | None = None
    when: str = EACH
    window: Window | None = None


def around(aim: float) -> Window:
    """Return a window of a quarter of the time to either side, at least a week: our choice.

    Examples
    --------
    >>> around(42.0)
    Window(aim=42.0, low=31.5, high=52.5)
    """
    away = max(7.0, aim / 4.0)
    return Window(aim=aim, low=aim - away, high=aim + away)


EVALUATION_DAYS: Final = 14.0
"""Days to either side of the first evaluation in which a value serves: our choice."""

_WINDOW_IS_OURS: Final = "the days to either side of the printed time are our choice"
_EACH_IS_OURS: Final = "the text seen names no time: every value after baseline has a verdict (our choice)"
_FIRST_IS_OURS: Final = "the 14 days to either side of the first evaluation are our choice"
_ABSTRACT: Final = "seen in the abstract"

_HSU: Final = "doi:10.1007/s10637-022-01303-w"
_ZHU: Final = "doi:10.1158/1078-0432.CCR-21-3275"
_MEMON: Final = "doi:10.1016/j.jhep.2011.11.020"
_REAL_LIFE: Final = "PMC9939088"
_PD1: Final = "doi:10.1186/s12885-021-08428-w"
_FIFTY: Final = "abstract at discovery.researcher.life (biomarkers in response)"
_DURVA: Final = "PMC11423983"
_NIVO: Final = "PMID 34094688"
_SORA: Final = "doi:10.2147/JHC.S79353"
_ATEZO_DYNAMIC: Final = "doi:10.3390/cancers17243891"


def _rule(
    marker: str,
    title: str,
    cut: Cut,
    *,
    source: str,
    seen: str,
    rule: str,
    verification: str = "verified",
    readings: tuple[Reading, ...] = (),
    otherwise: str = NON_RESPONDER,
    baseline_min: float | None = None,
    when: str = EACH,
    window: Window | None = None,
    more: tuple[Cut, ...] = (),
) -> ChangeRule:
    test = marker.partition("_")[0]
    needs = [f"{test} in the baseline window", f"{test} after it"]
    if baseline_min is not None:
        needs.append(f"baseline at least {baseline_min:g}")
    if when == FIRST_EVALUATION:
        needs.append("day of the first visit after baseline")
    return ChangeRule(
        definition=Definition(
            marker=marker,
            kind="response",
            title=title,
            unit="%",
            needs=tuple(needs),
            rule=rule,
            source=source,
            verification=verification,
            seen=seen,
            readings=readings,
        ),
        test=test,
        cuts=(cut, *more),
        otherwise=otherwise,
        baseline_min=baseline_min,
        when=when,
        window=window,
    )


def _hsu(percent: int, reading: str) -> ChangeRule:
    return _rule(
        f"afp_fall_{percent}_atezo_bev",
        f"AFP fall ≥ {percent} % (atezolizumab–bevacizumab, n = 91)",
        Cut(verdict=RESPONDER, operator="<=", percent=-percent),
        source=_HSU,
        seen=f"as on the project reference page, section 14 (read there as verified); {_EACH_IS_OURS}",
        rule=f"fall of AFP ≥ {percent} % from a baseline ≥ 10 ng/mL",
        baseline_min=10.0,
        readings=(Reading(grade=RESPONDER, text=reading, source=_HSU),) if reading else (),
    )


def _responder(text: str, source: str) -> tuple[Reading, ...]:
    return (Reading(grade=RESPONDER, text=text, source=source),)


def _dynamic(test: str, week: int, percent: float, ratio: str) -> ChangeRule:
    return _rule(
        f"{test}_rise_week{week}_atezo_bev",
        f"{test.upper()} ratio ≥ {ratio} at week {week} (atezolizumab–bevacizumab, n = 147)",
        Cut(verdict="rise", operator=">=", percent=percent),
        otherwise="no_rise",
        source=_ATEZO_DYNAMIC,
        seen=f"{_ABSTRACT}: AFP or DCP, either; here each has its own row. {_WINDOW_IS_OURS}",
        rule=f"{test.upper()} at week {week} over baseline ≥ {ratio}",
        when=WINDOW,
        window=around(7.0 * week),
        readings=(
            Reading(
                grade="rise",
                text=(
                    "a rise of AFP or DCP at week 3: median PFS 3.4 against 13.1 months"
                    if week == 3
                    else "after control at week 6, a rise at week 9: median PFS 3.8 against 14.0 months"
                ),
                source=_ATEZO_DYNAMIC,
            ),
        ),
    )


RULES: Final[tuple[ChangeRule, ...]] = (
    _hsu(20, "tied to disease control"),
    _hsu(50, "tied to objective response"),
    _hsu(75, ""),
    _rule(
        "afp_week6_response",
        "AFP fall ≥ 75 % at 6 weeks (GO30140, IMbrave150)",
        Cut(verdict=RESPONDER, operator="<=", percent=-75.0),
        source=_ZHU,
        seen=f"{_ABSTRACT}; {_WINDOW_IS_OURS}",
        rule="fall of AFP ≥ 75 % at 6 weeks",
        when=WINDOW,
        window=around(42.0),
        readings=_responder(
            "responders by RECIST 1.1 in IMbrave150: sensitivity 0.59, specificity 0.86", _ZHU
        ),
    ),
    _rule(
        "afp_week6_control",
        "AFP rise ≤ 10 % at 6 weeks (GO30140, IMbrave150)",
        Cut(verdict="disease_control", operator="<=", percent=10.0),
        otherwise="no_disease_control",
        source=_ZHU,
        seen=f"{_ABSTRACT}; {_WINDOW_IS_OURS}",
        rule="AFP at most 10 % above baseline at 6 weeks",
        when=WINDOW,
        window=around(42.0),
        readings=(
            Reading(
                grade="disease_control",
                text="disease control by RECIST 1.1 in IMbrave150: sensitivity 0.77, specificity 0.44",
                source=_ZHU,
            ),
        ),
    ),
    _rule(
        "afp_fall_50_locoregional",
        "AFP fall > 50 % from ≥ 200 ng/mL (transarterial treatment, n = 51)",
        Cut(verdict=RESPONDER, operator="<", percent=-50.0),
        source=_MEMON,
        seen=f"{_ABSTRACT} (PMC3328660), single tumours; {_EACH_IS_OURS}",
        rule="fall of AFP of more than 50 % from a baseline ≥ 200 ng/mL",
        baseline_min=200.0,
        readings=_responder(
            "at three months kappa 0.83 with EASL response; sensitivity 96.6 %, specificity 85.7 %",
            _MEMON,
        ),
    ),
    _rule(
        "afp_fall_30_first_evaluation",
        "AFP fall ≥ 30 % at first evaluation (atezolizumab–bevacizumab, n = 121)",
        Cut(verdict=RESPONDER, operator="<=", percent=-30.0),
        source=_REAL_LIFE,
        seen=f"{_ABSTRACT}; {_FIRST_IS_OURS}",
        rule="fall of AFP ≥ 30 % at the first response evaluation",
        when=FIRST_EVALUATION,
        readings=_responder("objective response in 42.6 % against 21.5 %", _REAL_LIFE),
    ),
    _rule(
        "dcp_fall_50_first_evaluation",
        "DCP fall ≥ 50 % at first evaluation (atezolizumab–bevacizumab, n = 121)",
        Cut(verdict=RESPONDER, operator="<=", percent=-50.0),
        source=_REAL_LIFE,
        seen=f"{_ABSTRACT}; {_FIRST_IS_OURS}",
        rule="fall of DCP ≥ 50 % at the first response evaluation",
        when=FIRST_EVALUATION,
        readings=_responder("objective response in 50.0 % against 26.2 %", _REAL_LIFE),
    ),
    _rule(
        "afp_fall_50_anti_pd1",
        "AFP fall > 50 % (anti-PD-1, n = 235)",
        Cut(verdict=RESPONDER, operator="<", percent=-50.0),
        source=_PD1,
        seen=f"{_ABSTRACT}; {_EACH_IS_OURS}",
        rule="fall of AFP of more than 50 %",
        readings=_responder("more objective responses (P < 0.001), longer PFS and OS", _PD1),
    ),
    _rule(
        "dcp_fall_50_anti_pd1",
        "DCP fall > 50 % (anti-PD-1, n = 235)",
        Cut(verdict=RESPONDER, operator="<", percent=-50.0),
        source=_PD1,
        seen=f"{_ABSTRACT}; {_EACH_IS_OURS}",
        rule="fall of DCP of more than 50 %",
        readings=_responder("more objective responses (P = 0.003), longer PFS and OS", _PD1),
    ),
    _rule(
        "dcp_50_50",
        "DCP 50–50 rule (systemic treatment, 116 assessments)",
        Cut(verdict="regression", operator="<=", percent=-50.0),
        more=(Cut(verdict="progression", operator=">=", percent=50.0),),
        otherwise="stable",
        source=_FIFTY,
        seen=(
            f"{_ABSTRACT}: made in HCC that secretes no AFP, after 8 to 12 weeks; "
            "what 'no AFP' means in ng/mL was not seen, so every patient with DCP has a row"
        ),
        rule="fall of DCP ≥ 50 %: regression; rise ≥ 50 %: progression; else stable; at 8 to 12 weeks",
        when=WINDOW,
        window=Window(aim=70.0, low=56.0, high=84.0),
        readings=(
            Reading(grade="regression", text="imaging showed objective response in 71.0 %", source=_FIFTY),
            Reading(grade="stable", text="imaging showed stable disease in 50.0 %", source=_FIFTY),
            Reading(grade="progression", text="imaging showed progression in 83.7 %", source=_FIFTY),
        ),
    ),
    _rule(
        "afp_fall_10_durva_treme",
        "AFP fall ≥ 10 % at 4 weeks (durvalumab–tremelimumab, n = 110)",
        Cut(verdict=RESPONDER, operator="<=", percent=-10.0),
        source=_DURVA,
        seen=f"{_ABSTRACT}; {_WINDOW_IS_OURS}",
        rule="fall of AFP ≥ 10 % at 4 weeks",
        when=WINDOW,
        window=around(28.0),
        readings=_responder("objective response: odds ratio 6.023 (p = 0.042)", _DURVA),
    ),
    _rule(
        "dcp_fall_10_durva_treme",
        "DCP fall ≥ 10 % at 4 weeks (durvalumab–tremelimumab, n = 110)",
        Cut(verdict=RESPONDER, operator="<=", percent=-10.0),
        source=_DURVA,
        seen=f"{_ABSTRACT}; {_WINDOW_IS_OURS}",
        rule="fall of DCP ≥ 10 % at 4 weeks",
        when=WINDOW,
        window=around(28.0),
        readings=_responder("objective response: odds ratio 11.657 (p = 0.006)", _DURVA),
    ),
    _rule(
        "afp_fall_20_sorafenib",
        "AFP fall > 20 % at 6 to 8 weeks (sorafenib, n = 126)",
        Cut(verdict=RESPONDER, operator="<", percent=-20.0),
        source=_SORA,
        seen=_ABSTRACT,
        rule="fall of AFP of more than 20 % at 6 to 8 weeks",
        when=WINDOW,
        window=Window(aim=49.0, low=42.0, high=56.0),
        readings=_responder(
            "stable disease or response in 72.1 % against 47.0 %; median OS 10.9 against 5.2 months", _SORA
        ),
    ),
    _dynamic("afp", 3, 40.0, "1.4"),
    _dynamic("dcp", 3, 0.0, "1.0"),
    _dynamic("afp", 9, 10.0, "1.1"),
    _dynamic("dcp", 9, 50.0, "1.5"),
)
"""Every rule on the change of one marker. Adding one touches this list only."""

FIFTY_TEN: Final = Definition(
    marker="afp_50_10_nivolumab",
    kind="response",
    title="AFP 50–10 rule (nivolumab, n = 90)",
    unit="%",
    needs=("afp in the baseline window", "afp at week 4", "afp at week 12 for classes II and III"),
    rule=(
        "week 4: fall ≥ 50 %: class I; rise ≥ 50 %: class IV; between, by week 12: fall ≥ 10 %: class II, "
        "else class III; I and II are responders"
    ),
    source=_NIVO,
    verification="verified",
    seen=(
        f"{_ABSTRACT}; its words 'later decreased to ≥ 10 % of baseline' are read as a fall of at least "
        f"10 %; {_WINDOW_IS_OURS}"
    ),
    readings=(
        Reading(grade="I", text="objective response in 47.4 %", source=_NIVO),
        Reading(grade="II", text="objective response in 36.0 %", source=_NIVO),
        Reading(grade="III", text="objective response in 7.7 %", source=_NIVO),
        Reading(grade="IV", text="objective response in 5.0 %", source=_NIVO),
        Reading(
            grade=RESPONDER,
            text="I and II against III and IV: median OS not reached and 9.6 months, PFS 9.6 and 2.8",
            source=_NIVO,
        ),
    ),
)

WEEK_4: Final = around(28.0)
WEEK_12: Final = around(84.0)
