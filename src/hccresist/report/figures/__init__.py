"""Figures: each a picture, the data behind it and words for those who do not see it."""
