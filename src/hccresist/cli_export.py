"""Command ``export``: ADaM-like data sets from a study, or from the results of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from hccresist.cli_run import (
    Line,
    Out,
    Settings,
    Words,
    check_criteria,
    read_request,
    split_words,
    told_as_usage,
)
from hccresist.errors import ConfigError
from hccresist.failures import FINE

if TYPE_CHECKING:
    import polars as pl

    from hccresist.export.adam import AdamExport
    from hccresist.study.study import Study

FORMATS: Final = {"parquet": "parquet", "csv": "csv", "xpt": "xpt", "dataset-json": "json"}
"""Format as it is typed to its ending."""
NEEDED: Final = ("timepoints", "best_response", "baselines", "events")
"""Result tables that the data sets are made from."""

Other = Annotated[Path | None, Parameter(name="--study", show_default=False)]


def export(
    source: Annotated[Path, Parameter(name="source")],
    /,
    *,
    out: Out,
    formats: str = "parquet,csv,xpt,dataset-json",
    study: Other = None,
    criteria: Words = None,
    policy: Settings = None,
    line: Line = None,
) -> int:
    """Write ADaM-like data sets ADRS, ADTTE and ADTR.

    Parameters
    ----------
    source
        Study folder, folder of SDTM files or of DICOM reports, which is assessed now; or the results
        of a run, which are taken as they are and need --study.
    out
        New or empty folder.
    formats
        File formats: any of parquet, csv, xpt (SAS transport, version 5), dataset-json (CDISC v1.1).
    study
        The study that the results came from: arms and measurements are not among them.
    criteria
        Criteria separated by commas; those of the study if not given. Not with results.
    policy
        NAME=VALUE, repeatable; see 'hccresist policies'. Not with results.
    line
        Line of treatment to look at, with its own start as day 0. Not with results.
    """
    from hccresist.outputs import check_new_folder, open_new_folder  # noqa: PLC0415

    with told_as_usage():
        kinds = _check_formats(split_words(formats))
        check_new_folder(out)
        _check_source(source, study, any_choice=bool(criteria or policy) or line is not None)
    if study is None:
        found, tables = _assess(source, criteria, policy, line=line)
    else:
        found, tables = _reopen(source, study)
    from hccresist.export.adam import write_adam  # noqa: PLC0415

    with open_new_folder(out) as staging:
        written = write_adam(found, tables, staging, formats=kinds)
        if not written.files:
            raise ConfigError(_tell_nothing(source, written))
    _tell(written, out)
    return FINE


def _check_formats(words: tuple[str, ...]) -> list[str]:
    """Return the endings of the formats that were typed."""
    from hccresist.options import check_words  # noqa: PLC0415

    check_words("format", words, tuple(FORMATS))
    return [FORMATS[word] for word in dict.fromkeys(words)]


def _check_source(source: Path, study: Path | None, *, any_choice: bool) -> None:
    """Refuse results without their study, a study beside a study, and choices made with results."""
    from hccresist.outputs import MANIFEST, read_manifest  # noqa: PLC0415

    if not (source / MANIFEST).is_file():
        if study is not None:
            msg = f"{source} holds no results of hccresist; --study goes with the results of a run."
            raise ConfigError(msg)
        return
    read_manifest(source)
    if study is None:
        msg = f"{source} holds results; arms and measurements are in the study. Add --study FOLDER."
        raise ConfigError(msg)
    if any_choice:
        msg = f"{source} holds results, whose criteria, policies and line are chosen. Give the study instead."
        raise ConfigError(msg)


def _assess(
    source: Path, criteria: str | None, policy: list[str] | None, *, line: int | None
) -> tuple[Study, dict[str, pl.DataFrame]]:
    """Read a study and return it with its responses and events, as far as it has them."""
    from hccresist import steps  # noqa: PLC0415
    from hccresist.stages import explain_skip  # noqa: PLC0415
    from hccresist.study.lines import move_to_line  # noqa: PLC0415

    wanted = None if criteria is None else split_words(criteria)
    with told_as_usage():
        if wanted is not None and not wanted:
            msg = "No criterion was named."
            raise ConfigError(msg)
        check_criteria(source, wanted or ())
    study = read_request(source, policy)
    if line is not None:
        with told_as_usage():
            study = move_to_line(study, line)
    tables: dict[str, pl.DataFrame] = {}
    if not explain_skip(study, "assess"):
        tables = dict(steps.assess(study, wanted).tables)
    if not explain_skip(study, "outcomes"):
        tables["events"] = steps.add_events(study, tables)
    return study, tables


def _reopen(results: Path, study: Path) -> tuple[Study, dict[str, pl.DataFrame]]:
    from hccresist.reopen import reopen_run  # noqa: PLC0415

    return reopen_run(results, study, wanted=NEEDED)


def _tell_nothing(source: Path, written: AdamExport) -> str:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in written.skipped.items())
    return f"Nothing can be exported from {source}. {reasons}. Nothing was written."


def _tell(written: AdamExport, out: Path) -> None:
    """Print what was written, left out and shortened."""
    from hccresist import screen  # noqa: PLC0415

    console = screen.out()
    for name, rows in written.rows.items():
        console.print(f"  {name:<6} {rows:>8} rows", markup=False)
    for name, reason in written.skipped.items():
        console.print(f"  {name:<6} not written: {reason}", markup=False)
    for name, count in written.shortened.items():
        console.print(f"  {name}: {count} texts are cut to 200 bytes in the transport file", markup=False)
    console.print(f"{len(written.files)} files in {out}", markup=False)
