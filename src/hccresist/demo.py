"""The bundled studies: 60 simulated patients, every number invented; and published cases of real patients."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from hccresist.outputs import open_new_folder
from hccresist.study.study import Study


@contextmanager
def open_demo_folder(*, cases: bool = False) -> Generator[Path]:
    """Give the folder of a bundled study, wherever the package is installed.

    Parameters
    ----------
    cases
        The published cases instead of the simulated patients.
    """
    with as_file(files("hccresist").joinpath("data", "cases" if cases else "demo")) as folder:
        yield folder


def read_demo() -> Study:
    """Return the bundled study, checked."""
    from hccresist.study.read import read_study  # noqa: PLC0415  (only when asked)

    with open_demo_folder() as folder:
        return read_study(folder)


def copy_demo(folder: Path, *, cases: bool = False) -> Path:
    """Copy the files of the bundled study to a folder of your own, to look at or to change.

    Parameters
    ----------
    folder
        Folder that does not exist or is empty.
    cases
        The published cases instead of the simulated patients.

    Raises
    ------
    ConfigError
        When the folder holds something.
    """
    with open_demo_folder(cases=cases) as source, open_new_folder(folder) as staging:
        for path in sorted(source.iterdir()):
            if path.suffix in {".csv", ".toml", ".md", ".parquet"}:
                shutil.copyfile(path, staging / path.name)
    return folder
