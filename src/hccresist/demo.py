"""The bundled example: 60 simulated patients in two arms, every number invented."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from hccresist.outputs import open_new_folder
from hccresist.study.study import Study


@contextmanager
def open_demo_folder() -> Generator[Path]:
    """Give the folder of the bundled study, wherever the package is installed."""
    with as_file(files("hccresist").joinpath("data", "demo")) as folder:
        yield folder


def read_demo() -> Study:
    """Return the bundled study, checked."""
    from hccresist.study.read import read_study  # noqa: PLC0415  (only when asked)

    with open_demo_folder() as folder:
        return read_study(folder)


def copy_demo(folder: Path) -> Path:
    """Copy the files of the bundled study to a folder of your own, to look at or to change.

    Parameters
    ----------
    folder
        Folder that does not exist or is empty.

    Raises
    ------
    ConfigError
        When the folder holds something.
    """
    with open_demo_folder() as source, open_new_folder(folder) as staging:
        for path in sorted(source.iterdir()):
            if path.suffix in {".csv", ".toml", ".md"}:
                shutil.copyfile(path, staging / path.name)
    return folder
