"""Read ``study.toml``: what the study is called, how it was planned, and which policies it sets."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from hccresist.errors import ConfigError
from hccresist.study.issues import IssueLog, nearest
from hccresist.study.policies import Policies
from hccresist.study.rows import Place
from hccresist.study.study import StudyConfig

CONFIG_FILE: Final = "study.toml"
MAX_CONFIG_BYTES: Final = 1_000_000
SECTIONS: Final = ("study", "policies", "options")
STUDY_KEYS: Final = (
    "name",
    "title",
    "index_line",
    "simulated",
    "criteria",
    "reference_arm",
    "strata",
    "planned_visit_days",
    "visit_every_days",
    "visit_until_days",
)
OPTION_KEYS: Final = ("delimiter", "decimal", "first_day")
DELIMITERS: Final = {
    ",": ",",
    "comma": ",",
    ";": ";",
    "semicolon": ";",
    "\t": "\t",
    "tab": "\t",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How the text files of a study are written, where that cannot be seen in them.

    Attributes
    ----------
    delimiter
        Character between values; ``None``: recognised in each file.
    decimal
        Decimal mark of numbers.
    first_day
        Number that the tables give to the first day of the index line: 0, or 1 where there is no
        day 0 (study days of CDISC). Days are counted from 0 inside.
    """

    delimiter: str | None = None
    decimal: Literal[".", ","] = "."
    first_day: Literal[0, 1] = 0


def read_config(folder: Path, log: IssueLog) -> StudyConfig:
    """Read what ``study.toml`` says; every problem goes to the log.

    Parameters
    ----------
    folder
        Study folder. Without ``study.toml`` the study has the defaults, the folder's name, and a
        warning says so.
    log
        Hears of unknown sections and keys, wrong values, wrong policies and invalid TOML. An entry
        that cannot be used keeps its default, so that reading goes on and tells all problems.

    Returns
    -------
    StudyConfig
        Name, plan and policies.
    """
    return read_settings(folder, log)[0]


def read_settings(folder: Path, log: IssueLog) -> tuple[StudyConfig, ReadOptions]:
    """Read ``study.toml``: the study's configuration, and how its text files are written.

    Parameters
    ----------
    folder, log
        As in `read_config`.

    Returns
    -------
    tuple[StudyConfig, ReadOptions]
        Both with defaults where the file says nothing.
    """
    folder_name = folder.resolve().name
    place = Place(file=CONFIG_FILE, log=log)
    content, text = _load(folder, place)
    if content is None:
        return StudyConfig(name=folder_name), ReadOptions()
    tell = _Teller(text, place)
    values = {name: _section(content, name, tell) for name in SECTIONS}
    tell.unknown([key for key in content if key not in (*SECTIONS, "criteria")], "section", SECTIONS)
    study, variants = _criteria(content, values["study"], tell)
    config = _study(study, folder_name, tell)
    policies = _policies(values["policies"], tell)
    config = replace(config, policies=policies, variants=variants)
    return config, _options(values["options"], tell)


def _criteria(
    content: Mapping[str, Any], study: dict[str, Any], tell: _Teller
) -> tuple[dict[str, Any], Mapping[str, Mapping[str, object]]]:
    """Return [study] with the criteria wanted, which may stand above it, and the study's own criteria."""
    found = content.get("criteria", {})
    if isinstance(found, dict):
        variants: dict[str, Mapping[str, object]] = {}
        for name, choices in cast("dict[str, Any]", found).items():
            if isinstance(choices, dict):
                variants[name] = MappingProxyType(cast("dict[str, object]", choices))
            else:
                hint = f'Write [criteria.{name}], and below it base = "recist11" and what it changes.'
                tell.value(name, choices, "a section for each criterion of your own", hint)
        return study, MappingProxyType(variants)
    if "criteria" in study:
        tell.value("criteria", found, "criteria in one place", "It also stands in [study].")
        return study, MappingProxyType({})
    return {**study, "criteria": found}, MappingProxyType({})


