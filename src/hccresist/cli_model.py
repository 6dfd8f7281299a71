"""Command ``model``: the virtual patient's equations, parameters, handles, map, and exports."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from hccresist.cli_run import Flag, Json, split_words, told_as_usage
from hccresist.errors import ConfigError
from hccresist.failures import FINE

File = Annotated[Path | None, Parameter(show_default=False)]
Drawing = Annotated[Path | None, Parameter(show_default=False, allow_leading_hyphen=True)]
Kind = Annotated[Literal["sbml", "antimony", "petab"] | None, Parameter(show_default=False)]
MOST_LESIONS: Final = 10
"""Most lesions that an export may have."""
_LARGEST_MM: Final = 300.0


def model(
    *,
    parameters: Flag = False,
    equations: Flag = False,
    handles: Flag = False,
    map: Drawing = None,  # noqa: A002  (the name of the option)
    export: Kind = None,
    out: File = None,
    diameters: str = "50",
    json: Json = False,
) -> int:
    """Show the model of the virtual patient, draw its map, or hand it to other software.

    Without options: its states, and how many parameters are sourced and how many assumed.

    Parameters
    ----------
    parameters
        List every parameter with value, unit, spread between patients, status and source.
    equations
        Print the model text (Antimony), with the biology beside the equations.
    handles
        List the resistance handles: family, parameters, equation, source.
    map
        Draw what moves what into this file: an SVG figure, or text where it ends in .txt; - prints the text.
    export
        Write a patient at the start of treatment as SBML Level 3, as Antimony, or as a PEtab problem.
    out
        With --export: new file, or for petab new or empty folder.
    diameters
        With --export: whole diameters of the lesions in mm, separated by commas.
    json
        Print JSON.
    """
    with told_as_usage():
        _check_request([parameters, equations, handles, map is not None, export is not None], json=json)
        sizes = _check_export(export, out, diameters)
    if export is not None and out is not None:
        return _export(export, out, sizes)
    if map is not None:
        return _draw(map)
    if parameters:
        return _list_parameters(json=json)
    if equations:
        return _print_equations(json=json)
    return _list_handles(json=json) if handles else _summarise(json=json)


def _check_request(jobs: list[bool], *, json: bool) -> None:
    """Refuse two jobs at once, and JSON of a file that is written."""
    if sum(jobs) > 1:
        msg = "Choose one of --parameters, --equations, --handles, --map and --export."
        raise ConfigError(msg)
    if json and any(jobs[3:]):
        msg = "--json goes with --parameters, --equations, --handles or nothing."
        raise ConfigError(msg)


def _check_export(kind: str | None, out: Path | None, diameters: str) -> list[float]:
    """Return the diameters for an export; refuse an export without a place and a place without an export."""
    if (kind is None) != (out is None):
        msg = "--export KIND and --out FILE go together."
        raise ConfigError(msg)
    if kind is not None and kind != "petab" and out is not None and out.exists():
        msg = f"{out} is there already; name a new file."
        raise ConfigError(msg)
    try:
        sizes = [float(word) for word in split_words(diameters)]
    except ValueError:
        sizes = []
    if not 1 <= len(sizes) <= MOST_LESIONS or not all(0 < size <= _LARGEST_MM for size in sizes):
        msg = (
            f"--diameters: 1 to {MOST_LESIONS} numbers above 0 and up to {_LARGEST_MM:g} mm, separated by "
            f"commas, for example 60,25; not {diameters!r}."
        )
        raise ConfigError(msg)
    return sizes


def _summarise(*, json: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.overcome.model.describe import describe_model  # noqa: PLC0415
    from hccresist.screen_model import print_model  # noqa: PLC0415

    about = describe_model()
    if json:
        screen.print_json(about)
    else:
        print_model(about)
    return FINE


def _list_parameters(*, json: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.overcome.model.describe import count_parameters, list_parameters  # noqa: PLC0415
    from hccresist.overcome.model.parameters import read_model  # noqa: PLC0415
    from hccresist.screen_model import print_parameters  # noqa: PLC0415

    if json:
        screen.print_json(list_parameters())
    else:
        print_parameters(read_model().parameters, count_parameters())
    return FINE


def _print_equations(*, json: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.overcome.model.describe import list_equations  # noqa: PLC0415
    from hccresist.overcome.model.parameters import read_model  # noqa: PLC0415

    if json:
        screen.print_json(list_equations())
        return FINE
    found = read_model()
    sys.stdout.write(f"{found.lesion.text.rstrip()}\n\n{found.patient.text.rstrip()}\n")
    return FINE


def _list_handles(*, json: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.overcome.model.describe import list_handles  # noqa: PLC0415
    from hccresist.overcome.model.parameters import read_handles  # noqa: PLC0415
    from hccresist.screen_model import print_handles  # noqa: PLC0415

    if json:
        screen.print_json(list_handles())
    else:
        print_handles(read_handles())
    return FINE


def _draw(file: Path) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.overcome.model.map import draw_map, tell_map  # noqa: PLC0415

    if str(file) == "-":
        sys.stdout.write(tell_map())
        return FINE
    with told_as_usage():
        if file.suffix not in {".svg", ".txt"}:
            msg = f"--map: the file must end in .svg or .txt, not {file.name!r}."
            raise ConfigError(msg)
    _write(file, tell_map() if file.suffix == ".txt" else draw_map())
    screen.out().print(f"map in {file}", markup=False)
    return FINE


def _export(kind: str, out: Path, diameters: list[float]) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.outputs import check_new_folder, open_new_folder  # noqa: PLC0415
    from hccresist.overcome.model.export import write_antimony, write_sbml  # noqa: PLC0415
    from hccresist.overcome.model.patients import make_parameters, start_state  # noqa: PLC0415
    from hccresist.overcome.model.petab import write_petab  # noqa: PLC0415

    if kind == "petab":
        with told_as_usage():
            check_new_folder(out)
    params = make_parameters(len(diameters))
    state = start_state(params, diameters)
    if kind == "petab":
        with open_new_folder(out) as staging:
            files = write_petab(staging, params, state)
        screen.out().print(f"{len(files)} files in {out} (PEtab)", markup=False)
        return FINE
    _write(out, (write_sbml if kind == "sbml" else write_antimony)(params, state))
    screen.out().print(f"{kind} of a patient with {len(diameters)} lesion(s) in {out}", markup=False)
    return FINE


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, file)  # noqa: PTH105  (over what is there, in one move)
    finally:
        part.unlink(missing_ok=True)
