"""Functions that workers of a cluster run in tests."""

from __future__ import annotations

import os
import time


def square(chunk: tuple[int, float]) -> tuple[int, int]:
    """Square a number after some seconds; and the process in which it was done."""
    number, seconds = chunk
    time.sleep(seconds)
    return number**2, os.getpid()


def end_worker(chunk: int) -> int:
    """End the process, whatever it does."""
    os._exit(chunk)


def refuse(chunk: int) -> int:
    """Fail by itself."""
    message = f"chunk {chunk} is refused"
    raise ValueError(message)
