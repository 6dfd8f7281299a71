"""Read a virtual trial from TOML, or find a shipped one by the name of its trial.

::

    name = "my trial"
    replicates = 200

    [eligibility]
    afp = [400, inf]

    [visits]
    every = 42
    until = 364
    then = 84

    [[arms]]
    name = "lenvatinib"
    n = 100
    [[arms.drugs]]
    regimen = "lenvatinib_12"
    light_kg = 60
    light_factor = 0.667

    [[arms]]
    name = "placebo"
    n = 100
    control = true
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from hccresist.errors import ConfigError
from hccresist.outcomes.published import fold_drug
from hccresist.overcome.dosing import find_regimen
from hccresist.overcome.plan import KINDS
from hccresist.overcome.population import AETIOLOGIES, find_handle_values
from hccresist.overcome.reading import READING_SD
from hccresist.overcome.trial_endpoints import ENDPOINTS
from hccresist.overcome.trial_spec import (
    BASELINE_DAYS,
    CRITERIA,
    PROGRESSION,
    RANGES,
    SHARES,
    YES_OR_NO,
    Arm,
    DrugPlan,
    Eligibility,
    FollowUp,
    ProcedurePlan,
    Spec,
    Visits,
)
from hccresist.overcome.trial_toml import Table, is_number, is_range, parse_toml
from hccresist.study.issues import IssueLog

MOST_PATIENTS: Final = 100_000
MOST_DAYS: Final = 7300.0
MOST_SIZE: Final = 100
"""Size of a handle at most, as a multiple of the typical one."""
_BYTES: Final = 1_000_000


def read_spec(path: Path) -> Spec:
    """Read a virtual trial from a TOML file.

    Raises
    ------
    InputError
        With every problem of the file, each with its line.
    ConfigError
        Where the file is not there or cannot be read.
    """
    try:
        if path.stat().st_size > _BYTES:
            message = f"{path} is larger than a million bytes: no trial"
            raise ConfigError(message)
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        message = f"{path} is not UTF-8 text"
        raise ConfigError(message) from None
    except OSError as error:
        message = f"{path}: {error.strerror or 'cannot be read'}"
        raise ConfigError(message) from error
    return parse_spec(text, file=path.name)


def parse_spec(text: str, *, file: str = "trial.toml") -> Spec:
    """Read a virtual trial from the text of a TOML file; as `read_spec`."""
    log = IssueLog()
    root = parse_toml(text, file=file, log=log)
    spec = None if root is None else _read(root)
    log.raise_if_errors()
    if spec is None:  # the log holds an error wherever there is no content
        message = f"{file} cannot be read"
        raise ConfigError(message)
    return spec


def _read(root: Table) -> Spec:
    """Read all entries; the log hears of what is wrong."""
    name = root.text("name")
    if not name:
        root.tell("name", "the trial has no name", hint='Write name = "my trial".')
    visits, follow_up = _visits(root.table("visits")), _follow_up(root.table("follow_up"))
    if visits.every > follow_up.longest:
        root.tell("visits", "there is no scan within the follow-up", found=f"every {visits.every:g} days")
    reading = root.table("assessor")
    spec = Spec(
        name=name,
        arms=_arms(root, name),
        title=root.text("title"),
        line=root.text("line"),
        note=root.text("note"),
        eligibility=_eligibility(root.table("eligibility")),
        mix=_mix(root.table("mix")),
        handles=_handles(root.table("handles")),
        mixed=root.flag("mixed", default=True),
        visits=visits,
        follow_up=follow_up,
        reading_sd=reading.number("sd", READING_SD, high=1.0),
        assessor=reading.text("name", "independent"),
        progression=reading.word("progression", tuple(CRITERIA), "recist11"),
        criteria=root.words("criteria", tuple(CRITERIA), tuple(CRITERIA)) or tuple(CRITERIA),
        confirmed=root.flag("confirmed", default=True),
        endpoints=root.words("endpoints", ENDPOINTS),
        replicates=root.whole("replicates", 200, low=1, high=100_000),
        seed=root.whole("seed", 0, high=2**32 - 1),
    )
    reading.finish()
    root.finish()
    return spec


def _visits(table: Table) -> Visits:
    every = table.number("every", 56.0, low=1.0, high=MOST_DAYS)
    visits = Visits(
        every=every,
        until=table.number("until", 365.0, low=0.0, high=MOST_DAYS),
        then=table.number("then", every, low=1.0, high=MOST_DAYS),
        after_stop=table.whole("after_stop", 0, high=1000),
        baseline=table.number("baseline", BASELINE_DAYS, low=0.0, high=BASELINE_DAYS),
    )
    table.finish()
    return visits


def _follow_up(table: Table) -> FollowUp:
    given = "dropout_per_year" in table.content
    rate = table.number("dropout_per_year", 0.0, high=10.0)
    found = FollowUp(
        days=table.number("days", 730.0, low=1.0, high=MOST_DAYS / 2),
        accrual_days=table.number("accrual_days", 0.0, high=MOST_DAYS / 2),
        dropout_per_year=rate if given else None,
    )
    table.finish()
    return found


def _eligibility(table: Table) -> Eligibility:
    traits = {name: table.flag(name, default=False) for name in YES_OR_NO}
    ranges = {
        name: table.take(name, is_range, f"[lowest, highest] ({unit})", default=None)
        for name, unit in RANGES.items()
    }
    found = Eligibility(
        traits={name: value for name, value in traits.items() if name in table.content},
        ranges={name: (float(pair[0]), float(pair[1])) for name, pair in ranges.items() if pair},
        aetiology=table.words("aetiology", AETIOLOGIES),
        handles_on=_handle_names(table, "handles_on"),
        handles_off=_handle_names(table, "handles_off"),
    )
    both = sorted(set(found.handles_on) & set(found.handles_off))
    if both:
        table.tell("handles_off", f"{', '.join(both)} must be both on and off: nobody is eligible")
    table.finish()
    return found


def _handle_names(table: Table, key: str) -> tuple[str, ...]:
    names = table.take(key, lambda v: isinstance(v, list), "a list of handles", default=[])
    return tuple(str(name) for name in names if _is_handle(table, key, str(name), 1.0))


def _is_handle(table: Table, key: str, name: str, size: float) -> bool:
    try:
        find_handle_values({name: size})
    except ConfigError as error:
        table.tell(key, str(error).rstrip("."))
        return False
    return True


def _handles(table: Table) -> dict[str, float]:
    sizes = {
        name: table.take(
            name,
            lambda v: is_number(v) and 0 <= v <= MOST_SIZE,
            f"a number from 0 to {MOST_SIZE}",
            default=0.0,
        )
        for name in table.content
    }
    return {name: float(size) for name, size in sizes.items() if _is_handle(table, name, name, float(size))}


def _mix(table: Table) -> dict[str, float]:
    found = {name: table.number(name, 0.0, high=1.0) for name in SHARES}
    if found["hbv"] + found["hcv"] > 1.0 + 1e-9:
        table.tell("hcv", "hbv and hcv make more than all patients", found=found["hbv"] + found["hcv"])
    table.finish()
    return {name: share for name, share in found.items() if name in table.content}


def _arms(root: Table, trial: str) -> tuple[Arm, ...]:
    """Read the arms; those with a ratio share the trial's patients."""
    tables = root.tables("arms")
    total = root.whole("n", 0, low=0, high=MOST_PATIENTS)
    if not tables:
        root.tell(
            "arms", "the trial has no arm", hint='Write [[arms]] and below it name = "placebo" and n = 100.'
        )
    ratios = [table.number("ratio", 1.0, above=True, high=1000.0) for table in tables]
    sizes = share_out(total, ratios)
    arms = [_arm(table, trial, n=sizes[k], total=total) for k, table in enumerate(tables)]
    for key, count in Counter(arm.arm_id for arm in arms).items():
        if count > 1:
            root.tell(
                "arms", f"{count} arms are called {key!r}", hint="Give each a name, or an arm_id, of its own."
            )
    if sum(arm.control for arm in arms) > 1:
        root.tell("arms", "more than one arm is the control", hint="Write control = true in one arm.")
    return tuple(sorted(arms, key=lambda arm: arm.arm_id))


