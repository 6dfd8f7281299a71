"""Results in the field's own formats (ADaM-like data sets), and measurements from DICOM reports.

Tables in, files out; no science. A room above *assess* and *outcomes*, below *report*.
"""
