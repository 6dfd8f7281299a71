"""The engine on an NVIDIA GPU: the same kernel as on a CPU, one thread a patient, through numba-cuda.

Every array has the patient as its fastest index on the GPU, so that threads side by side read and write
memory side by side. Results are those of the CPU within 1e-6 (``exp`` and fused sums differ).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.overcome.engine import Job, Result, make_seen, run_population
from hccresist.overcome.model.arrays import Patients, Plan, Room, Seen, make_room
from hccresist.overcome.model.patients import make_effects
from hccresist.overcome.population import draw_population

Ranges = Sequence[tuple[int, int]]
Runner = Callable[[Ranges], Iterator[tuple[int, int, Result]]]
Arrays = TypeVar("Arrays", Plan, Patients, Seen, Room)

BATCH: Final = 65_536
"""Patients on the GPU at a time (about 50 kB of its memory each)."""
BLOCK: Final = 64
"""Threads of a block: few, since each needs as many registers as it can have."""
_ROWS: Final = ("kinetics", "start", "until", "intensity", "weight_kg")
_ROWS_OR_ONE: Final = ("taken", "visits", "procedure_days", "procedure_kinds", "procedure_slots")


def check_cuda() -> None:
    """Make sure that there are numba-cuda and a GPU.

    Raises
    ------
    ConfigError
        Where one of them is not there.
    """
    if find_spec("numba_cuda") is None:
        message = "engine cuda: the package numba-cuda is not installed (pip install 'hccresist[cuda]')"
        raise ConfigError(message)
    from numba import cuda  # noqa: PLC0415  (slow to load)

    if not cuda.is_available():
        message = "engine cuda: no NVIDIA GPU was found, or no driver for it. Use --engine cpu"
        raise ConfigError(message)


def run_plan(plan: Plan, patients: Patients, *, batch: int = BATCH, block: int = BLOCK) -> Seen:
    """Run patients on a plan on the GPU; as `engine.run_plan`.

    Parameters
    ----------
    plan, patients
        What is done, and to whom.
    batch
        Patients at a time; fewer need less memory.
    block
        Threads of a block.

    Raises
    ------
    ConfigError
        Where numba-cuda or a GPU is not there.
    """
    check_cuda()
    count = len(patients.begin)
    seen = make_seen(count, visits=plan.visits.shape[1], drugs=plan.weights.shape[0])
    for first in range(0, count, batch):
        last = min(first + batch, count)
        part = _run_batch(
            cut_plan(plan, first, last),
            _cut(patients, first, last),
            seen=_cut(seen, first, last),
            block=block,
        )
        for kept, found in zip(seen, part, strict=True):
            kept[first:last] = found
    return seen


def find_gpu_runner(job: Job) -> Runner:
    """Find what runs ranges of patients of a job on the GPU; see `engines.find_engine`.

    Patients are drawn, and their untreated start is found, on the processor.

    Raises
    ------
    ConfigError
        Where numba-cuda or a GPU is not there.
    """
    check_cuda()

    def run(ranges: Ranges) -> Iterator[tuple[int, int, Result]]:
        for first, last in ranges:
            numbers = np.arange(first, last)
            population = draw_population(
                numbers, handles=job.handles, values=job.values, mixed=job.mixed, seed=job.seed
            )
            yield first, last, run_population(job, population, run=run_plan)

    return run


def cut_plan(plan: Plan, first: int, last: int) -> Plan:
    """Plan of the patients from `first` to before `last`."""
    own = {name: getattr(plan, name)[first:last] for name in _ROWS}
    for name in _ROWS_OR_ONE:
        rows = getattr(plan, name)
        own[name] = rows[first:last] if len(rows) > 1 else rows
    return plan._replace(**own)


def _cut(arrays: Arrays, first: int, last: int) -> Arrays:
    """Rows of the patients from `first` to before `last`."""
    return type(arrays)(*(array[first:last] for array in arrays))


def _run_batch(plan: Plan, patients: Patients, *, seen: Seen, block: int) -> list[NDArray[Any]]:
    """Run patients that fit the GPU's memory together; the arrays of `Seen`."""
    from hccresist.overcome.model.cuda_kernel import find_kernel  # noqa: PLC0415  (loads Numba)

    count = len(patients.begin)
    longest = float(np.max(plan.every_days * plan.inflow, initial=0.0))
    room = make_room(
        count, states=patients.state.shape[1], drugs=plan.weights.shape[0], effects=make_effects(longest)
    )
    kernel: Any = find_kernel((plan, patients, seen, room))
    written = _send(seen)
    kernel[-(-count // block), block](_send(plan), _send(patients), written, _send(room))
    return [array.copy_to_host() for array in written]


def _send(arrays: Arrays) -> Arrays:
    """Copy arrays to the GPU, the patient's index the fastest; numbers stay as they are."""
    from numba import cuda  # noqa: PLC0415

    return type(arrays)(
        *(
            cuda.to_device(np.asfortranarray(each)) if isinstance(each, np.ndarray) else each
            for each in arrays
        )
    )
