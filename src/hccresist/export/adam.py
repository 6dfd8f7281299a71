"""ADaM-like ADRS, ADTTE and ADTR from a study and its result tables.

The layout follows the published data sets of the pharmaverse (``adrs_onco``, ``adtte_onco``, ``adtr_onco``);
what differs is told in ``docs/how-to/export.md``. In short: relative days instead of dates, one parameter a
criterion and reader, and SRC columns that lead back to our tables. ``CNSR`` is 0 for an event: this is
the only place where our `event` (true: it happened) is turned round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.errors import ConfigError
from hccresist.export.adrs import derive_adrs
from hccresist.export.adtr import derive_adtr
from hccresist.export.adtte import derive_adtte
from hccresist.export.datasets import ADRS, ADTR, ADTTE, DATASETS, Dataset
from hccresist.export.formats import FORMATS, NOT_DATED, write_dataset
from hccresist.export.rows import Tables
from hccresist.study.issues import nearest
from hccresist.study.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamExport:
    """What was written.

    Attributes
    ----------
    files
        Files in order of name.
    rows
        Data set to its number of rows.
    skipped
        Data set to the reason why it was not written.
    shortened
        Data set and variable (``ADTTE.PARAM``) to the number of texts that transport files hold only in
        part: they have room for 200 bytes. The other formats hold them whole.
    """

    files: tuple[Path, ...]
    rows: Mapping[str, int]
    skipped: Mapping[str, str] = field(default_factory=dict[str, str])
    shortened: Mapping[str, int] = field(default_factory=dict[str, int])


def write_adam(
    study: Study,
    tables: Tables,
    out: Path,
    *,
    formats: Sequence[str] = FORMATS,
    created: datetime = NOT_DATED,
) -> AdamExport:
    """Write ADRS, ADTTE and ADTR.

    Parameters
    ----------
    study
        Checked study.
    tables
        Its result tables: ``timepoints``, ``best_response``, ``baselines`` and ``events``. A data set whose
        tables are not there is skipped.
    out
        Folder for the files; made where it does not exist. Nothing in it is overwritten.
    formats
        Any of parquet, csv, xpt (SAS transport, version 5) and json (CDISC Dataset-JSON v1.1).
    created
        Time of creation that transport files and Dataset-JSON state. The default is 1970-01-01: no clock is
        read, so that the same results give the same bytes.

    Returns
    -------
    AdamExport
        What was written, skipped and shortened.

    Raises
    ------
    ConfigError
        When a format is not known, a file is there already, or codes cannot tell readers apart.

    Examples
    --------
    >>> import tempfile
    >>> from hccresist.assess import assess_study
    >>> from hccresist.study.frames import study_from_frames
    >>> study = study_from_frames(
    ...     patients=pl.DataFrame({"patient_id": ["P1"]}),
    ...     sums=pl.DataFrame(
    ...         {"patient_id": ["P1"] * 2, "measure": ["longest"] * 2, "day": [-3, 56], "sum": [50, 30]}
    ...     ),
    ... )
    >>> tables = assess_study(study, criteria=["recist11"]).tables
    >>> export = write_adam(study, tables, Path(tempfile.mkdtemp()), formats=["csv"])
    >>> [path.name for path in export.files]
    ['adrs.csv', 'adtr.csv']
    """
    _check_formats(formats)
    frames, skipped = derive_adam(study, tables)
    places = {d: {kind: out / f"{d.name.lower()}.{kind}" for kind in formats} for d in frames}
    taken = sorted(str(path) for of in places.values() for path in of.values() if path.exists())
    if taken:
        msg = f"{', '.join(taken)}: there already. Nothing was written; name another folder."
        raise ConfigError(msg)
    out.mkdir(parents=True, exist_ok=True)
    shortened: dict[str, int] = {}
    for dataset, frame in frames.items():
        shortened |= write_dataset(
            dataset, frame, places[dataset], study_name=study.config.name, created=created
        )
    return AdamExport(
        files=tuple(sorted(path for of in places.values() for path in of.values())),
        rows={dataset.name: frame.height for dataset, frame in frames.items()},
        skipped=skipped,
        shortened=shortened,
    )


def _check_formats(formats: Sequence[str]) -> None:
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        name = unknown[0] if unknown else ""
        msg = f"There is no format '{name}'. Known: {', '.join(FORMATS)}. {nearest(name, FORMATS)}".strip()
        raise ConfigError(msg)


NEEDS: Final[dict[Dataset, tuple[str, ...]]] = {
    ADRS: ("timepoints", "best_response"),
    ADTTE: ("events",),
    ADTR: ("timepoints", "baselines"),
}
"""Result tables that a data set is made from."""


def derive_adam(study: Study, tables: Tables) -> tuple[dict[Dataset, pl.DataFrame], dict[str, str]]:
    """Return the data sets, and why others cannot be made.

    Parameters
    ----------
    study, tables
        As for `write_adam`.
    """
    makers = {ADRS: derive_adrs, ADTTE: derive_adtte, ADTR: derive_adtr}
    frames: dict[Dataset, pl.DataFrame] = {}
    skipped: dict[str, str] = {}
    for dataset in DATASETS:
        lacking = [name for name in NEEDS[dataset] if name not in tables]
        if lacking:
            skipped[dataset.name] = f"there is no result table {' and no '.join(lacking)}"
        else:
            frames[dataset] = makers[dataset](study, tables)
    return frames, skipped
