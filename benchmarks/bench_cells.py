"""Rank scores of single cells streamed from disk, beside decoupler's AUCell in the same run.

    python benchmarks/bench_cells.py                     20,000 cells, half a minute
    python benchmarks/bench_cells.py --million           1,000,000 cells, 12 GB of disk, some minutes

Data: simulated sparse cells × 15,000 genes, logarithms of normalised Poisson counts, about 1,600 genes
a cell, symbols of the package with every gene of its sets; a pool of 20,000 distinct cells is written
over and over (what a cell holds does not change the work). The file is made in pieces, then a fresh
process scores all gene sets of the package from file to Parquet, and its peak memory is measured.
The peer scores the first 1,000 cells with the same sets, in memory, after one warm-up call. Results go
to ``benchmarks/results/cells.json`` or ``cells_million.json``.
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
from pathlib import Path

import decoupler
import h5py
import numpy as np
import pandas as pd
import polars as pl
from anndata import AnnData
from anndata.io import write_elem
from scipy.sparse import csr_matrix

from hccresist.explain.cells import score_cells
from hccresist.explain.genes import read_genes
from hccresist.explain.signatures import read_signatures, select_signatures

RESULTS = Path(__file__).parent / "results"
GENES = 15_000
POOL = 20_000
SMALL = 20_000
MILLION = 1_000_000
PEER_CELLS = 1_000
PIECE = 2_000
SEED = 20


def name_genes() -> list[str]:
    """Return symbols: those of every set, and others up to `GENES`, shuffled."""
    used = {gene for signature in select_signatures(read_signatures()) for gene in signature.genes}
    others = sorted(read_genes().symbols() - used)
    rng = np.random.default_rng(SEED)
    names = [*sorted(used), *rng.choice(others, GENES - len(used), replace=False).tolist()]
    return rng.permutation(names).tolist()


def simulate(cells: int, *, seed: int) -> csr_matrix:
    """Return simulated cells: log1p of counts brought to 10,000 a cell."""
    level = np.random.default_rng(SEED).gamma(0.35, 0.35, GENES).astype(np.float32)
    rng = np.random.default_rng((SEED, seed))
    depth = rng.lognormal(0.0, 0.5, (cells, 1)).astype(np.float32)
    counts = csr_matrix(rng.poisson(level[None, :] * depth).astype(np.float32))
    sums = np.asarray(counts.sum(axis=1)).ravel()
    counts.data = np.log1p(counts.data * np.repeat(1e4 / sums, np.diff(counts.indptr))).astype(np.float32)
    counts.indices = counts.indices.astype(np.int32)
    return counts


def make_file(path: Path, cells: int) -> None:
    """Write an .h5ad of cells in pieces; the pool is drawn once and repeated."""
    pool = [simulate(PIECE, seed=number) for number in range(min(POOL, cells) // PIECE)]
    lengths = np.concatenate([np.diff(pool[n % len(pool)].indptr) for n in range(cells // PIECE)])
    stored = int(lengths.sum())
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        write_elem(file, "obs", pd.DataFrame(index=[f"cell{n:07d}" for n in range(cells)]))
        write_elem(file, "var", pd.DataFrame(index=name_genes()))
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.array([cells, GENES])
        group["indptr"] = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        data = group.create_dataset("data", (stored,), "float32", chunks=(1_000_000,))
        indices = group.create_dataset("indices", (stored,), "int32", chunks=(1_000_000,))
        start = 0
        for number in range(cells // PIECE):
            piece = pool[number % len(pool)]
            data[start : start + piece.nnz], indices[start : start + piece.nnz] = piece.data, piece.indices
            start += piece.nnz


def score_file(path: Path, out: Path) -> None:
    """Score a file and print seconds and peak memory; runs in a process of its own."""
    signatures = read_signatures()
    begin, used = time.perf_counter(), time.process_time()
    load = os.getloadavg()[0]
    made = score_cells(path, signatures, out=out)
    seconds = time.perf_counter() - begin
    report = {
        "cells": made.cells,
        "genes": made.genes,
        "sets": len(made.sets),
        "seconds": round(seconds, 2),
        "processor_seconds": round(time.process_time() - used, 2),
        "cells_per_second": round(made.cells / seconds),
        "load_at_start": round(load, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3),
    }
    sys.stdout.write(json.dumps(report) + "\n")


def time_subset(cells: int) -> dict[str, float]:
    """Return cells a second of ours and of AUCell on the same cells in memory."""
    data = AnnData(simulate(cells, seed=0), var=pd.DataFrame(index=name_genes()))
    data.obs_names = [f"cell{n}" for n in range(cells)]
    begin = time.perf_counter()
    made = score_cells(data, read_signatures())
    ours = cells / (time.perf_counter() - begin)
    sets = [s for s in select_signatures(read_signatures()) if s.name in made.sets]
    pairs = [(s.name, gene) for s in sets for gene in s.genes]
    net = pd.DataFrame(pairs, columns=["source", "target"]).drop_duplicates()
    decoupler.mt.aucell(data[:5].copy(), net, tmin=1)  # compiles
    begin = time.perf_counter()
    decoupler.mt.aucell(data, net, tmin=1)
    peer = cells / (time.perf_counter() - begin)
    return {
        "subset_cells": cells,
        "subset_sets": len(sets),
        "ours_cells_per_second": round(ours),
        "aucell_cells_per_second": round(peer),
        "ratio_to_aucell": round(ours / peer, 1),
    }


def main() -> None:
    """Run and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the file is made; a temporary folder if not given")
    parser.add_argument("--score", nargs=2, type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.score:
        score_file(*chosen.score)
        return
    cells = MILLION if chosen.million else SMALL
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        path, out = Path(folder) / "cells.h5ad", Path(folder) / "scores.parquet"
        begin = time.perf_counter()
        make_file(path, cells)
        made = {
            "file_gb": round(path.stat().st_size / 1e9, 2),
            "made_in_s": round(time.perf_counter() - begin),
        }
        command = [sys.executable, __file__, "--score", str(path), str(out)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = pl.scan_parquet(out).select(pl.len()).collect().item()
        if rows != cells:
            raise SystemExit(f"{rows} rows for {cells} cells")
        made["scores_gb"] = round(out.stat().st_size / 1e9, 2)
    peer = time_subset(PEER_CELLS)
    streamed = json.loads(said)
    ratio = round(streamed["cells_per_second"] / peer["aucell_cells_per_second"], 1)
    report = {**streamed, **made, "peer": peer, "ratio_of_stream_to_aucell": ratio}
    name = "cells_million.json" if chosen.million else "cells.json"
    (RESULTS / name).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
