"""By which mechanism? Scores, alterations, evidence, and what goes with response and survival."""
