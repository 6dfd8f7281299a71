"""Is it resisting? Response, best response and dates under each criterion."""
