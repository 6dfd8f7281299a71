"""The virtual patient: the model as text, its parameters with sources, its compiled form.

The science stands in `lesion.ant` and `patient.ant`; values in `parameters.csv`, resistance handles in
`handles.csv`, what drugs do in `exposures.csv` and `drugs.csv`. `text` reads them, `generate` writes
`kernel_generated.py`, `integrate` runs it, `export` hands it on as Antimony or SBML.
"""