def share_out(total: int, ratios: Sequence[float]) -> list[int]:
    """Share patients among arms by ratio, the largest remainder first.

    Examples
    --------
    >>> share_out(300, [2, 1])
    [200, 100]
    """
    whole = sum(ratios) or 1.0
    exact = [total * ratio / whole for ratio in ratios]
    sizes = [int(size) for size in exact]
    order = sorted(range(len(exact)), key=lambda k: (sizes[k] - exact[k], -ratios[k], k))
    for k in order[: total - sum(sizes)]:
        sizes[k] += 1
    return sizes


def _arm(table: Table, trial: str, *, n: int, total: int) -> Arm:
    name = table.text("name")
    if not name:
        table.tell("name", "the arm has no name", hint='Write name = "sorafenib".')
    if ("n" in table.content) == bool(total):
        hint = "Give n in each arm; or n of the trial, and ratio in each arm."
        table.tell("n", "the number of patients stands twice or not at all", hint=hint)
    if "ratio" in table.content and not total:
        table.tell("ratio", "a ratio needs n of the trial", hint="Write n = 300 at the top.")
    own = table.whole("n", 1, low=1, high=MOST_PATIENTS)
    arm = Arm(
        name=name,
        arm_id=table.text("arm_id") or _make_id(f"{trial}_{name}"),
        n=n if total else own,
        control=table.flag("control", default=False),
        stop_at_progression=table.flag("stop_at_progression", default=True),
        beyond_visits=table.whole("beyond_visits", 0, high=100),
        drugs=tuple(_drug(each) for each in table.tables("drugs")),
        procedures=tuple(_procedure(each) for each in table.tables("procedures")),
        prior_intolerant=table.number("prior_intolerant", 0.0, high=1.0),
        prior=_find_regimens(table, "prior", table.texts("prior")),
        eligibility=_eligibility(table.table("eligibility")),
    )
    _check_arm(table, arm)
    table.finish()
    return arm


