"""Is everything there that hccresist needs? Looked up on this machine, without a network."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from hccresist.citations import read_version

REQUIRED: Final = {
    "altair": "altair",
    "cyclopts": "cyclopts",
    "dataframely": "dataframely",
    "jinja2": "jinja2",
    "lifelines": "lifelines",
    "narwhals": "narwhals",
    "numpy": "numpy",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "pyreadstat": "pyreadstat",
    "rich": "rich",
    "scipy": "scipy",
    "vl-convert-python": "vl_convert",
}
"""Package that must be there to the module that it brings."""

LOW_MEMORY_GB: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was looked up.

    Attributes
    ----------
    name
        What was looked at.
    status
        ``ok``, ``note`` (works, but worth knowing) or ``fail``.
    detail
        What was found.
    hint
        What to do, where something is amiss.
    """

    name: str
    status: str
    detail: str
    hint: str = ""

    def record(self) -> dict[str, str]:
        """Return the check as a plain dictionary."""
        return asdict(self)


def examine_machine() -> list[Check]:
    """Look up versions, cores, memory, parts and write permission.

    Returns
    -------
    list of Check
        In the order of printing; nothing is sent or fetched.
    """
    looks: tuple[Callable[[], Check], ...] = (_check_python, _check_cores, _check_memory, _check_data)
    parts = [_check_part(package, module) for package, module in REQUIRED.items()]
    places = [_check_writable("current folder", Path.cwd()), _check_writable("temporary files", _temporary())]
    return [
        Check(
            name="hccresist", status="ok", detail=read_version("hccresist") or "not installed as a package"
        ),
        *(look() for look in looks),
        *parts,
        *places,
    ]


def _check_python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    fine = sys.version_info >= (3, 11)
    hint = "" if fine else "Install Python 3.11 or newer."
    return Check(name="Python", status="ok" if fine else "fail", detail=found, hint=hint)


def _check_cores() -> Check:
    return Check(name="cores", status="ok", detail=f"{os.cpu_count() or '?'}, {platform.machine()}")


def _check_memory() -> Check:
    total = _read_memory_gb()
    if total is None:
        return Check(name="memory", status="note", detail="this system does not tell")
    low = total < LOW_MEMORY_GB
    hint = "A study of some thousand patients may not fit; close other programs." if low else ""
    return Check(name="memory", status="note" if low else "ok", detail=f"{total:.1f} GB", hint=hint)


def _read_memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, OSError, ValueError):
        return None


def _check_data() -> Check:
    folder = Path(__file__).parent / "data" / "demo"
    fine = (folder / "study.toml").is_file()
    hint = "" if fine else "The installation is incomplete; install hccresist again."
    return Check(name="demo study", status="ok" if fine else "fail", detail=str(folder), hint=hint)


def _check_part(package: str, module: str) -> Check:
    release = read_version(package)
    hint = f"Install it: pip install -c constraints.txt {package}."
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001  (a broken package may fail in any way)
        return Check(name=package, status="fail", detail=f"cannot be imported: {error}", hint=hint)
    return Check(name=package, status="ok", detail=release or "present")


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _check_writable(name: str, folder: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        hint = "Choose another folder for --out." if name == "current folder" else "Set TMPDIR to another."
        return Check(
            name=name, status="note", detail=f"{folder} cannot be written: {error.strerror}", hint=hint
        )
    return Check(name=name, status="ok", detail=f"{folder} can be written")
