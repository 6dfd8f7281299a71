"""How fast *assess* is, beside a plain pandas analysis and a per-patient loop on the same rows.

Run: ``python benchmarks/bench_assess.py`` (about a minute), ``--million`` (1,000,000 patients in
memory), ``--stream`` (1,000,000 patients from Parquet to Parquet by the command line). Each prints a
table and writes it to ``benchmarks/results/``. Times are the best of three; machines differ and are
noisy, so look at the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "peers"), str(HERE.parent / "tests" / "reference")]

from lesion_rows import make_lesions, make_study  # noqa: E402

from hccresist.assess import CRITERIA, assess_study, finish_timepoints  # noqa: E402
from hccresist.study.study import Study, StudyConfig  # noqa: E402

CRITERIA_WANTED = ("recist11", "mrecist", "irecist")
PATIENTS = 5_000
LOOP_PATIENTS = 200
MILLION = 1_000_000


def best_of(n: int, work: Callable[[], object]) -> float:
    """Return the shortest wall time of `n` runs, in seconds."""
    times = []
    for _ in range(n):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def bench_peers() -> dict[str, float]:
    """Return times for 5,000 patients; the peers' results are checked to be equal to ours."""
    import naive_peer  # noqa: PLC0415
    import plain_pandas  # noqa: PLC0415

    study = make_study(PATIENTS)
    unsaid = assess_study(study, criteria=CRITERIA_WANTED, reasons=False).tables["timepoints"]
    wanted = [CRITERIA[name] for name in CRITERIA_WANTED]
    times = {
        "hccresist_three_criteria_s": best_of(
            3, lambda: assess_study(study, criteria=CRITERIA_WANTED, reasons=False)
        ),
        "hccresist_reasons_s": best_of(3, lambda: finish_timepoints(unsaid, wanted)),
        "hccresist_recist11_s": best_of(3, lambda: assess_study(study, criteria=["recist11"], reasons=False)),
    }
    lesions = study.tables["lesions"].to_pandas()
    times["pandas_recist11_s"] = best_of(3, lambda: plain_pandas.recist11_pandas(lesions))
    ours = assess_study(study, criteria=["recist11"], reasons=False).tables
    naive_peer.check_pandas(ours, plain_pandas.recist11_pandas(lesions))
    few = make_study(LOOP_PATIENTS)
    rows = naive_peer.rows_of(few)
    times["loop_three_criteria_s_per_5000"] = (
        best_of(1, lambda: naive_peer.run(rows)) * PATIENTS / LOOP_PATIENTS
    )
    naive_peer.check_loop(few)
    times["ratio_pandas_to_hccresist_one_criterion"] = (
        times["pandas_recist11_s"] / times["hccresist_recist11_s"]
    )
    times["ratio_loop_to_hccresist"] = (
        times["loop_three_criteria_s_per_5000"] / times["hccresist_three_criteria_s"]
    )
    return times


def bench_million() -> dict[str, float]:
    """Return time and peak memory for 1,000,000 patients in memory, the rows themselves included."""
    size = MILLION // 10
    lesions = pl.concat(make_lesions(size, first=n * size, seed=n + 1) for n in range(10))
    names = lesions["patient_id"].unique().sort().to_frame()
    study = Study(config=StudyConfig(simulated=True), tables={"patients": names, "lesions": lesions})
    seconds = best_of(1, lambda: assess_study(study, criteria=CRITERIA_WANTED, reasons=False))
    return {
        "patients": MILLION,
        "seconds": seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def bench_stream() -> dict[str, float]:
    """Return time and peak memory of ``hccresist assess`` on 1,000,000 patients, sentences included."""
    with tempfile.TemporaryDirectory(dir=HERE) as name:
        folder, out = Path(name) / "study", Path(name) / "out"
        folder.mkdir()
        subprocess.run([sys.executable, __file__, "--write", str(folder)], check=True)
        start = time.perf_counter()
        command = [sys.executable, "-m", "hccresist", "assess", str(folder), "--out", str(out)]
        child = subprocess.Popen([*command, "--formats", "parquet", "--quiet"])
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            raise SystemExit(status)
        seconds = time.perf_counter() - start
        rows = pl.scan_parquet(out / "timepoints.parquet").select(pl.len()).collect().item()
    return {
        "patients": MILLION,
        "seconds": seconds,
        "timepoints": rows,
        "peak_gb": usage.ru_maxrss / 1e6,
    }


def write_study(folder: Path) -> None:
    """Write 1,000,000 patients as Parquet, made piece by piece."""
    parts = [folder.parent / f"part{number}.parquet" for number in range(10)]
    size = MILLION // len(parts)
    for number, part in enumerate(parts):
        make_lesions(size, first=number * size, seed=number + 1).write_parquet(part)
    rows = pl.scan_parquet(parts)
    rows.sink_parquet(folder / "lesions.parquet")
    rows.select("patient_id").unique().sort("patient_id").sink_parquet(folder / "patients.parquet")
    for part in parts:
        part.unlink()
    (folder / "study.toml").write_text('[study]\nname = "million"\nsimulated = true\n', encoding="utf-8")


def main() -> None:
    """Run what was asked for, print it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if options.write:
        write_study(options.write)
        return
    kind, work = "peers", bench_peers
    if options.million:
        kind, work = "million", bench_million
    if options.stream:
        kind, work = "stream", bench_stream
    found = {key: round(value, 3) for key, value in work().items()}
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / f"assess_{kind}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for key, value in found.items():
        print(f"{key:45} {value:>12}")


if __name__ == "__main__":
    main()
