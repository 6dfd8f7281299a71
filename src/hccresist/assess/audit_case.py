"""A study as the checks of the audit see it; what several checks need is made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from hccresist.assess.audit_compare import compare_responses, match_visits
from hccresist.assess.audit_frames import (
    LESION,
    lesion_values,
    recorded_sums,
    scan_visits,
    tables_of_lesions,
    tables_of_sums,
)
from hccresist.assess.criteria import CRITERIA, Criterion, find_criterion
from hccresist.assess.visits import KEYS
from hccresist.study.policies import Policies
from hccresist.study.study import Study
from hccresist.study.tables import Responses


@dataclass(frozen=True)
class AuditCase:
    """A study to audit.

    Attributes
    ----------
    study
        Checked study.
    timepoints
        Result of *assess* on the same study, where the caller has it.
    """

    study: Study
    timepoints: pl.DataFrame | None = None

    @property
    def policies(self) -> Policies:
        """Policies in force."""
        return self.study.config.policies

    def missing(self, needs: tuple[str, ...]) -> list[str]:
        """Return what the study lacks of what a check needs: tables, or words of `_has`."""
        return [word for word in needs if not self._has(word)]

    def _has(self, word: str) -> bool:
        if word == "recorded sums":
            return not self.recorded_sums.is_empty()
        if word == "responses by a known criterion":
            return bool(self.criteria)
        if word == "recorded targets":
            return (self.lesions["role"] == "target").any()
        if word == "scans":
            return not self.scans.is_empty()
        table = self.study.table(word)
        return table is not None and not table.is_empty()

    @cached_property
    def criteria(self) -> dict[str, Criterion]:
        """Criteria of the recorded responses that the engine knows, by name."""
        variants = self.study.config.variants
        known = [name for name in self._recorded_criteria if name in CRITERIA or name in variants]
        return {name: find_criterion(name, variants) for name in known}

    @cached_property
    def unknown_criteria(self) -> list[str]:
        """Criteria of the recorded responses that the engine does not know."""
        return [name for name in self._recorded_criteria if name not in self.criteria]

    @cached_property
    def _recorded_criteria(self) -> list[str]:
        recorded = self.study.table("responses")
        return [] if recorded is None else sorted(recorded["criterion"].unique().to_list())

    @cached_property
    def responses(self) -> pl.DataFrame:
        """Recorded responses after baseline, by criteria that the engine knows."""
        recorded = self.study.tables["responses"].select(Responses.column_names())
        return recorded.filter(
            pl.col("criterion").is_in(list(self.criteria)),
            pl.col("day") > self.policies.baseline_window_end,
        ).sort(*KEYS, "criterion", "day")

    @cached_property
    def scans(self) -> pl.DataFrame:
        """Scans with the visit they belong to."""
        return scan_visits(self.study.tables, self.policies.visit_window_days, self.policies)

    @cached_property
    def lesions(self) -> pl.DataFrame:
        """Lesion rows with what they count, and their visit."""
        rows = lesion_values(self.study.tables, self.policies)
        return rows.join(self.scans, on=[*KEYS, "day"], how="left", maintain_order="left")

    @cached_property
    def baselines(self) -> pl.DataFrame:
        """Baseline visit of each series: the last one in the baseline window that has lesion rows."""
        low, high = self.policies.baseline_window_start, self.policies.baseline_window_end
        inside = self.lesions.filter(pl.col("last").is_between(low, high))
        return (
            inside.group_by(KEYS)
            .agg(pl.col("visit").max(), pl.col("last").max().alias("baseline_day"))
            .sort(KEYS)
        )

    @cached_property
    def targets(self) -> pl.DataFrame:
        """Recorded targets at baseline: one row a lesion, its last row of the baseline visit."""
        rows = self.lesions.filter(pl.col("role") == "target", pl.col("split_from").is_null())
        rows = rows.join(self.baselines, on=[*KEYS, "visit"], how="inner", maintain_order="left")
        return rows.unique(LESION, keep="last", maintain_order=True)

    @cached_property
    def recorded_sums(self) -> pl.DataFrame:
        """Recorded sums of longest diameters: patient_id, reader, day, sum."""
        return recorded_sums(self.study.tables)

    @cached_property
    def by_scans(self) -> pl.DataFrame:
        """Recorded responses with the scan they belong to."""
        return match_visits(self.responses, self.scans, self.policies)

    @cached_property
    def by_lesions(self) -> pl.DataFrame:
        """Recorded responses beside what the engine derives from the lesion rows alone."""
        return compare_responses(
            self.study,
            self.responses,
            tables=tables_of_lesions(self.study.tables),
            timepoints=self.timepoints if self._can_use_given() else None,
        )

    @cached_property
    def by_sums(self) -> pl.DataFrame:
        """Recorded responses beside what the engine derives from the recorded sums of targets."""
        tables = tables_of_sums(self.study.tables)
        return compare_responses(self.study, self.responses, tables=tables, timepoints=None)

    def _can_use_given(self) -> bool:
        """Return whether the caller's timepoints come from the lesion rows alone."""
        if self.timepoints is None or self.study.table("sums") is not None:
            return False
        visits = self.study.table("visits")
        if visits is not None and visits["target_override"].count() > 0:
            return False
        measured = self.timepoints.filter(pl.col("rule") != "GIVEN")["criterion"].unique().to_list()
        return set(self.criteria) <= set(measured)
