"""Sections of the report: each turns `Facts` into one piece of the page, and may fail alone."""
