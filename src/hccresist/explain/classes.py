"""Classes of HCC by nearest template, and kinds of cells by MCP-counter.

**Classes.** Nearest template prediction (Hoshida 2010): genes are standardised over the cohort, or by a
reference; each class has a template of the genes that are high in it; a sample goes to the template at
the smallest cosine distance; the distance is held against random genes of the same sample.

1. A gene counts if half of the cohort has a value and it varies. Fewer than `MIN_CLASS_COHORT` samples
   and no reference: no class, as a gene cannot be standardised.
2. Each template needs 5 genes and 25 % of its list, in each sample.
3. With two classes, genes of the other class count against a class (1 and -1); with more they do not (1, 0).
4. p is the share of `DRAWS` draws of random genes that come as near to *any* template; q is of
   Benjamini–Hochberg over the samples; ``unclassified`` where q is above `MAX_Q`.

Step 4 is stricter than Hoshida's program, which puts the distances from all templates in one pool.

**Cells.** MCP-counter (Becht 2016): the mean of log2 expression of a kind's marker genes. It compares
samples, not kinds of cells.

References
----------
Hoshida 2010, PLoS ONE 5:e15543, doi:10.1371/journal.pone.0015543 (method; its program is
genepattern/NearestTemplatePrediction). Becht 2016, Genome Biology 17:218.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.explain.classes_core import adjust_fdr, draw_orders, find_nearest
from hccresist.explain.matrix import Matrix
from hccresist.explain.reference import Reference
from hccresist.explain.results import Classes
from hccresist.explain.scoring import explain_unlike
from hccresist.explain.scoring_core import (
    MIN_COVERAGE,
    MIN_GENES,
    Bools,
    Floats,
    average_halves,
    count_measured,
    describe_genes,
    find_members,
)
from hccresist.explain.scoring_tables import NO_REFERENCE, Flag, Judged, Placed, fill_rows, judge_coverage
from hccresist.explain.signatures import Signature, select_signatures

MIN_CLASS_COHORT: Final = 20
"""Samples below which genes are not standardised over the cohort (ours)."""
MAX_Q: Final = 0.05
"""Highest q of a class (the line of Hoshida's program)."""
DRAWS: Final = 1_000
"""Random draws (Hoshida 2010)."""
UNCLASSIFIED: Final = "unclassified"
"""Label of a sample without a class."""
MIN_CELL_COHORT: Final = 10
"""Samples below which the z of a kind of cells is not given (ours)."""
SMALL_CELL_COHORT: Final = 30
"""Samples below which that z is flagged (ours)."""

_NO_ROWS: Final = Classes.create_empty().drop("patient_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Templates that belong together.

    Attributes
    ----------
    name
        Name of the classification.
    classes
        Label, signature, and the half of it (``up``, ``down``) that is high in the class.
    """

    name: str
    classes: tuple[tuple[str, str, str], ...]

    @property
    def signed(self) -> bool:
        """Whether genes of the other class count against a class."""
        return len(self.classes) == 2


def _pair(name: str, signature: str, high: str, low: str = "other") -> Classification:
    """Return two classes: genes up in one and genes down in it."""
    return Classification(name=name, classes=((high, signature, "up"), (low, signature, "down")))


CLASSIFICATIONS: Final = (
    _pair("boyault_2007_g3", "BOYAULT_LIVER_CANCER_SUBCLASS_G3", "G3"),
    _pair("chiang_2008_proliferation", "CHIANG_LIVER_CANCER_SUBCLASS_PROLIFERATION", "proliferation"),
    Classification(
        name="hoshida_2009",
        classes=tuple((f"S{n}", f"HOSHIDA_LIVER_CANCER_SUBCLASS_S{n}", "up") for n in (1, 2, 3)),
    ),
    _pair("lee_2004", "LEE_LIVER_CANCER_SURVIVAL", "B", "A"),
    _pair("roessler_2010", "ROESSLER_LIVER_CANCER_METASTASIS", "metastasis"),
    _pair("woo_2008", "WOO_LIVER_CANCER_RECURRENCE", "early_recurrence"),
)
"""Classifications, by name. `HOSHIDA_LIVER_CANCER_SURVIVAL` is for the liver beside a tumour: not here."""


def classify_tumours(
    matrix: Matrix,
    signatures: Sequence[Signature],
    *,
    patients: Mapping[str, str],
    reference: Reference | None = None,
    platform: str = "",
    seed: int = 0,
) -> pl.DataFrame:
    """Give each tumour its class, or ``unclassified`` with the reason.

    Parameters
    ----------
    matrix
        Expression, one sample a tumour.
    signatures
        Sets; a classification is made where all its templates are among them.
    patients
        Patient of each sample.
    reference
        Mean and standard deviation of genes, in place of those of the cohort; refused where its scale or
        platform is another.
    platform
        Platform of the samples in the user's words.
    seed
        Of the random draws. Results do not depend on the order of samples, genes or sets.

    Returns
    -------
    pl.DataFrame
        Table `Classes`, sorted by key. ``coverage`` is that of the template with the lowest.

    Raises
    ------
    ConfigError
        When a sample has no patient.
    """
    lost = sorted(set(matrix.samples) - set(patients))
    if lost:
        msg = f"no patient is given for {len(lost)} samples: {', '.join(lost[:5])}"
        raise ConfigError(msg)
    z, refusal = _standardise(matrix, reference, platform)
    usable = np.flatnonzero(np.isfinite(z).any(axis=1))
    z = z[usable]
    place = {matrix.genes[row]: number for number, row in enumerate(usable.tolist())}
    found = [made for made in (_find_templates(c, signatures, place) for c in CLASSIFICATIONS) if made]
    orders = draw_orders(len(place), draws=DRAWS if found and not refusal else 0, seed=seed)
    rows = pl.concat([_NO_ROWS, *(_classify(matrix.samples, made, z, orders, refusal) for made in found)])
    owner = pl.col("sample_id").replace_strict(dict(patients), default="", return_dtype=pl.String)
    told = rows.with_columns(patient_id=owner).select(Classes.column_names())
    return Classes.validate(told, cast=True).sort(Classes.primary_key())


def _standardise(matrix: Matrix, reference: Reference | None, platform: str) -> tuple[Floats, str]:
    """Return z (NaN: not measured or no spread); or the values as they are, and why there is no z."""
    if reference is not None:
        unlike = explain_unlike(matrix, reference, platform=platform)
        if unlike:
            return matrix.values, unlike
        place = {gene: number for number, gene in enumerate(reference.genes)}
        rows = np.array([place.get(gene, -1) for gene in matrix.genes], dtype=np.int64)
        mean, sd = (np.where(rows >= 0, held[rows], np.nan) for held in (reference.mean, reference.sd))
    else:
        samples = len(matrix.samples)
        if samples < MIN_CLASS_COHORT:
            why = f"{samples} samples: genes are standardised over {MIN_CLASS_COHORT}, or by a reference"
            return matrix.values, why
        mean, sd, n = describe_genes(matrix.values)
        sd = np.where(n * 2 < samples, np.nan, sd)
    return (matrix.values - mean[:, None]) / np.where(sd > 0, sd, np.nan)[:, None], ""


@dataclass(frozen=True, slots=True)
class _Made:
    """Templates as rows of the standardised genes, and how many genes each list has."""

    of: Classification
    rows: list[NDArray[np.int64]]
    sizes: list[int]


def _find_templates(
    of: Classification, signatures: Sequence[Signature], place: Mapping[str, int]
) -> _Made | None:
    """Return the templates of a classification; nothing where a list is not there.

    A gene that is in the lists of two classes is in no template.
    """
    sets = {signature.name: signature for signature in signatures if signature.kind == "class"}
    if any(name not in sets for _, name, _ in of.classes):
        return None
    lists = [set(sets[name].up if half == "up" else sets[name].down) for _, name, half in of.classes]
    count: Counter[str] = Counter(gene for genes in lists for gene in genes)
    lists = [{gene for gene in genes if count[gene] == 1} for genes in lists]
    rows = [np.array(sorted(place[g] for g in genes if g in place), dtype=np.int64) for genes in lists]
    return _Made(of, rows, [len(genes) for genes in lists])


def _classify(
    samples: Sequence[str], made: _Made, z: Floats, orders: NDArray[np.int32], refusal: str
) -> pl.DataFrame:
    """Return one row a sample of one classification, without the patient."""
    found = np.stack([np.isfinite(z[rows]).sum(axis=0) for rows in made.rows])
    share = found / np.maximum(made.sizes, 1)[:, None]
    thin = (found < MIN_GENES) | (share < MIN_COVERAGE - 1e-9)
    place, distance, p = np.zeros(len(samples), dtype=np.int64), *np.full((2, len(samples)), np.nan)
    fit = np.flatnonzero(~thin.any(axis=0)) if not refusal else np.empty(0, dtype=np.int64)
    if fit.size:
        nearest = find_nearest(z[:, fit], made.rows, orders, signed=made.of.signed)
        place[fit], distance[fit], p[fit] = nearest.place, nearest.distance, nearest.p
    told = _Told([label for label, _, _ in made.of.classes], made.sizes, refusal)
    frame = pl.DataFrame(
        {
            "sample_id": list(samples),
            "near": told.name(place),
            "distance": distance,
            "p": p,
            "q": adjust_fdr(p),
            "coverage": share.min(axis=0),
            "why": told.say_empty(found, thin),
        },
        schema_overrides={"sample_id": pl.String, "near": pl.String, "why": pl.String},
    ).with_columns(pl.col("distance", "p", "q").fill_nan(None))
    called = pl.col("q") <= MAX_Q
    far = pl.format(
        "nearest is {}, but q {} is above {}", "near", pl.col("q").round_sig_figs(2), pl.lit(MAX_Q)
    )
    return frame.select(
        "sample_id",
        pl.lit(made.of.name).alias("classification"),
        pl.when(called).then("near").otherwise(pl.lit(UNCLASSIFIED)).alias("label"),
        "distance",
        "p",
        "q",
        "coverage",
        pl.when(called).then(None).when(pl.col("q").is_null()).then("why").otherwise(far).alias("reason"),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """Words for rows of `Classes`."""

    labels: list[str]
    sizes: list[int]
    refusal: str

    def name(self, place: NDArray[np.int64]) -> list[str]:
        """Return the label of each nearest template."""
        return [self.labels[number] for number in place.tolist()]

    def say_empty(self, found: NDArray[np.int64], thin: Bools) -> list[str]:
        """Return why a sample has no distance."""
        if self.refusal:
            return [self.refusal] * found.shape[1]
        worst: list[int] = (found / np.maximum(self.sizes, 1)[:, None] - 2.0 * thin).argmin(axis=0).tolist()
        return [
            f"template {self.labels[at]}: {found[at, number]} of {self.sizes[at]} genes measured, "
            f"{MIN_GENES} and {MIN_COVERAGE:.0%} are needed"
            if thin[at, number]
            else "the genes of the templates do not vary"
            for number, at in enumerate(worst)
        ]


def count_cells(
    matrix: Matrix, signatures: Sequence[Signature], *, min_coverage: float | None = None
) -> pl.DataFrame:
    """Return how much of each kind of cells is in each sample: the mean of its markers on the log2 scale.

    The mean of logarithms is the logarithm of the geometric mean. z places a sample in the cohort, from
    `MIN_CELL_COHORT` samples on. A kind with fewer than 5 markers needs all of them; one that rests on a
    single marker is flagged.

    Parameters
    ----------
    matrix
        Expression on a log2 scale.
    signatures
        Those of kind ``cells`` are taken.
    min_coverage
        Share of the markers that must be measured, in place of 25 %; below that it lifts the floor of 5.

    Returns
    -------
    pl.DataFrame
        Rows of `MechanismScores` without patient_id, sorted by key; percentiles are empty.

    References
    ----------
    Becht 2016, Genome Biology 17:218 (MCP-counter; program and markers: ebecht/MCPcounter, CC0).
    """
    kinds = select_signatures(signatures, kinds=("cells",))
    kinds = tuple(sorted(kinds, key=lambda signature: (signature.mechanism_id, signature.name)))
    members = find_members(matrix.genes, kinds)
    values = matrix.values[members.rows]
    counts = count_measured(members, np.isfinite(values))
    scores = average_halves(members, values, counts)[0]
    judged = _judge_markers(np.array(counts.both), members.sizes, min_coverage)
    samples = len(matrix.samples)
    placed = _place_in_cohort(np.where(judged.refused, np.nan, scores))
    single = Flag(np.broadcast_to(members.sizes[:, None] == 1, scores.shape), "one marker gene")
    rows = fill_rows(matrix, kinds, scores, judged=judged, method="mcp_counter", placed=placed, flag=single)
    small = pl.lit(f"small cohort ({samples} samples)" if samples < SMALL_CELL_COHORT else None, pl.String)
    words = pl.when(pl.col("z").is_not_null()).then(small)
    return rows.with_columns(
        flag=pl.concat_str("flag", words, separator="; ", ignore_nulls=True).replace("", None),
        reason=pl.col("reason").replace(judged.say_few(), "too few markers of these cells measured"),
    )


def _judge_markers(found: Floats, sizes: NDArray[np.int64], min_coverage: float | None) -> Judged:
    """Say where too few markers were measured; a kind of fewer than 5 needs all of them, not 5."""
    judged = judge_coverage(found, sizes, min_coverage)
    floor = np.minimum(sizes, judged.floor)[:, None]
    few = found < floor
    usual = ~(found < np.minimum(sizes, MIN_GENES)[:, None]) & (found >= MIN_COVERAGE * sizes[:, None] - 1e-9)
    return replace(judged, few=few, accepted=~few & ~judged.thin & ~usual)


def _place_in_cohort(scores: Floats) -> Placed:
    """Return the z of each score among the samples at hand, where enough have one."""
    mean, sd, n = describe_genes(scores)
    enough = (n >= MIN_CELL_COHORT)[:, None]
    z = np.where(enough, (scores - mean[:, None]) / sd[:, None], np.nan)
    words = (
        NO_REFERENCE,
        f"{NO_REFERENCE}; z needs {MIN_CELL_COHORT} samples",
        f"{NO_REFERENCE}; no spread, no z",
    )
    word = np.where(np.isfinite(z), 0, np.where(enough, 2, 1))
    return Placed(z, np.full(scores.shape, np.nan), words, word)
