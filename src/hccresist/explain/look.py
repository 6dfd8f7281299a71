"""The tables of *explain*, each by its own function, from what is made once.

Each entry of `TABLES` makes one table. What several need (the matrix, the scores, the calls) is kept in
an `Inquiry`, so that the order does not matter and nothing is made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from hccresist.explain.alterations import call_alterations
from hccresist.explain.association import associate
from hccresist.explain.association_features import collect_features
from hccresist.explain.association_null import NullSets
from hccresist.explain.classes import classify_tumours, count_cells
from hccresist.explain.confounders import audit_confounders
from hccresist.explain.knowledge import read_base
from hccresist.explain.matching import STATES, alteration_states, gene_states, match_evidence, set_states
from hccresist.explain.matrix import Prepared, prepare_expression
from hccresist.explain.reference import Reference
from hccresist.explain.results import AlterationCalls, MechanismScores
from hccresist.explain.scoring import (
    align_reference,
    explain_unlike,
    measure_coverage,
    score_cohort,
    score_rank,
    score_reference,
)
from hccresist.explain.scoring_core import describe_genes
from hccresist.explain.signatures import Signature, read_signatures
from hccresist.study.study import Study

MIN_COHORT: Final = 10
"""Tumours from which a cohort is compared with itself when findings are matched (ours)."""


@dataclass(kw_only=True)
class Inquiry:
    """A study, the results made before, and what was asked for.

    Attributes
    ----------
    study
        Checked study.
    tables
        Result tables of the stages before, by name.
    reference
        Reference that tumours are held against; the cohort itself where there is none.
    signatures
        Gene sets.
    min_coverage
        Share of the genes of a set from which it is scored; the default if not given.
    covariates
        Columns that adjusted models take in.
    landmark_days
        Landmark for what is known only after day 0.
    scale
        Scale of the expression; found from the values if not given.
    platform
        Platform of the samples in the user's words.
    """

    study: Study
    tables: Mapping[str, pl.DataFrame]
    reference: Reference | None = None
    signatures: Sequence[Signature] = field(default_factory=read_signatures)
    min_coverage: float | None = None
    covariates: Sequence[str] = ()
    landmark_days: float | None = None
    scale: str | None = None
    platform: str = ""

    @cached_property
    def prepared(self) -> Prepared:
        """Expression as a matrix, with what was found on the way."""
        return prepare_expression(self.study, scale=self.scale)

    @cached_property
    def unlike(self) -> str:
        """Why the samples cannot be held against the reference; empty where they can, or there is none."""
        if self.reference is None or not self.has_expression:
            return ""
        return explain_unlike(self.prepared.matrix, self.reference, platform=self.platform)

    @property
    def notices(self) -> tuple[str, ...]:
        """What was noticed of the expression, and of its likeness to the reference."""
        found = self.prepared.notices if self.has_expression else ()
        return (*found, self._notice()) if self.unlike else found

    def _notice(self) -> str:
        name = "" if self.reference is None else self.reference.name
        return f"no gene or gene set was held against the reference {name}: {self.unlike}"

    def sample_report(self) -> pl.DataFrame:
        """Return table `sample_report`, with the notice where the reference is unlike the samples."""
        report = self.prepared.sample_report
        if not self.unlike:
            return report
        said = pl.concat_str([pl.col("note"), pl.lit(self._notice())], separator="; ", ignore_nulls=True)
        return report.with_columns(note=pl.when("used").then(said).otherwise("note"))

    @cached_property
    def scored(self) -> tuple[Signature, ...]:
        """Gene sets that are scored: templates of classes and cell markers have tables of their own."""
        return tuple(item for item in self.signatures if item.kind in ("mechanism", "own"))

    @cached_property
    def scores(self) -> pl.DataFrame:
        """Table `mechanism_scores`."""
        matrix = self.prepared.matrix
        least, held = self.min_coverage, self.reference
        parts = [score_rank(matrix, self.scored, min_coverage=least, reference=held, platform=self.platform)]
        if held is None:
            parts.append(_place(score_cohort(matrix, self.scored, min_coverage=least)))
        else:
            parts.append(
                score_reference(matrix, self.scored, held, min_coverage=least, platform=self.platform)
            )
        parts.append(count_cells(matrix, self.signatures, min_coverage=self.min_coverage))
        columns = [name for name in MechanismScores.column_names() if name != "patient_id"]
        rows = pl.concat([part.select(columns) for part in parts])
        owner = pl.col("sample_id").replace_strict(
            self.prepared.patients, default=None, return_dtype=pl.String
        )
        made = rows.with_columns(patient_id=owner).select(MechanismScores.column_names())
        return MechanismScores.validate(made, cast=True).sort(MechanismScores.primary_key())

    @cached_property
    def calls(self) -> pl.DataFrame:
        """Table `alteration_calls`; empty where the study has none."""
        if "alterations" not in self.study.tables:
            return AlterationCalls.create_empty()
        return call_alterations(self.study)

    @cached_property
    def features(self) -> pl.DataFrame:
        """Everything that may go with the outcome."""
        scores = self.scores if self.has_expression else None
        return collect_features(
            self.study, tables=self.tables, mechanism_scores=scores, alteration_calls=self.calls
        )

    @property
    def has_expression(self) -> bool:
        """Whether the study has expression."""
        return "expression" in self.study.tables

    def states(self) -> pl.DataFrame:
        """Return what stands out in each tumour; expression only where the reference is like the samples."""
        parts = [pl.DataFrame(schema=STATES), alteration_states(self.calls)]
        if self.has_expression:
            method = "cohort_z" if self.reference is None else "reference_z"
            against = "this cohort" if self.reference is None else f"the reference {self.reference.name}"
            matrix = self.prepared.matrix
            enough = self.reference is not None or len(matrix.samples) >= MIN_COHORT
            if enough and not self.unlike:
                scores = self.scores.filter(pl.col("method").cast(pl.String) == method)
                parts.append(set_states(scores, self.scored, against=against))
                genes, z = self._gene_z()
                parts.append(gene_states(matrix.samples, genes, z, against=against))
        return pl.concat(parts)

    def _gene_z(self) -> tuple[list[str], np.ndarray]:
        """Return the genes that the evidence base knows and their z in each sample."""
        marks, matrix = read_base().marks, self.prepared.matrix
        known = set(marks["subject"]) | set(marks["members"].explode().drop_nulls())
        rows = [number for number, gene in enumerate(matrix.genes) if gene in known]
        values = matrix.values[rows]
        if self.reference is None:
            mean, sd, _ = describe_genes(values)
        else:
            mean, sd = (part[rows] for part in align_reference(matrix, self.reference))
        return [matrix.genes[row] for row in rows], (values - mean[:, None]) / sd[:, None]

    def null_sets(self) -> NullSets | None:
        """Return what random sets are drawn from: the ranks within each tumour."""
        if not self.has_expression:
            return None
        from scipy.stats import rankdata  # noqa: PLC0415

        matrix = self.prepared.matrix
        whole = np.all(np.isfinite(matrix.values), axis=1)
        values = matrix.values[whole]
        if not values.size:
            return None
        genes = [gene for gene, keep in zip(matrix.genes, whole.tolist(), strict=True) if keep]
        ranks = rankdata(values, axis=0) / max(len(genes), 1)
        sets = {item.name: item.up for item in self.scored if not item.down}
        return NullSets(
            genes=genes, samples=matrix.samples, values=ranks, level=values.mean(axis=1), sets=sets
        )


def _place(scores: pl.DataFrame) -> pl.DataFrame:
    """Return cohort-relative scores with z: standard deviations of the set's score in this cohort."""
    spread = (pl.col("score") - pl.col("score").mean()) / pl.col("score").std()
    return scores.with_columns(z=spread.over("set").fill_nan(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How a table is made, and which tables of the study it needs: at least one of them."""

    make: Callable[[Inquiry], pl.DataFrame]
    needs: tuple[str, ...]

    def why_not(self, study: Study) -> str:
        """Return why the table cannot be made, or an empty string."""
        if any(name in study.tables for name in self.needs):
            return ""
        return f"the study has no {' or '.join(self.needs)}"


_OMICS: Final = ("expression", "alterations")

TABLES: Final[dict[str, Table]] = {
    "sample_report": Table(make=lambda ask: ask.sample_report(), needs=("expression",)),
    "gene_report": Table(make=lambda ask: ask.prepared.gene_report, needs=("expression",)),
    "coverage": Table(
        make=lambda ask: (
            measure_coverage(ask.prepared.matrix, ask.scored, min_coverage=ask.min_coverage).table
        ),
        needs=("expression",),
    ),
    "mechanism_scores": Table(make=lambda ask: ask.scores, needs=("expression",)),
    "classes": Table(
        make=lambda ask: classify_tumours(
            ask.prepared.matrix,
            ask.signatures,
            patients=ask.prepared.patients,
            reference=ask.reference,
            platform=ask.platform,
        ),
        needs=("expression",),
    ),
    "alteration_calls": Table(make=lambda ask: ask.calls, needs=("alterations",)),
    "evidence_matches": Table(
        make=lambda ask: match_evidence(ask.study, read_base(), ask.states(), patients=find_patients(ask)),
        needs=_OMICS,
    ),
    "confounders": Table(
        make=lambda ask: audit_confounders(
            ask.study,
            tables=ask.tables,
            matrix=ask.prepared.matrix if ask.has_expression else None,
            covariates=ask.covariates,
        ),
        needs=_OMICS,
    ),
    "associations": Table(
        make=lambda ask: associate(
            ask.study,
            features=ask.features,
            tables=ask.tables,
            null_sets=ask.null_sets(),
            covariates=ask.covariates,
            landmark_days=ask.landmark_days,
        ),
        needs=(*_OMICS, "labs", "lesions", "sums", "responses"),
    ),
}
"""Tables of *explain*, in the order in which they are made."""


def find_patients(ask: Inquiry) -> dict[str, str]:
    """Return the patient of each sample that has expression or alterations."""
    found = dict(ask.prepared.patients) if ask.has_expression else {}
    pairs = ask.calls.select("sample_id", "patient_id").unique()
    return found | dict(zip(pairs["sample_id"].to_list(), pairs["patient_id"].to_list(), strict=True))


def explain_study(
    study: Study,
    *,
    tables: Mapping[str, pl.DataFrame] | None = None,
    reference: Reference | None = None,
    signatures: Sequence[Signature] | None = None,
    min_coverage: float | None = None,
    covariates: Sequence[str] = (),
    landmark_days: float | None = None,
) -> dict[str, pl.DataFrame]:
    """Say which mechanisms are on in each tumour, what is known of them, and what goes with the outcome.

    Parameters
    ----------
    study
        Checked study with expression or alterations; a study without is held against its markers.
    tables
        Result tables of the stages before (best_response, timepoints, resistance, events, patterns,
        markers); without them response and survival are those that the study records.
    reference
        Reference that tumours are held against; the cohort itself if not given.
    signatures
        Gene sets; those of the package if not given.
    min_coverage
        Share of the genes of a set from which it is scored, from 0 to 1; 0.25 if not given.
    covariates
        Columns of patients or samples that adjusted models take in.
    landmark_days
        Day from which what is known only after day 0 is compared.

    Returns
    -------
    dict
        Table name to table, as in `hccresist.explain.results`; what the study cannot give is left out.

    Raises
    ------
    InputError, ConfigError
        With what is wrong in the study or an option.
    """
    ask = Inquiry(
        study=study,
        tables={} if tables is None else tables,
        reference=reference,
        signatures=read_signatures() if signatures is None else signatures,
        min_coverage=min_coverage,
        covariates=covariates,
        landmark_days=landmark_days,
    )
    return {name: table.make(ask) for name, table in TABLES.items() if not table.why_not(study)}
