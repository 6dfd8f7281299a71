"""hccresist: who resists, why, and what might overcome it, in hepatocellular carcinoma.

The public surface is this list; each name is loaded when it is first used.

Examples
--------
>>> import polars as pl
>>> import hccresist as hr
>>> study = hr.study_from_frames(
...     patients=pl.DataFrame({"patient_id": ["P1"]}),
...     sums=pl.DataFrame({"patient_id": "P1", "measure": "longest", "day": [-3, 56], "sum": [14.0, 9.8]}),
... )
>>> hr.assess_study(study, criteria=["recist11"]).tables["best_response"]["best"].to_list()
['PR']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hccresist.assess import CRITERIA, Assessment, Criterion, assess_study, find_criterion
    from hccresist.citations import write_bibtex, write_methods
    from hccresist.demo import read_demo
    from hccresist.errors import ComputationError, ConfigError, InputError, PackageError
    from hccresist.explain.knowledge import EvidenceBase, read_base
    from hccresist.explain.look import explain_study
    from hccresist.explain.query import query_evidence
    from hccresist.explain.reference import load_reference
    from hccresist.explain.signatures import read_signatures
    from hccresist.flow import RunResult, run_pieces, run_study
    from hccresist.outcomes.competing import compute_cumulative_incidence
    from hccresist.outcomes.endpoints import derive_events
    from hccresist.outcomes.published import query_trials
    from hccresist.outcomes.rates import compute_rates
    from hccresist.outcomes.survival import compute_curves, summarise_survival
    from hccresist.overcome.engine import Job
    from hccresist.overcome.plan import Given, Procedure
    from hccresist.overcome.simulate import Cohort, simulate
    from hccresist.overcome.strategies import rank_strategies
    from hccresist.report.page import Report, render_report
    from hccresist.study.frames import study_from_frames
    from hccresist.study.issues import Issue, Severity
    from hccresist.study.lines import move_to_line
    from hccresist.study.policies import Policies
    from hccresist.study.read import read_study
    from hccresist.study.study import Study, StudyConfig
    from hccresist.study.tables import SCHEMAS
    from hccresist.study.write import write_tidy

_HOMES: Final = {
    "Assessment": "assess",
    "CRITERIA": "assess",
    "Cohort": "overcome.simulate",
    "ComputationError": "errors",
    "ConfigError": "errors",
    "Criterion": "assess",
    "EvidenceBase": "explain.knowledge",
    "Given": "overcome.plan",
    "InputError": "errors",
    "Issue": "study.issues",
    "Job": "overcome.engine",
    "PackageError": "errors",
    "Policies": "study.policies",
    "Procedure": "overcome.plan",
    "Report": "report.page",
    "RunResult": "flow",
    "SCHEMAS": "study.tables",
    "Severity": "study.issues",
    "Study": "study.study",
    "StudyConfig": "study.study",
    "assess_study": "assess",
    "compute_cumulative_incidence": "outcomes.competing",
    "compute_curves": "outcomes.survival",
    "compute_rates": "outcomes.rates",
    "derive_events": "outcomes.endpoints",
    "explain_study": "explain.look",
    "find_criterion": "assess",
    "load_reference": "explain.reference",
    "move_to_line": "study.lines",
    "query_evidence": "explain.query",
    "query_trials": "outcomes.published",
    "rank_strategies": "overcome.strategies",
    "read_base": "explain.knowledge",
    "read_demo": "demo",
    "read_signatures": "explain.signatures",
    "read_study": "study.read",
    "render_report": "report.page",
    "run_pieces": "flow",
    "run_study": "flow",
    "simulate": "overcome.simulate",
    "study_from_frames": "study.frames",
    "summarise_survival": "outcomes.survival",
    "write_bibtex": "citations",
    "write_methods": "citations",
    "write_tidy": "study.write",
}
"""Public name to the module that defines it."""

__all__ = [
    "CRITERIA",
    "SCHEMAS",
    "Assessment",
    "Cohort",
    "ComputationError",
    "ConfigError",
    "Criterion",
    "EvidenceBase",
    "Given",
    "InputError",
    "Issue",
    "Job",
    "PackageError",
    "Policies",
    "Procedure",
    "Report",
    "RunResult",
    "Severity",
    "Study",
    "StudyConfig",
    "assess_study",
    "compute_cumulative_incidence",
    "compute_curves",
    "compute_rates",
    "derive_events",
    "explain_study",
    "find_criterion",
    "load_reference",
    "move_to_line",
    "query_evidence",
    "query_trials",
    "rank_strategies",
    "read_base",
    "read_demo",
    "read_signatures",
    "read_study",
    "render_report",
    "run_pieces",
    "run_study",
    "simulate",
    "study_from_frames",
    "summarise_survival",
    "write_bibtex",
    "write_methods",
    "write_tidy",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from hccresist.citations import read_version  # noqa: PLC0415

        return read_version("hccresist")
    if name not in _HOMES:
        msg = f"module 'hccresist' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"hccresist.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
