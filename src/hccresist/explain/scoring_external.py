"""Scores by other tools: ssGSEA and GSVA through gseapy, ulm and mlm through decoupler.

They are extras (``pip install 'hccresist[omics]'``). Unlike our own scores they need every gene of
every sample, compare samples with each other (GSVA, and ssGSEA where it is normalised; it is not
here), and know nothing of coverage: sets that we refuse are refused here as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from hccresist.errors import ComputationError, ConfigError
from hccresist.explain.matrix import Matrix
from hccresist.explain.scoring import assemble_scores, order_signatures
from hccresist.explain.scoring_core import Floats
from hccresist.explain.signatures import Signature

if TYPE_CHECKING:
    import pandas as pd

METHODS: Final = {"ssgsea": "gseapy", "gsva": "gseapy", "ulm": "decoupler", "mlm": "decoupler"}
"""Method to the package that does it."""

HOW_TO_GET: Final = "install it with: pip install 'hccresist[omics]'"
"""What to do where the extra is not there."""

_FLOOR: Final = 1
_THREADS: Final = 2
_CEILING: Final = 100_000


def score_external(
    matrix: Matrix,
    signatures: Sequence[Signature],
    *,
    method: str,
    min_coverage: float | None = None,
) -> pl.DataFrame:
    """Score each sample by a method of another package.

    Parameters
    ----------
    matrix, signatures
        The expression and the sets. Genes that any sample lacks are left out.
    method
        ``ssgsea`` or ``gsva`` (gseapy; weight 0.25, not normalised; Gaussian kernel), ``ulm`` or
        ``mlm`` (decoupler; weight 1 up, -1 down). The first two score up and down halves apart and
        give half of up minus down where a set has both.
    min_coverage
        As in `hccresist.explain.scoring.measure_coverage`.

    Returns
    -------
    pl.DataFrame
        Rows of `MechanismScores` without patient_id, sorted by key.

    Raises
    ------
    ConfigError
        When the method is not known or its package is not installed.
    ComputationError
        When the package fails.
    """
    if method not in METHODS:
        msg = f"method is {method!r}; it must be one of {', '.join(METHODS)}"
        raise ConfigError(msg)
    whole = np.flatnonzero(np.isfinite(matrix.values).all(axis=1))
    genes = tuple(matrix.genes[int(number)] for number in whole)
    full = Matrix(genes=genes, samples=matrix.samples, values=matrix.values[whole], scale=matrix.scale)
    ordered = order_signatures(signatures)
    score = _score_halves if METHODS[method] == "gseapy" else _score_network
    try:
        scores = score(full, ordered, method) if matrix.samples and genes else _nothing(full, ordered)
    except ImportError as error:
        msg = f"{method} needs the package {METHODS[method]}, which is not here; {HOW_TO_GET}"
        raise ConfigError(msg) from error
    return assemble_scores(full, ordered, scores, method=method, min_coverage=min_coverage)


def _nothing(matrix: Matrix, signatures: Sequence[Signature]) -> Floats:
    return np.full((len(signatures), len(matrix.samples)), np.nan)


def _score_halves(matrix: Matrix, signatures: Sequence[Signature], method: str) -> Floats:
    """Return scores by gseapy, up and down halves joined as in our own scores."""
    there = frozenset(matrix.genes)
    halves = {
        f"{number}|{half}": [gene for gene in listed if gene in there]
        for number, signature in enumerate(signatures)
        for half, listed in (("up", signature.up), ("down", signature.down))
    }
    halves = {name: listed for name, listed in halves.items() if listed}
    found = _run_gseapy(matrix, halves, method) if halves else {}
    scores = _nothing(matrix, signatures)
    for number, signature in enumerate(signatures):
        up, down = found.get(f"{number}|up"), found.get(f"{number}|down")
        if signature.up and signature.down:
            if up is not None and down is not None:
                scores[number] = (up - down) / 2.0
        elif up is not None:
            scores[number] = up
        elif down is not None:
            scores[number] = -down
    return scores


def _run_gseapy(matrix: Matrix, sets: dict[str, list[str]], method: str) -> dict[str, Floats]:
    import gseapy  # noqa: PLC0415

    run: Any = gseapy.ssgsea if method == "ssgsea" else gseapy.gsva
    options: dict[str, Any] = {"min_size": _FLOOR, "max_size": _CEILING, "outdir": None, "threads": _THREADS}
    if method == "ssgsea":
        options |= {"sample_norm_method": "rank", "correl_norm_type": "rank", "no_plot": True, "weight": 0.25}
    try:
        table: pd.DataFrame = run(data=_as_pandas(matrix), gene_sets=sets, **options).res2d
    except Exception as error:
        msg = f"gseapy could not compute {method}: {error}"
        raise ComputationError(msg) from error
    wide = table.pivot_table(index="Term", columns="Name", values="ES", aggfunc="first").astype(float)
    wide = wide.reindex(columns=list(matrix.samples))
    return {str(name): wide.loc[name].to_numpy(dtype=np.float64) for name in wide.index}


def _score_network(matrix: Matrix, signatures: Sequence[Signature], method: str) -> Floats:
    """Return scores by decoupler, with weights 1 and -1."""
    import decoupler  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
    import pandas as pd  # noqa: PLC0415

    rows = [
        (signature.name, gene, weight)
        for signature in signatures
        for listed, weight in ((signature.up, 1.0), (signature.down, -1.0))
        for gene in listed
    ]
    network = pd.DataFrame(rows, columns=pd.Index(["source", "target", "weight"]))
    module: Any = decoupler
    run = getattr(module.mt, method)
    try:
        estimate: pd.DataFrame = run(data=_as_pandas(matrix).T, net=network, tmin=_FLOOR, verbose=False)[0]
    except Exception as error:
        msg = f"decoupler could not compute {method}: {error}"
        raise ComputationError(msg) from error
    wide = estimate.reindex(index=list(matrix.samples), columns=[signature.name for signature in signatures])
    return np.ascontiguousarray(wide.to_numpy(dtype=np.float64).T)


def _as_pandas(matrix: Matrix) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415

    return pd.DataFrame(matrix.values, index=pd.Index(matrix.genes), columns=pd.Index(matrix.samples))
