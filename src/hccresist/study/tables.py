"""The tables of a study, one schema each.

A schema says, for each column, its type, unit, meaning and allowed codes; the data dictionary that
``hccresist init`` writes, the reader of the tidy folder and ``docs/reference/tables.md`` are all
made from it. Columns that no schema names are covariates: they are kept and come back out.

All days are counted from the start of the index line of treatment (negative before) and may be
fractional.
"""

from __future__ import annotations

from typing import Final

import dataframely as dy

from hccresist.study import codes

PATIENT: Final = "pseudonym of the patient"
READER: Final = "who read the scan; empty where the study names nobody"
DAY: Final = "days from start of the index line of treatment, negative before"


def _unit(unit: str) -> dict[str, str]:
    return {"unit": unit}


class Patients(dy.Schema):
    """One row a patient: what was known at the start of the index line."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    age_years = dy.Float64(nullable=True, min=0, max=120, metadata=_unit("years"), description="age")
    sex = dy.Enum(codes.SEX, nullable=True, description="sex")
    aetiology = dy.Enum(codes.AETIOLOGY, nullable=True, description="cause of the liver disease")
    bclc = dy.Enum(codes.BCLC, nullable=True, description="Barcelona Clinic Liver Cancer stage")
    child_pugh_score = dy.Int64(
        nullable=True, min=5, max=15, metadata=_unit("points"), description="Child-Pugh score"
    )
    ecog = dy.Int64(nullable=True, min=0, max=5, description="ECOG performance status")
    vascular_invasion = dy.Bool(nullable=True, description="macrovascular invasion")
    extrahepatic_spread = dy.Bool(nullable=True, description="extrahepatic spread")
    arm = dy.String(nullable=True, description="arm or cohort; results are also given by arm")


class Treatments(dy.Schema):
    """One row a drug in a line of treatment."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    line = dy.Int64(
        primary_key=True, min=0, description="line of systemic treatment, from 1; 0 for earlier adjuvant"
    )
    drug = dy.String(primary_key=True, description="drug, generic name")
    start_day = dy.Float64(nullable=True, metadata=_unit("day"), description="first dose")
    end_day = dy.Float64(nullable=True, metadata=_unit("day"), description="last dose; empty while ongoing")
    dose = dy.String(nullable=True, description="dose and schedule as recorded")
    end_reason = dy.Enum(codes.END_REASON, nullable=True, description="why the drug was stopped")


class Procedures(dy.Schema):
    """One row a local procedure."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    day = dy.Float64(primary_key=True, metadata=_unit("day"), description=DAY)
    kind = dy.Enum(codes.PROCEDURE, primary_key=True, description="kind of procedure")
    lesion_id = dy.String(nullable=True, description="lesion treated, where it was one")


class Visits(dy.Schema):
    """One row a scan and reader: what is known of it beside its lesions, and scans without any."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    day = dy.Float64(primary_key=True, metadata=_unit("day"), description=DAY)
    modality = dy.Enum(codes.MODALITY, nullable=True, description="imaging method")
    arterial_phase = dy.Bool(nullable=True, description="an adequate arterial phase was acquired")
    slice_mm = dy.Float64(
        nullable=True, min_exclusive=0, max=50, metadata=_unit("mm"), description="slice thickness"
    )
    adequate = dy.Bool(nullable=True, description="the scan can be assessed at all")
    nontarget = dy.Enum(
        codes.NONTARGET, nullable=True, description="recorded non-target response; overrides lesion states"
    )
    new_lesion = dy.Bool(nullable=True, description="an unequivocal new lesion was seen")
    fluid_cytology = dy.Enum(
        codes.FLUID_CYTOLOGY, nullable=True, description="cytology of new or larger effusion or ascites"
    )
    markers_normal = dy.Bool(
        nullable=True, description="tumour markers of the protocol are normal; false forbids CR"
    )
    target_override = dy.Enum(
        ("CR", "PR", "SD", "PD", "NE"),
        nullable=True,
        description="target response decided by the reader, against the sum",
    )


