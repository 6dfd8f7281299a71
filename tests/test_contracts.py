"""Conventions that are tests: floors, exported names, signatures, docstrings, sizes, start-up."""

from __future__ import annotations

import ast
import inspect
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hccresist

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "hccresist"
MODULES = sorted(SOURCE.rglob("*.py"))
FLOORS = {
    "errors": 0,
    "study": 1,
    "outcomes": 2,
    "assess": 3,
    "explain": 4,
    "overcome": 5,
    "export": 6,
    "report": 6,
    "citations": 7,
    "runlog": 7,
    "outputs": 7,
    "manifest": 8,
    "options": 8,
    "demo": 8,
    "doctor": 8,
    "stages": 9,
    "parameter_sets": 8,
    "steps": 9,
    "reopen": 9,
    "flow": 10,
    "screen": 11,
    "failures": 12,
    "screen_calibrate": 12,
    "screen_evidence": 12,
    "screen_model": 12,
    "screen_trial": 12,
    "screen_trials": 12,
    "cli_run": 13,
    "cli_export": 14,
    "cli_evidence": 14,
    "cli_reference": 14,
    "cli_explain": 14,
    "cli_overcome": 14,
    "cli_calibrate": 14,
    "cli_cells": 14,
    "cli_model": 14,
    "cli_simulate": 14,
    "cli_trial": 14,
    "cli_trials": 14,
    "cli": 15,
    "__main__": 16,
    "__init__": 16,
}
"""Room or module to its floor; a module imports only from its own room or from lower floors."""


def room_of(path: Path) -> str:
    """First part of a module's path inside the package."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Rooms of hccresist that a module imports, at any depth; imports for types only are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hccresist"):
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("hccresist."):
                    yield alias.name.split(".")[1]


def public_functions() -> list[tuple[str, object]]:
    """Every public function and method of the package that the surface shows or modules define."""
    found: list[tuple[str, object]] = []
    for path in MODULES:
        name = ".".join(("hccresist", *path.relative_to(SOURCE).with_suffix("").parts))
        if name.endswith(("__main__", "__init__")):
            continue
        module = __import__(name, fromlist=["_"])
        for key, value in vars(module).items():
            if key.startswith("_") or getattr(value, "__module__", "") != name:
                continue
            if inspect.isfunction(value):
                found.append((f"{name}.{key}", value))
            elif inspect.isclass(value):
                found.append((f"{name}.{key}", value))
                members = [
                    (f"{name}.{key}.{m}", f)
                    for m, f in vars(value).items()
                    if inspect.isfunction(f) and not m.startswith("_")
                ]
                found.extend(members)
    return found


PUBLIC = public_functions()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_module_imports_only_from_lower_floors(path: Path) -> None:
    room = room_of(path)
    assert room in FLOORS, f"{room} has no floor: give it one here and in docs/explanation/design.md"
    for other in imports_of(path):
        same_room = other == room
        assert same_room or FLOORS[other] < FLOORS[room], f"{path.name} imports {other} from above"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_module_is_longer_than_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def test_functions_are_short() -> None:
    lengths: dict[str, int] = {}
    written = [path for path in MODULES if not path.stem.endswith("_generated")]  # by hand
    for path in written:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                start = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
                lengths[f"{path.name}:{node.name}"] = (node.end_lineno or 0) - (start or 0) + 1
    assert sorted(lengths.values())[len(lengths) // 2] < 15
    assert {name: n for name, n in lengths.items() if n > 60} == {}


def test_exported_names_are_complete_and_sorted() -> None:
    names = hccresist.__all__
    assert set(names) == set(hccresist._HOMES)
    constants = sorted(name for name in names if name.isupper())
    classes = sorted(name for name in names if name[0].isupper() and not name.isupper())
    functions = sorted(name for name in names if name[0].islower())
    assert names == [*constants, *classes, *functions]


@pytest.mark.parametrize("name", hccresist.__all__)
def test_an_exported_name_is_there_and_comes_from_its_home(name: str) -> None:
    value = getattr(hccresist, name)
    home = f"hccresist.{hccresist._HOMES[name]}"
    if inspect.isfunction(value) or inspect.isclass(value):
        assert value.__module__.startswith(home)
    assert name in dir(hccresist)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = hccresist.no_such_name


def test_the_version_is_that_of_the_project() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{hccresist.__version__}"' in text
    assert f"version: {hccresist.__version__}" in (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "value"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_a_public_thing_has_a_docstring(name: str, value: object) -> None:
    text = inspect.getdoc(value) or ""
    assert text.strip(), f"{name} has no docstring"
    assert text.splitlines()[0].rstrip().endswith((".", ":")), f"{name}: the first line is no sentence"


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, value in PUBLIC if inspect.isfunction(value)],
    ids=[name for name, value in PUBLIC if inspect.isfunction(value)],
)
def test_a_public_function_takes_at_most_three_positional_arguments(name: str, value: object) -> None:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.signature(value)  # type: ignore[arg-type]
    positional = [
        p for p in signature.parameters.values() if p.kind in kinds and p.name not in {"self", "cls"}
    ]
    assert len(positional) <= 3, name
    booleans = [p.name for p in positional if isinstance(p.default, bool)]
    assert not booleans, f"{name}: booleans are keyword-only"
    missing = [
        p.name
        for p in signature.parameters.values()
        if p.annotation is p.empty and p.name not in {"self", "cls"}
    ]
    assert not missing, f"{name}: {missing} not annotated"


def loaded_by(code: str) -> set[str]:
    """Modules that a fresh Python loads for some code."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


HEAVY = {
    "numba",
    "polars",
    "dataframely",
    "numpy",
    "scipy",
    "lifelines",
    "pandas",
    "altair",
    "pyarrow",
    "pyreadstat",
    "vl_convert",
}


def test_help_loads_nothing_heavy() -> None:
    code = "from hccresist.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert loaded_by(code) & HEAVY == set()


def test_importing_the_package_loads_nothing_but_itself() -> None:
    assert loaded_by("import hccresist") & HEAVY == set()


def test_the_rooms_leave_slow_libraries_until_they_are_needed() -> None:
    code = "import hccresist.flow, hccresist.study.read, hccresist.outcomes.survival, hccresist.report.page"
    slow = {"lifelines", "scipy.stats", "altair", "vl_convert", "pyreadstat", "pandas", "matplotlib"}
    assert loaded_by(code) & slow == set()


def tracked_files() -> list[Path]:
    """Files that git tracks, or every source file where this is no checkout."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip("not a git checkout")
    return [REPOSITORY / name for name in result.stdout.split("\0") if name]


def test_no_tracked_file_names_a_package_registry_or_locks_to_one() -> None:
    names = ("py#pi.org", "python#hosted.org", "registry.npm#js", "conda.ana#conda.org")
    hosts = re.compile("|".join(re.escape(name.replace("#", "")) for name in names))
    for path in tracked_files():
        assert path.name not in {"uv.lock", "pylock.toml"}
        if path.is_file() and path.stat().st_size < 2_000_000:
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert hosts.search(text) is None, f"{path} names a package registry"


def test_tracked_files_are_small() -> None:
    big = {str(path) for path in tracked_files() if path.is_file() and path.stat().st_size > 2_000_000}
    assert big == set()


def test_constraints_are_plain() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in pins)
    names = [line.partition("==")[0].lower() for line in pins]
    assert len(names) == len(set(names))


def test_the_network_is_blocked_in_tests() -> None:
    with socket.socket() as plug, pytest.raises(RuntimeError, match=r"192\.0\.2\.1"):
        plug.connect(("192.0.2.1", 80))
