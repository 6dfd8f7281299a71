"""Read a study from whatever the user names: tidy tables, CDISC SDTM, cBioPortal, GEO or h5ad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hccresist.errors import InputError
from hccresist.study.cbioportal import is_cbioportal_folder, read_cbioportal
from hccresist.study.config import CONFIG_FILE
from hccresist.study.geo import is_series_matrix, read_geo
from hccresist.study.h5ad import is_h5ad, read_h5ad
from hccresist.study.issues import Issue, nearest
from hccresist.study.policies import Policies
from hccresist.study.sdtm_files import is_sdtm_folder
from hccresist.study.study import Study
from hccresist.study.tables import SCHEMAS
from hccresist.study.tidy import is_table_file, read_tidy


def read_study(path: Path, *, policies: Policies | None = None) -> Study:
    """Read a study, whatever it lies in; nothing of it is changed.

    1. A folder with a table `patients` is a tidy study folder.
    2. Else a folder with ``meta_study.txt`` is a cBioPortal study.
    3. Else a folder with SDTM files (DM, TU, TR or RS as ``.csv``, ``.xpt`` or ``.json``, upper or
       lower case) is read as SDTM.
    4. Else a folder with one GEO series matrix (``*_series_matrix.txt``, perhaps gzipped) or one
       ``.h5ad`` is read as that; such a file may also be named itself.
    5. Else a folder with ``study.toml`` or any table of a study is read as tidy, which tells what
       is missing.

    Parameters
    ----------
    path
        The folder, or a series matrix or ``.h5ad`` file.
    policies
        Policies in force, instead of those of ``study.toml``.

    Returns
    -------
    Study
        The checked study.

    Raises
    ------
    InputError
        When there is no such folder, when it holds no study, and with every problem found in it.
    """
    if path.is_file() and (reader := _omics_reader([path])) is not None:
        return reader(path, policies)
    files = _list_files(path)
    if any(file.stem.lower() == "patients" and is_table_file(file) for file in files):
        return read_tidy(path, policies=policies)
    if is_cbioportal_folder(path):
        return read_cbioportal(path, policies=policies)
    if any(_is_named_for_domain(file) for file in files) or is_sdtm_folder(path):
        from hccresist.study.sdtm import read_sdtm  # noqa: PLC0415

        return read_sdtm(path, policies=policies)
    if (reader := _omics_reader(files)) is not None:
        return reader(_only_omics_file(path, files), policies)
    if any(file.name == CONFIG_FILE or is_table_file(file) for file in files):
        return read_tidy(path, policies=policies)
    raise InputError([_no_study(path, files)])


def _omics_reader(files: Sequence[Path]) -> Callable[[Path, Policies | None], Study] | None:
    """Return the reader of the first file that is a series matrix or AnnData, ``None`` without one."""
    if any(is_series_matrix(file) for file in files):
        return lambda path, policies: read_geo(path, policies=policies)
    if any(is_h5ad(file) for file in files):
        return lambda path, policies: read_h5ad(path, policies=policies)
    return None


def _only_omics_file(folder: Path, files: Sequence[Path]) -> Path:
    found = [file for file in files if is_series_matrix(file)] or [file for file in files if is_h5ad(file)]
    if len(found) == 1:
        return found[0]
    issue = Issue(
        code="several-files",
        problem=f"the folder holds {len(found)} files that are a study each",
        hint="Name one of them, not the folder: each is one platform or one experiment.",
        file=str(folder),
        found=", ".join(file.name for file in found[:6]),
        expected="one series matrix or one .h5ad file",
    )
    raise InputError([issue])


def _is_named_for_domain(file: Path) -> bool:
    """Return whether a file is called after an SDTM domain, be it readable or not: its reader tells."""
    return file.stem.lower() in ("dm", "tu", "tr", "rs") and file.suffix.lower() in (".csv", ".xpt", ".json")


def _list_files(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            return sorted(file for file in path.iterdir() if file.is_file())
        issue = _no_folder(path)
    except OSError as error:
        reason = error.strerror or "the system refused it"
        issue = Issue(
            code="unreadable-folder",
            problem=f"the folder cannot be read: {reason}",
            hint="Check that you may read it.",
            file=str(path),
        )
    raise InputError([issue])


def _no_folder(path: Path) -> Issue:
    if path.exists():
        return Issue(
            code="not-a-folder",
            problem="this is a file, not a study folder",
            hint=f"Give the folder that holds it: {path.parent}.",
            file=str(path),
            expected="a folder",
        )
    parent = path.parent
    siblings = [p.name for p in sorted(parent.iterdir()) if p.is_dir()] if parent.is_dir() else []
    hint = nearest(path.name, siblings) or "Check the path; 'hccresist init' writes a new study folder."
    return Issue(code="no-folder", problem="there is no such folder", hint=hint, file=str(path))


def _no_study(path: Path, files: list[Path]) -> Issue:
    if not files:
        hint = "'hccresist init' writes templates into it."
        return Issue(code="empty-folder", problem="the folder is empty", hint=hint, file=str(path))
    close = [hint for file in files if (hint := nearest(file.stem, list(SCHEMAS)))]
    return Issue(
        code="no-study",
        problem="the folder holds no table of a study",
        hint=close[0] if close else "Add patients.csv and lesions.csv; 'hccresist init' writes templates.",
        file=str(path),
        found=", ".join(file.name for file in files[:6]),
        expected="patients.csv and other tables, SDTM, cBioPortal or GEO files, or an .h5ad file",
    )
