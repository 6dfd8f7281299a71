"""How fast set scores are: 370 tumours × 20,000 genes × 50 sets, beside decoupler's ulm and gseapy's ssGSEA.

Run: ``python benchmarks/bench_scores.py`` (about a minute; needs the extra omics). The expression is
simulated, with a tenth of zeros; the sets are those of the registry that have 10 to 200 genes. All run
in one process after import and one warm-up; the best of three counts for the fast ones. It prints a
table and writes it to ``benchmarks/results/scores.json``. Machines differ and are noisy, so look at the
ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hccresist.explain.genes import read_genes
from hccresist.explain.matrix import Matrix
from hccresist.explain.reference import build_reference
from hccresist.explain.scoring import score_cohort, score_rank, score_reference
from hccresist.explain.scoring_external import score_external
from hccresist.explain.signatures import Signature, read_signatures

HERE = Path(__file__).parent
TUMOURS, GENES, SETS = 370, 20_000, 50


def make_matrix() -> Matrix:
    """Return simulated expression of every gene that the sets need and others, log2(x + 1)."""
    wanted = {gene for signature in choose_sets() for gene in signature.genes}
    others = [gene for gene in read_genes().genes["symbol"].to_list() if gene not in wanted]
    genes = tuple(sorted([*wanted, *others[: GENES - len(wanted)]]))
    rng = np.random.default_rng(20_261_121)
    level = rng.gamma(2.0, 2.0, size=(GENES, 1))
    values = np.maximum(level + rng.normal(0, 1.5, size=(GENES, TUMOURS)), 0.0)
    values[rng.random(values.shape) < 0.1] = 0.0
    samples = tuple(f"S{number:03}" for number in range(TUMOURS))
    return Matrix(genes=genes, samples=samples, values=values, scale="log2")


def choose_sets() -> list[Signature]:
    """Return 50 sets of the registry."""
    return [s for s in read_signatures() if 10 <= len(s.genes) <= 200][:SETS]


def best_of(n: int, work: Callable[[], object]) -> float:
    """Return the shortest wall time of `n` runs, in seconds."""
    times = []
    for _ in range(n):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def bench(*, peers: bool) -> dict[str, float]:
    """Return the times and their ratios."""
    matrix, sets = make_matrix(), choose_sets()
    reference = build_reference(matrix, sets, name="bench")
    times = {
        "tumours": TUMOURS,
        "genes": len(matrix.genes),
        "sets": len(sets),
        "hccresist_rank_s": best_of(5, lambda: score_rank(matrix, sets)),
        "hccresist_reference_z_s": best_of(5, lambda: score_reference(matrix, sets, reference)),
        "hccresist_cohort_z_s": best_of(5, lambda: score_cohort(matrix, sets)),
    }
    if peers:
        score_external(matrix, sets[:2], method="ulm")  # compiles
        times["decoupler_ulm_s"] = best_of(3, lambda: score_external(matrix, sets, method="ulm"))
        times["gseapy_ssgsea_s"] = best_of(1, lambda: score_external(matrix, sets, method="ssgsea"))
        times["ratio_ulm_to_rank"] = times["decoupler_ulm_s"] / times["hccresist_rank_s"]
        times["ratio_ssgsea_to_rank"] = times["gseapy_ssgsea_s"] / times["hccresist_rank_s"]
    times["load_average"] = os.getloadavg()[0]
    return times


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", action="store_true", help="our own scores only; nothing is written")
    options = parser.parse_args()
    found = {key: round(value, 3) for key, value in bench(peers=not options.own).items()}
    if not options.own:
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        (results / "scores.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for key, value in found.items():
        print(f"{key:45} {value:>12}")


if __name__ == "__main__":
    main()
