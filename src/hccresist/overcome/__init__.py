"""What might overcome it: so far the model of the virtual patient (`overcome.model`) and what drugs do."""
