"""What the sections are made from: study, result tables and manifest, asked in the report's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, cast

import polars as pl

from hccresist.assess.all_results import ALL_RESULTS
from hccresist.assess.criteria import Criterion, Judge, find_criterion
from hccresist.errors import ConfigError
from hccresist.explain.results import RESULTS as EXPLAINED
from hccresist.outcomes.results import RESULTS as OUTCOMES
from hccresist.overcome.strategy_results import RESULTS as STRATEGIES
from hccresist.overcome.twin_results import RESULTS as TWINS
from hccresist.report import words
from hccresist.study.policies import describe
from hccresist.study.study import Study

STAGE_OF: Final = (
    dict.fromkeys(ALL_RESULTS, "assess")
    | dict.fromkeys(OUTCOMES, "outcomes")
    | dict.fromkeys(EXPLAINED, "explain")
    | dict.fromkeys(STRATEGIES, "overcome")
    | dict.fromkeys(TWINS, "twin")
)
"""Result table to the stage that makes it."""


@dataclass(frozen=True, slots=True, order=True)
class View:
    """One way to look at the same patients: a criterion as one reader saw it."""

    criterion: str
    reader: str

    @property
    def key(self) -> str:
        """Text for identifiers and file names."""
        return words.slug(self.criterion) + (f"-{words.slug(self.reader)}" if self.reader else "")

    @property
    def label(self) -> str:
        """Criterion and reader in words."""
        name = words.label_criterion(self.criterion)
        return f"{name}, {words.label_reader(self.reader)}" if self.reader else name


@dataclass(frozen=True)
class Facts:
    """Study, result tables and manifest of one run.

    Attributes
    ----------
    study
        The checked study.
    tables
        Result tables by name; any may be absent or empty.
    manifest
        What ``manifest.json`` holds.
    """

    study: Study
    tables: Mapping[str, pl.DataFrame]
    manifest: Mapping[str, object]

    def table(self, name: str) -> pl.DataFrame | None:
        """Return a result table, or ``None`` where it is absent or has no row."""
        frame = self.tables.get(name)
        return None if frame is None or frame.is_empty() else frame

    def why_absent(self, *names: str) -> str:
        """Return in one sentence why result tables are not there."""
        for name in names:
            for key in (name, STAGE_OF.get(name, name)):
                if key in self.failed:
                    return f"Stage ‘{key}’ failed: {self.failed[key].rstrip('.')}."
                if key in self.skipped:
                    return f"Skipped: {self.skipped[key].rstrip('.')}."
        named = words.listing(f"‘{name}’" for name in names)
        if all(name in self.tables for name in names):
            return f"Nothing to show: {named} came out of this run without a row."
        return f"Skipped: this run made no result table {named}."

    @cached_property
    def skipped(self) -> dict[str, str]:
        """Stage or criterion that was skipped, and why."""
        found = cast("Mapping[str, object]", self.manifest.get("skipped") or {})
        return {str(key): str(reason) for key, reason in found.items()}

    @cached_property
    def changed_policies(self) -> tuple[str, ...]:
        """Policies that differ from their default, in the order of the flow."""
        values = self.study.config.policies.values()
        return tuple(info.name for info in describe() if values[info.name] != info.default)

    @cached_property
    def failed(self) -> dict[str, str]:
        """Stage that failed, and why."""
        stages = self.records("stages")
        return {str(s["name"]): str(s.get("reason") or "") for s in stages if s.get("status") == "failed"}

    def records(self, name: str) -> list[dict[str, object]]:
        """Return a list of the manifest, empty where it has none; a bare word counts as a name."""
        found = cast("Sequence[Mapping[str, object] | str]", self.manifest.get(name) or ())
        return [{"name": item} if isinstance(item, str) else dict(item) for item in found]

    def text(self, name: str) -> str:
        """Return a plain value of the manifest as text, empty where it has none."""
        value = self.manifest.get(name)
        return "" if value is None else str(value)

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Criteria and readers with results, in the order of the study's configuration."""
        found: set[View] = set()
        for name in ("best_response", "timepoints", "rates"):
            frame = self.table(name)
            if frame is not None and {"criterion", "reader"} <= set(frame.columns):
                pairs = frame.select("criterion", "reader").unique().iter_rows()
                found |= {View(criterion, reader) for criterion, reader in pairs}
        return self.sort_views(found)

    def sort_views(self, views: Iterable[View]) -> tuple[View, ...]:
        """Return distinct views, criteria in the order of the study's configuration, then readers by name."""
        order = {name: i for i, name in enumerate(self.study.config.criteria)}
        return tuple(
            sorted(set(views), key=lambda v: (order.get(v.criterion, len(order)), v.criterion, v.reader))
        )

    @cached_property
    def criteria(self) -> tuple[str, ...]:
        """Criteria with results, in order."""
        return tuple(dict.fromkeys(view.criterion for view in self.views))

    @cached_property
    def readers(self) -> tuple[str, ...]:
        """Readers with results, by name."""
        return tuple(sorted({view.reader for view in self.views}))

    @cached_property
    def lead_reader(self) -> str:
        """Reader whose results are shown first: the primary one of the policies, else the first by name."""
        primary = self.study.config.policies.primary_reader
        if primary in self.readers:
            return primary
        return self.readers[0] if self.readers else ""

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """Arms by name; empty where the study has fewer than two."""
        patients = self.study.patients
        if "arm" not in patients.columns:
            return ()
        found = sorted(patients["arm"].drop_nulls().unique().to_list())
        return tuple(found) if len(found) > 1 else ()

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """``all``, then the arms."""
        return ("all", *self.arms)

    @cached_property
    def arm_of(self) -> pl.DataFrame:
        """Patient and arm, null where the patient has none."""
        patients = self.study.patients
        arm = pl.col("arm").cast(pl.String) if "arm" in patients.columns else pl.lit(None, dtype=pl.String)
        return patients.select("patient_id", arm.alias("arm"))

    def criterion(self, name: str) -> Criterion | None:
        """Return a criterion's record, or ``None`` for a name under which the study recorded responses."""
        try:
            return find_criterion(name, self.study.config.variants)
        except ConfigError:
            return None

    def unit(self, criterion: str) -> str:
        """Return the unit of a criterion's sums: mm or mm²."""
        record = self.criterion(criterion)
        return "mm²" if record is not None and record.measure.is_area else "mm"

    def guides(self, criterion: str) -> tuple[float, ...]:
        """Return the changes in percent at which a criterion's sum alone decides: response, progression."""
        record = self.criterion(criterion)
        if record is None or record.judge is not Judge.SUM:
            return ()
        return (record.response_percent - 100.0, record.progression_percent - 100.0)

    def of_view(self, name: str, view: View) -> pl.DataFrame:
        """Return the rows of one criterion and reader; no row where the table is absent."""
        frame = self.tables.get(name)
        if frame is None:
            return pl.DataFrame()
        return frame.filter(pl.col("criterion") == view.criterion, pl.col("reader") == view.reader)


def label_group(group: str) -> str:
    """Return a group's name as a heading."""
    return "All patients" if group == "all" else group
