"""The drawings behind the figures: rows in, Altair charts out. Loaded only when something is drawn.

Text from the data goes into rows and scale domains, never into ``sort`` or expressions: Vega
compiles those, and a strange name would break the figure.
"""
