"""Every result table of *assess* and its schema, for documentation and checks."""

from __future__ import annotations

from typing import Final

import dataframely as dy

from hccresist.assess import audit_results, closer_results, growth_results, marker_results, results

ALL_RESULTS: Final[dict[str, type[dy.Schema]]] = {
    **results.RESULTS,
    **results.FURTHER_RESULTS,
    **closer_results.RESULTS,
    **growth_results.RESULTS,
    **marker_results.RESULTS,
    **audit_results.RESULTS,
}
"""Table name to schema."""