def _make_id(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")


def _check_arm(table: Table, arm: Arm) -> None:
    """Tell what does not go together."""
    for after in (False, True):
        chosen = sum(d.share for d in arm.drugs if d.after_progression == after and d.share < 1.0)
        if chosen > 1.0 + 1e-9:
            table.tell("drugs", "alternatives are given to more than all patients", found=f"{chosen:g}")
    if any(drug.after_progression for drug in arm.drugs) and not arm.stop_at_progression:
        hint = "Leave stop_at_progression out, or give drugs by day."
        table.tell("stop_at_progression", "drugs after progression need a stop at progression", hint=hint)
    if arm.arm_id == "all":
        table.tell("name", "'all' is the name of the group of all patients", hint="Give another name.")


def _drug(table: Table) -> DrugPlan:
    after = table.content.get("start") == PROGRESSION
    start = table.take(
        "start",
        lambda v: v == PROGRESSION or (is_number(v) and 0 <= v <= MOST_DAYS),
        'a day from 0, or "progression"',
        default=0.0,
    )
    delay = table.number("delay_days", 0.0, high=MOST_DAYS)
    if delay and not after:
        table.tell("delay_days", 'a delay belongs to start = "progression"')
    first = delay if after else float(start)
    length = table.number("for_days", float("inf"), above=True)
    until = table.number("until", float("inf"), above=True)
    if length < float("inf") and until < float("inf"):
        table.tell("for_days", "for_days and until both say when the drug ends")
    end = min(until, first + length)
    if end <= first:
        table.tell(
            "until", "the drug ends before it starts", found=f"{end:g}", expected=f"more than {first:g}"
        )
    plan = DrugPlan(
        regimens=_regimens(table),
        after_progression=after,
        start=first,
        until=end,
        intensity=table.number("intensity", 1.0, high=100.0),
        light_kg=table.number("light_kg", 0.0, high=500.0),
        light_factor=table.number("light_factor", 1.0, high=10.0),
        share=table.number("share", 1.0, above=True, high=1.0),
        liver_min=table.number("liver_min", 0.0, high=1.0),
        lives_min=table.number("lives_min", 0.0, high=1.0),
        every=table.number("every", 0.0, high=MOST_DAYS),
        times=table.whole("times", 1, low=1, high=50),
        missed=table.number("missed", 0.0, high=0.99),
    )
    _check_repeats(table, every=plan.every, times=plan.times)
    table.finish()
    return plan


def _regimens(table: Table) -> tuple[str, ...]:
    """Regimens of an entry such as ``atezolizumab+bevacizumab``."""
    text = table.text("regimen")
    if not text:
        table.tell("regimen", "there is no regimen", hint='Write regimen = "sorafenib".')
    return _find_regimens(table, "regimen", text.split("+") if text else ())


def _find_regimens(table: Table, key: str, names: Sequence[str]) -> tuple[str, ...]:
    """Regimens by name, or by their drug's name; those that are not known are told."""
    found = list[str]()
    for name in names:
        try:
            found.append(find_regimen(name.strip().lower()).regimen)
        except ConfigError as error:
            table.tell(key, str(error).rstrip("."))
    return tuple(found)


def _procedure(table: Table) -> ProcedurePlan:
    known = table.take("kind", lambda v: v in KINDS, f"one of {', '.join(KINDS)}", default=None)
    if known is None and "kind" not in table.content:
        table.tell("kind", "the procedure has no kind", hint='Write kind = "tace".')
    plan = ProcedurePlan(
        kind=known or KINDS[0],
        day=table.number("day", 0.0, high=MOST_DAYS),
        every=table.number("every", 0.0, high=MOST_DAYS),
        times=table.whole("times", 1, low=1, high=50),
        lesion=table.take("lesion", lambda v: v in ("all", "largest"), "all or largest", default="all"),
    )
    _check_repeats(table, every=plan.every, times=plan.times)
    table.finish()
    return plan


def _check_repeats(table: Table, *, every: float, times: int) -> None:
    if times > 1 and not every:
        table.tell("times", "repeats need the days between them", hint="Write every = 28.")


@cache
def list_shipped() -> Mapping[str, str]:
    """Name of each shipped trial to its TOML text, sorted by name."""
    folder = files("hccresist") / "data" / "overcome" / "trials"
    texts = [each.read_text(encoding="utf-8") for each in folder.iterdir() if each.name.endswith(".toml")]
    named = {_name_in(text): text for text in texts}
    return dict(sorted(named.items(), key=lambda item: item[0].casefold()))


def _name_in(text: str) -> str:
    found = re.search(r'^name = "(.*)"$', text, flags=re.MULTILINE)
    return found.group(1) if found else ""


def find_spec(given: str) -> Spec:
    """Read the trial that a word means: a TOML file, or the name of a shipped trial in any spelling.

    Raises
    ------
    ConfigError
        Where there is no such file and no such trial; the nearest names are told.
    InputError
        With every problem of the file.
    """
    path = Path(given)
    if path.suffix.lower() == ".toml" or path.is_file():
        return read_spec(path)
    shipped = {fold_drug(name): name for name in list_shipped()}
    folded = fold_drug(given)
    begins = [name for key, name in shipped.items() if folded and key.startswith(folded)]
    if folded in shipped or len(begins) == 1:
        name = shipped.get(folded) or begins[0]
        return parse_spec(list_shipped()[name], file=name)
    close = begins or [shipped[key] for key in get_close_matches(folded, list(shipped), n=3, cutoff=0.5)]
    hint = f"Did you mean {' or '.join(close)}?" if close else "'hccresist trial --list' shows them."
    message = f"no trial {given!r} is shipped, and no such file is there. {hint}"
    raise ConfigError(message)
