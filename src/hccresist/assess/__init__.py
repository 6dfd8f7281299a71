"""Is it resisting? Response, best response and dates under each criterion."""

from hccresist.assess.criteria import CRITERIA, Criterion, find_criterion
from hccresist.assess.engine import Assessment, assess_study, finish_timepoints

__all__ = ["CRITERIA", "Assessment", "Criterion", "assess_study", "find_criterion", "finish_timepoints"]
