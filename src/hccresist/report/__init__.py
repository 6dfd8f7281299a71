"""Figures, sections and the page. No science in here."""
