"""The ensemble's kernel on a GPU: one thread a patient, the same `run_one` as on a CPU.

This module imports Numba's CUDA target; import it only where a GPU is asked for (`hccresist.overcome.cuda`).
"""

# pyright: basic
from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numba import cuda, from_dtype, typeof, types

from hccresist.overcome.model.arrays import Patients, Plan, Room, Seen
from hccresist.overcome.model.ensemble import run_one

STAMP: Final = "44f340ba54db2085"
"""Digest of the modules that are compiled into this one, written by `generate`; see `integrate.STAMP`."""


def _run_patients(plan, patients, seen, room):
    """Run every patient, each in the working arrays of its own thread."""
    i = cuda.grid(1)  # pyright: ignore[reportCallIssue]  (taken for the simulator's)
    if i < patients.begin.size:
        run_one(plan, patients, i, seen, room, i)


def _find_type(each):
    """Type of an argument: arrays have the patient as their fastest index, whatever their sizes."""
    if hasattr(each, "_fields"):
        return types.NamedTuple([_find_type(part) for part in each], type(each))
    if isinstance(each, np.ndarray):
        return types.Array(from_dtype(each.dtype), each.ndim, "F" if each.ndim > 1 else "C")
    return typeof(each)


@lru_cache(maxsize=4)
def _compile(signature):
    """Compile the kernel for one signature (minutes the first time, then from the cache on disk)."""
    return cuda.jit(signature, cache=True)(_run_patients)


def find_kernel(arguments: tuple[Plan, Patients, Seen, Room]) -> Any:  # noqa: ANN401  (a compiled kernel)
    """Find the compiled kernel that takes arguments like these (arrays of the host)."""
    return _compile(types.void(*(_find_type(each) for each in arguments)))