class Lesions(dy.Schema):
    """One row a lesion, scan and reader."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    lesion_id = dy.String(primary_key=True, description="identifier of the lesion within patient and reader")
    day = dy.Float64(primary_key=True, metadata=_unit("day"), description=DAY)
    role = dy.Enum(
        codes.ROLE, nullable=True, description="role of the lesion; empty at every scan: chosen by rule"
    )
    organ = dy.Enum(codes.ORGAN, nullable=True, description="site")
    node = dy.Bool(
        nullable=True, description="lymph node: its short axis counts; taken from organ where empty"
    )
    longest_mm = dy.Float64(
        nullable=True, min=0, max=1000, metadata=_unit("mm"), description="longest diameter"
    )
    short_axis_mm = dy.Float64(
        nullable=True, min=0, max=1000, metadata=_unit("mm"), description="short axis of a node"
    )
    perpendicular_mm = dy.Float64(
        nullable=True,
        min=0,
        max=1000,
        metadata=_unit("mm"),
        description="largest diameter perpendicular to the longest",
    )
    viable_mm = dy.Float64(
        nullable=True,
        min=0,
        max=1000,
        metadata=_unit("mm"),
        description="longest arterially enhancing (viable) diameter",
    )
    viable_perpendicular_mm = dy.Float64(
        nullable=True,
        min=0,
        max=1000,
        metadata=_unit("mm"),
        description="diameter perpendicular to the viable one",
    )
    necrosis_percent = dy.Float64(
        nullable=True, min=0, max=100, metadata=_unit("%"), description="necrotic share of the lesion by area"
    )
    attenuation_hu = dy.Float64(
        nullable=True,
        min=-1024,
        max=4000,
        metadata=_unit("HU"),
        description="mean attenuation, portal venous phase",
    )
    state = dy.Enum(
        codes.STATE, nullable=True, description="state of the lesion; empty with a measurement means present"
    )
    washout = dy.Bool(
        nullable=True, description="arterial enhancement with portal or late wash-out (typical pattern)"
    )
    split_from = dy.String(
        nullable=True, description="lesion of which this one is a part: its diameter is added there"
    )
    merged_into = dy.String(nullable=True, description="lesion that now carries the measurement of both")


class Sums(dy.Schema):
    """One row a sum of target lesions, for those who kept only sums."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    measure = dy.Enum(
        codes.SUM_MEASURE,
        primary_key=True,
        description="what was summed: longest and viable in mm, products in mm²",
    )
    day = dy.Float64(primary_key=True, metadata=_unit("day"), description=DAY)
    sum = dy.Float64(
        nullable=True,
        min=0,
        max=1e6,
        metadata=_unit("mm or mm²"),
        description="sum over target lesions; empty: not evaluable",
    )


class Responses(dy.Schema):
    """One row a response already recorded by the clinic."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(
        primary_key=True, description="criterion: recist11, mrecist, irecist or a name of your own"
    )
    day = dy.Float64(primary_key=True, metadata=_unit("day"), description=DAY)
    overall = dy.Enum(codes.RESPONSE, nullable=True, description="overall response at this scan")
    target = dy.Enum(codes.RESPONSE, nullable=True, description="target response at this scan")
    nontarget = dy.Enum(codes.RESPONSE, nullable=True, description="non-target response at this scan")
    new_lesion = dy.Bool(nullable=True, description="a new lesion was recorded at this scan")


class Labs(dy.Schema):
    """One row a laboratory result."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    day = dy.Float64(primary_key=True, metadata=_unit("day"), description=DAY)
    test = dy.String(
        primary_key=True,
        description="test: afp, dcp, bilirubin, albumin, inr, crp, neutrophils, lymphocytes, platelets …",
    )
    value = dy.Float64(description="result as a number")
    unit = dy.String(nullable=True, description="unit as printed by the laboratory")
    comparator = dy.Enum(("<", ">"), nullable=True, description="result is beyond the limit of the assay")


class Observations(dy.Schema):
    """One row a clinical observation."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    day = dy.Float64(primary_key=True, metadata=_unit("day"), description=DAY)
    name = dy.String(
        primary_key=True,
        description="ecog, ascites, encephalopathy, clinical_stability, ctdna_detected, ctdna_vaf …",
    )
    value = dy.String(nullable=True, description="value as recorded")


class Survival(dy.Schema):
    """One row a patient: follow-up and death; own endpoints as NAME_days and NAME_event."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    os_days = dy.Float64(
        nullable=True, min=0, metadata=_unit("days"), description="days from day 0 to death or last contact"
    )
    died = dy.Bool(nullable=True, description="true: died at os_days")
    entry_day = dy.Float64(
        nullable=True,
        metadata=_unit("day"),
        description="day from which the patient is under observation (delayed entry)",
    )
    last_alive_day = dy.Float64(
        nullable=True, metadata=_unit("day"), description="last day known alive, where os_days is not given"
    )
    death_cause = dy.Enum(codes.DEATH_CAUSE, nullable=True, description="cause of death")


class Samples(dy.Schema):
    """One row a tissue sample."""

    sample_id = dy.String(primary_key=True, description="identifier of the sample")
    patient_id = dy.String(description=PATIENT)
    day = dy.Float64(nullable=True, metadata=_unit("day"), description=DAY)
    tissue = dy.String(nullable=True, description="tumour, liver, blood …")


class Alterations(dy.Schema):
    """One row an alteration of a gene in a sample."""

    sample_id = dy.String(primary_key=True, description="identifier of the sample")
    gene = dy.String(primary_key=True, description="gene symbol as recorded")
    change = dy.String(primary_key=True, description="protein change, or copy-number state")
    kind = dy.String(nullable=True, description="variant classification, or 'copy_number'")


class Expression(dy.Schema):
    """Genes by samples; every column but the first is a sample."""

    gene = dy.String(primary_key=True, description="gene symbol or Ensembl identifier")


SCHEMAS: Final[dict[str, type[dy.Schema]]] = {
    "patients": Patients,
    "treatments": Treatments,
    "procedures": Procedures,
    "visits": Visits,
    "lesions": Lesions,
    "sums": Sums,
    "responses": Responses,
    "labs": Labs,
    "observations": Observations,
    "survival": Survival,
    "samples": Samples,
    "expression": Expression,
    "alterations": Alterations,
}
"""Every table of a study by name, in the order in which they are shown."""

ONE_OF: Final = ("lesions", "sums", "responses", "expression", "alterations")
"""A study needs `patients` and at least one of these."""

DEFAULTS: Final[dict[str, dict[str, str]]] = {
    table: {"reader": ""} for table in ("visits", "lesions", "sums", "responses")
}
"""Key columns that may be left out or empty, and what is then meant."""
