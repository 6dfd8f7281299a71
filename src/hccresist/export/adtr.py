"""ADTR: sums of targets with their changes, and the measurements of each lesion."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.criteria import find_criterion
from hccresist.export.datasets import ADTR
from hccresist.export.parameters import Coding, Parameter
from hccresist.export.rows import Tables, add_subjects, code_parameters, number_rows, study_day
from hccresist.study.study import Study

LESION: Final = "Lesion Measurement"
SUMS: Final = "Target Lesion(s)"
SIZES: Final = {
    "longest_mm": Parameter("LDIAM", "Longest Diameter (mm)", LESION),
    "short_axis_mm": Parameter("SAXIS", "Short Axis (mm)", LESION),
    "perpendicular_mm": Parameter("LPERP", "Longest Perpendicular (mm)", LESION),
    "viable_mm": Parameter("VDIAM", "Longest Viable Diameter (mm)", LESION),
    "viable_perpendicular_mm": Parameter("VPERP", "Longest Viable Perpendicular (mm)", LESION),
    "necrosis_percent": Parameter("NECR", "Necrotic Share (%)", LESION),
    "attenuation_hu": Parameter("ATTEN", "Mean Attenuation (HU)", LESION),
}
SUM_UNITS: Final = {
    "mm": Parameter("SUM", "Sum of Diameters (mm)", SUMS),
    "mm²": Parameter("SUM", "Sum of Products (mm2)", SUMS),
}
NEW_SUM: Final = Parameter("NSUM", "Sum of New Target Lesions (mm)", SUMS)


def derive_adtr(study: Study, tables: Tables) -> pl.DataFrame:
    """Return ADTR: sums of targets with their changes, and the measurements of each lesion.

    Sums come from `baselines` and `timepoints`, one parameter a criterion and reader. ``ANL01FL`` is Y for a
    sum that the criterion compared: all targets evaluated, or those evaluated show progression. Lesions
    come from the study's own table, as measured.
    """
    lesions = study.table("lesions")
    coding = code_parameters(
        study, [tables["timepoints"], tables["baselines"], *([] if lesions is None else [lesions])]
    )
    parts = [_baseline_sums(study, tables, coding), *_visit_sums(study, tables, coding)]
    if lesions is not None:
        rows = number_rows(lesions, "lesions").with_columns(criterion=pl.lit(""))
        parts += [_sizes(rows, coding, column, parameter) for column, parameter in SIZES.items()]
    return ADTR.finish(add_subjects(study, pl.concat(parts, how="diagonal")))


def _in_units(study: Study, rows: pl.DataFrame, coding: Coding) -> list[pl.Expr]:
    """Return code and name of the sum of each row's criterion: of diameters or of products."""
    variants = study.config.variants
    names = rows["criterion"].unique().to_list()
    areas = [name for name in names if find_criterion(name, variants).measure.is_area]
    product = pl.col("criterion").is_in(areas)
    both = zip(coding.columns(SUM_UNITS["mm²"]), coding.columns(SUM_UNITS["mm"]), strict=True)
    return [
        pl.when(product).then(area).otherwise(length).alias(length.meta.output_name())
        for area, length in both
    ]


def _baseline_sums(study: Study, tables: Tables, coding: Coding) -> pl.DataFrame:
    rows = number_rows(tables["baselines"], "baselines").filter(pl.col("baseline_mm").is_not_null())
    return rows.select(
        "patient_id",
        *_in_units(study, rows, coding),
        study_day("day").alias("ADY"),
        pl.col("baseline_mm").alias("AVAL"),
        pl.lit("Y").alias("ABLFL"),
        pl.col("baseline_mm").alias("BASE"),
        pl.lit("Y").alias("ANL01FL"),
        "SRCDOM",
        pl.lit("BASELINE_MM").alias("SRCVAR"),
        "SRCSEQ",
    )


def _visit_sums(study: Study, tables: Tables, coding: Coding) -> list[pl.DataFrame]:
    rows = number_rows(tables["timepoints"], "timepoints")
    sums = rows.filter(pl.col("sum_mm").is_not_null())
    compared = pl.col("change_from_baseline_percent").is_not_null()
    compared |= pl.col("change_from_nadir_percent").is_not_null()
    new = rows.filter(pl.col("new_target_sum_mm").is_not_null())
    return [
        sums.select(
            "patient_id",
            *_in_units(study, sums, coding),
            study_day("day").alias("ADY"),
            pl.col("sum_mm").alias("AVAL"),
            pl.col("baseline_mm").alias("BASE"),
            (pl.col("sum_mm") - pl.col("baseline_mm")).alias("CHG"),
            pl.col("change_from_baseline_percent").alias("PCHG"),
            pl.col("nadir_mm").alias("NADIR"),
            (pl.col("sum_mm") - pl.col("nadir_mm")).alias("CHGNAD"),
            pl.col("change_from_nadir_percent").alias("PCHGNAD"),
            pl.when(compared).then(pl.lit("Y")).alias("ANL01FL"),
            "SRCDOM",
            pl.lit("SUM_MM").alias("SRCVAR"),
            "SRCSEQ",
        ),
        new.select(
            "patient_id",
            *coding.columns(NEW_SUM),
            study_day("day").alias("ADY"),
            pl.col("new_target_sum_mm").alias("AVAL"),
            "SRCDOM",
            pl.lit("NEW_TARGET_SUM_MM").alias("SRCVAR"),
            "SRCSEQ",
        ),
    ]


def _sizes(rows: pl.DataFrame, coding: Coding, column: str, parameter: Parameter) -> pl.DataFrame:
    """Return the measurements of one kind."""
    return rows.filter(pl.col(column).is_not_null()).select(
        "patient_id",
        *coding.columns(parameter),
        pl.col("lesion_id").alias("TRLNKID"),
        pl.col("role").cast(pl.String).str.to_uppercase().alias("TRGRPID"),
        pl.col("organ").cast(pl.String).str.to_uppercase().str.replace_all("_", " ").alias("TULOC"),
        study_day("day").alias("ADY"),
        pl.col(column).alias("AVAL"),
        "SRCDOM",
        pl.lit(column.upper()).alias("SRCVAR"),
        "SRCSEQ",
    )
