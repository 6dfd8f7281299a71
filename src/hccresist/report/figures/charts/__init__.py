"""The drawings behind the figures: rows in, Altair charts out. Loaded only when something is drawn."""
