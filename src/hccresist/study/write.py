"""Write a study as a tidy folder: ``study.toml`` and one CSV for each table.

`hccresist.study.tidy.read_tidy` reads it back as the same study. Covariates come back as text, for
that is how text files are read: numbers and true/false among them keep their value and lose their
type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Final, cast

import polars as pl

from hccresist.errors import ConfigError, InputError
from hccresist.study.config import CONFIG_FILE
from hccresist.study.issues import Issue
from hccresist.study.policies import Policies
from hccresist.study.study import Study, StudyConfig
from hccresist.study.tables import SCHEMAS
from hccresist.study.tidy import is_table_file
from hccresist.study.values import is_missing

_CONTROL: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"
_WHOLE: Final = 2.0**53


def write_tidy(study: Study, out: Path, *, force: bool = False) -> list[Path]:
    """Write a study as a tidy folder.

    Parameters
    ----------
    study
        The study.
    out
        Folder to write to; it is made where it does not exist.
    force
        Write although the folder holds something: files of the same name are replaced, others stay.

    Returns
    -------
    list[Path]
        The files, ``study.toml`` first.

    Raises
    ------
    ConfigError
        When the folder is a file, or holds something and `force` is not set, or holds a table that
        this study does not have and that would be read as part of it.
    InputError
        When a text cannot be told from a missing value in a CSV file (``NA``, a blank), or holds
        control characters.
    """
    _check_folder(study, out, force=force)
    issues = [issue for name, frame in study.tables.items() for issue in _unwritable(name, frame)]
    if issues:
        raise InputError(issues)
    texts = {name: _plain(frame) for name, frame in study.tables.items()}
    out.mkdir(parents=True, exist_ok=True)
    files = [out / CONFIG_FILE]
    files[0].write_bytes(_config_text(study.config).encode())
    for name in (name for name in SCHEMAS if name in texts):
        files.append(out / f"{name}.csv")
        texts[name].write_csv(files[-1])
    return files


def write_config(config: StudyConfig, file: Path) -> None:
    """Write ``study.toml``."""
    file.write_text(_config_text(config), encoding="utf-8")


def _check_folder(study: Study, out: Path, *, force: bool) -> None:
    if out.exists() and not out.is_dir():
        msg = f"{out} is a file. Give a folder."
        raise ConfigError(msg)
    found = sorted(out.iterdir()) if out.exists() else []
    if found and not force:
        msg = f"{out} is not empty. Give a new or empty folder, or overwrite it by force."
        raise ConfigError(msg)
    written = {f"{name}.csv" for name in study.tables}
    left = [path.name for path in found if is_table_file(path) and path.name not in written]
    if left:
        msg = f"{out} holds tables that would be read as part of the study: {', '.join(left)}. Remove them."
        raise ConfigError(msg)


def _unwritable(name: str, frame: pl.DataFrame) -> list[Issue]:
    """Return an issue for each text column with values that would not come back."""
    issues: list[Issue] = []
    for column in frame.columns:
        values = frame[column]
        if values.dtype != pl.String:
            continue
        blank = is_missing(values) & values.is_not_null() & ~((values == "") & (column == "reader"))
        bad = blank | values.str.contains(_CONTROL).fill_null(value=False)
        if bad.any():
            found = values.filter(bad)[0]
            issues.append(
                Issue(
                    code="unwritable-value",
                    problem=f"{bad.sum()} values of {name} would not come back from a CSV file",
                    file=f"{name}.csv",
                    column=column,
                    found=found,
                    hint="Words such as NA, blanks and control characters have no place in text.",
                )
            )
    return issues


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Return every column as text: whole numbers without a point, others with all their digits."""
    return frame.select(_plain_column(frame[name]) for name in frame.columns)


def _plain_column(values: pl.Series) -> pl.Series:
    if values.dtype.is_float():
        whole = ((values == values.round()) & (values.abs() < _WHOLE)).fill_null(value=False)
        digits = values.cast(pl.Int64, strict=False).cast(pl.String)
        return digits.zip_with(whole, values.cast(pl.String))
    if isinstance(values.dtype, pl.Datetime):
        return values.dt.to_string("iso:strict")
    return values.cast(pl.String)


def _config_text(config: StudyConfig) -> str:
    """Return ``study.toml``; policies that have their default are left out."""
    study: dict[str, object] = {
        "name": config.name,
        "title": config.title,
        "index_line": config.index_line,
        "simulated": config.simulated,
        "criteria": list(config.criteria),
        "reference_arm": config.reference_arm,
        "strata": list(config.strata),
        "planned_visit_days": [_number(day) for day in config.planned_visit_days],
    }
    kept = {key: value for key, value in study.items() if value not in ("", [])}
    lines = ["[study]", *(f"{key} = {_toml(value)}" for key, value in kept.items())]
    defaults = Policies().values()
    changed = {key: value for key, value in config.policies.values().items() if value != defaults[key]}
    if changed:
        lines += ["", "[policies]", *(f"{key} = {_toml(value)}" for key, value in changed.items())]
    for name, choices in config.variants.items():
        lines += ["", f"[criteria.{_toml_key(name)}]"]
        lines += [f"{_toml_key(key)} = {_toml(value)}" for key, value in choices.items()]
    return "\n".join(lines) + "\n"


def _number(day: float) -> float | int:
    return int(day) if day == int(day) else day


def _toml(value: object) -> str:
    """Return a value as TOML writes it; JSON's text, whole numbers and booleans are TOML's too."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value).items()
        return "{" + ", ".join(f"{_toml_key(key)} = {_toml(item)}" for key, item in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in cast("Sequence[object]", value)) + "]"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _toml_key(name: str) -> str:
    """Return a key as TOML writes it: bare where it can be, else quoted."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
