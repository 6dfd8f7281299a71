"""What may differ between two runs of the same input: time, host, paths, failures in full.

Written to ``run.log.json`` beside the manifest and nowhere else.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hccresist.study.study import Source


@dataclass(slots=True)
class RunLog:
    """Collects timing and failures while a run goes on."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    errors: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    files: dict[str, str] = field(default_factory=dict[str, str])

    @contextmanager
    def time(self, stage: str) -> Generator[None]:
        """Add the time that a block takes to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def add_failure(self, stage: str, error: str, *, trace: str) -> None:
        """Keep a failure with its traceback."""
        self.errors.append({"stage": stage, "error": error, "traceback": trace})

    def add_files(self, sources: Iterable[Source]) -> None:
        """Keep the SHA-256 of the files that were read, byte for byte."""
        self.files.update({source.file: source.sha256 for source in sources})

    def record(self) -> dict[str, object]:
        """Return the log as it is written."""
        return {
            "started": self.started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
            "peak_memory_mb": read_peak_memory_mb(),
            "host": {
                "system": platform.platform(),
                "machine": platform.machine(),
                "cores": os.cpu_count(),
                "python": sys.version.split()[0],
            },
            "files": dict(sorted(self.files.items())),
            "errors": self.errors,
        }


def read_peak_memory_mb() -> float | None:
    """Return the most memory that this process has held so far in MB, where the system tells."""
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