def _load(folder: Path, place: Place) -> tuple[dict[str, Any] | None, str]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        hint = "The defaults are used, the folder's name is the study's; 'hccresist init' writes a template."
        place.warning("missing-config", f"there is no {CONFIG_FILE}", hint=hint)
        return None, ""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            hint = (
                f"It is larger than a million bytes; 'hccresist init' writes a {CONFIG_FILE} to start from."
            )
            place.error("config-syntax", "this is not a configuration", hint=hint)
            return None, ""
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text.replace("\r\n", "\n")), text
    except OSError as error:
        reason = error.strerror or "the system refused it"
        place.error("unreadable-file", reason, hint="Check the permissions of the file.")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        place.error("encoding", "the text is not UTF-8", line=line, hint="Save it as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        _tell_syntax(str(error), place)
    return None, ""


def _tell_syntax(message: str, place: Place) -> None:
    at = re.search(r"\(at line (\d+), column \d+\)", message)
    problem = re.sub(r"\s*\(at .*\)$", "", message)
    hint = 'Text stands in quotes, for example name = "my study"; each key stands once.'
    place.error(
        "config-syntax",
        f"this is not valid TOML: {problem[:1].lower()}{problem[1:]}",
        line=int(at.group(1)) if at else None,
        hint=hint,
    )


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells problems of ``study.toml`` with the line of the key."""

    text: str
    place: Place

    def line(self, key: str) -> int | None:
        name = rf"[\"']?{re.escape(key)}[\"']?"
        pattern = re.compile(rf"^\s*(?:{name}\s*[=.]|\[+\s*{name}\s*[\].])", flags=re.MULTILINE)
        match = pattern.search(self.text)
        return None if match is None else self.text.count("\n", 0, match.end()) + 1

    def unknown(self, keys: list[str], kind: str, allowed: tuple[str, ...]) -> None:
        for key in keys:
            hint = nearest(key, allowed) or f"Known: {', '.join(allowed)}."
            self.place.error(
                "config-unknown-key",
                f"there is no {kind} '{key}'",
                line=self.line(key),
                column=key,
                hint=hint,
            )

    def value(self, key: str, found: object, expected: str, hint: str) -> None:
        self.place.error(
            "config-value",
            "this cannot be used",
            line=self.line(key),
            column=key,
            found=str(found),
            expected=expected,
            hint=hint,
        )


def _section(content: Mapping[str, Any], name: str, tell: _Teller) -> dict[str, Any]:
    found = content.get(name, {})
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    tell.value(name, found, f"a section [{name}]", f"Write [{name}] on a line of its own, its keys below.")
    return {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_line(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_positive(value: object) -> bool:
    return _is_number(value) and cast("float", value) > 0


def _is_words(value: object) -> bool:
    items = cast("list[object]", value) if isinstance(value, list) else [0]
    return all(isinstance(item, str) and item.strip() for item in items)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_grid(value: object) -> bool:
    items = cast("list[Any]", value) if isinstance(value, list) else [0]
    if not all(_is_positive(item) for item in items):
        return False
    return all(a < b for a, b in pairwise(items))


_STUDY_RULES: Final[dict[str, tuple[Callable[[object], bool], str, str]]] = {
    "name": (_is_word, "text", 'Write name = "my study".'),
    "title": (lambda v: isinstance(v, str), "text", 'Write title = "What the study is about".'),
    "index_line": (_is_line, "a whole number from 0", "Give the line of treatment whose start is day 0."),
    "simulated": (lambda v: isinstance(v, bool), "true or false", "Write simulated = true without quotes."),
    "criteria": (_is_words, "a list of names", 'Write criteria = ["recist11", "mrecist"].'),
    "reference_arm": (_is_word, "the name of an arm", 'Write reference_arm = "placebo".'),
    "strata": (_is_words, "a list of columns of patients", 'Write strata = ["region", "aetiology"].'),
    "planned_visit_days": (
        _is_grid,
        "a list of days above 0, ascending",
        "Write planned_visit_days = [42, 84, 126].",
    ),
    "visit_every_days": (_is_positive, "a number above 0", "Write visit_every_days = 56."),
    "visit_until_days": (_is_positive, "a number above 0", "Write visit_until_days = 730."),
}


def _study(section: Mapping[str, Any], folder_name: str, tell: _Teller) -> StudyConfig:
    tell.unknown([key for key in section if key not in STUDY_KEYS], "key", STUDY_KEYS)
    good: dict[str, Any] = {}
    for key in STUDY_KEYS:
        if key not in section:
            continue
        fits, expected, hint = _STUDY_RULES[key]
        if fits(section[key]):
            good[key] = section[key]
        else:
            tell.value(key, section[key], expected, hint)
    grid = _grid(section, good, tell)
    defaults = StudyConfig()
    return StudyConfig(
        name=good.get("name", folder_name).strip(),
        title=good.get("title", "").strip(),
        index_line=good.get("index_line", defaults.index_line),
        planned_visit_days=grid,
        criteria=tuple(dict.fromkeys(w.strip() for w in good.get("criteria", defaults.criteria))),
        reference_arm=good.get("reference_arm", "").strip(),
        strata=tuple(dict.fromkeys(word.strip() for word in good.get("strata", ()))),
        simulated=good.get("simulated", defaults.simulated),
    )


def _grid(section: Mapping[str, Any], good: Mapping[str, Any], tell: _Teller) -> tuple[float, ...]:
    """Return the planned visit days, listed or evenly spaced."""
    every, until = "visit_every_days", "visit_until_days"
    if "planned_visit_days" in section and (every in section or until in section):
        hint = f"Give planned_visit_days, or {every} with {until}."
        tell.value("planned_visit_days", section["planned_visit_days"], "one way to give the plan", hint)
        return ()
    if "planned_visit_days" in good:
        return tuple(float(day) for day in good["planned_visit_days"])
    if (every in section) != (until in section):
        given, missing = (every, until) if every in section else (until, every)
        tell.value(given, section[given], f"{missing} beside it", f"Add {missing}.")
        return ()
    if every not in good or until not in good:
        return ()
    step, last = float(good[every]), float(good[until])
    if last < step or last / step > 10_000:
        tell.value(until, good[until], f"at least {step:g} and at most 10,000 visits", "Check both numbers.")
        return ()
    return tuple(step * n for n in range(1, int(last / step) + 1))


def _policies(section: Mapping[str, Any], tell: _Teller) -> Policies:
    policies = Policies()
    for name, value in section.items():
        try:
            policies = Policies.parse({name: value}, policies)
        except ConfigError as error:
            problem, _, rest = str(error).partition("\n")
            tell.place.error(
                "policy",
                problem.rstrip("."),
                line=tell.line(name),
                column=name,
                found=str(value),
                hint=rest,
            )
    return policies


def _options(section: Mapping[str, Any], tell: _Teller) -> ReadOptions:
    tell.unknown([key for key in section if key not in OPTION_KEYS], "option", OPTION_KEYS)
    defaults = ReadOptions()
    delimiter = section.get("delimiter")
    if delimiter is not None and DELIMITERS.get(str(delimiter).lower()) is None:
        tell.value("delimiter", delimiter, "comma, semicolon or tab", "Leave it out to have it recognised.")
    decimal = section.get("decimal", defaults.decimal)
    if decimal not in (".", ","):
        tell.value("decimal", decimal, "'.' or ','", 'Write decimal = "," for decimal commas.')
        decimal = defaults.decimal
    first_day = section.get("first_day", defaults.first_day)
    if isinstance(first_day, bool) or first_day not in (0, 1):
        hint = "Write 1 where the first day of treatment is day 1 and there is no day 0."
        tell.value("first_day", first_day, "0 or 1", hint)
        first_day = defaults.first_day
    return ReadOptions(
        delimiter=None if delimiter is None else DELIMITERS.get(str(delimiter).lower()),
        decimal=decimal,
        first_day=first_day,
    )
