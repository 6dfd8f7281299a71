"""Rates and survival, thin over SciPy and lifelines."""
