"""Grades of single nodules: treatment effect of RECICL, and LI-RADS treatment response v2018.

Both are read from recorded findings, never from images. What was seen of the rules stands in each row
and in ``docs/reference/verification.md``: the grades of RECICL and the categories of LI-RADS v2018 in a
later table (PMC6287184), neither in its own publication. LI-RADS v2024, which has an algorithm of its own
for radiation, was not seen and is not applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.assess.audit_check import say
from hccresist.assess.audit_frames import LESION, lesion_values, scan_visits
from hccresist.assess.audit_results import Nodules
from hccresist.assess.visits import KEYS
from hccresist.study.codes import CURATIVE_PROCEDURES
from hccresist.study.study import Study

ENLARGED_PERCENT: Final = 25.0
"""Growth of the area above which a nodule is TE1. RECICL, as tabulated in PMC6287184."""
PARTIAL_PERCENT: Final = 50.0
"""Necrosis or reduction of the area from which a nodule is TE3. RECICL, as tabulated in PMC6287184."""
STATUS: Final = "verified_secondary"
"""Both sets of grades were seen in a later table, not in their own publications."""

_AREA, _BASE = pl.col("area"), pl.col("base_area")
_NECROSIS, _REDUCTION = pl.col("necrosis_percent"), pl.col("reduction")


def derive_nodules(study: Study) -> pl.DataFrame:
    """Return the treatment effect and the LI-RADS treatment response of every nodule at every scan.

    Treatment effect (RECICL), from the baseline scan of the study, on areas (longest × perpendicular):

    1. Not evaluable, or merged into another lesion: no grade.
    2. Gone (absent, or necrosis of 100 %): TE4; what tells TE4a from TE4b, the margin, is not recorded.
    3. Area not known at both scans: no grade, as growth cannot be excluded.
    4. Area more than 25 % larger than at baseline, whatever the necrosis: TE1.
    5. Necrosis or reduction of the area of at least 50 %: TE3. 6. Otherwise: TE2.

    LI-RADS treatment response v2018, of lesions with a local procedure of their own before the scan:

    1. Scan or lesion not evaluable, merged, or no arterial phase: *not_evaluable*.
    2. Recorded as equivocal: *equivocal*. 3. Viable diameter above 0, or wash-out: *viable*.
    4. Gone, a viable diameter of 0, or necrosis of 100 %: *nonviable*.
    5. Enhancement not recorded: *not_evaluable*.

    Parameters
    ----------
    study
        Checked study with lesions; procedures name the lesion that was treated.

    Returns
    -------
    polars.DataFrame
        Table `nodules`, sorted by key: scans after baseline of lesions in the liver.

    References
    ----------
    RECICL (Kudo, 2015 and 2019 revisions) and LI-RADS v2018, both as tabulated in PMC6287184.
    """
    rows = _follow_up(study).rechunk()
    graded = rows.with_columns(_decide(EFFECTS, EFFECT_COLUMNS)).with_columns(
        _decide(CATEGORIES, CATEGORY_COLUMNS)
    )
    treated = pl.col("procedure_day").is_not_null()
    sized = pl.col("lirads").is_in(["viable", "equivocal"]) & (pl.col("viable_mm") > 0)
    graded = graded.with_columns(
        lirads=pl.when(treated).then("lirads"),
        lirads_reason=pl.when(treated).then("lirads_reason").otherwise(pl.lit(UNTREATED)),
        viable_size_mm=pl.when(treated & sized).then("viable_mm"),
        effect_percent=pl.when(~_unread()).then(pl.max_horizontal("necrosis_percent", "reduction")),
        treatment_effect_status=pl.lit(STATUS),
        lirads_status=pl.lit(STATUS),
    )
    table = graded.select(Nodules.column_names()).sort(Nodules.primary_key())
    return Nodules.cast(table)


def _follow_up(study: Study) -> pl.DataFrame:
    """Return the rows of hepatic lesions after baseline, with area now and at baseline, and procedure."""
    policies, tables = study.config.policies, study.tables
    scans = scan_visits(tables, policies.visit_window_days, policies)
    rows = lesion_values(tables, policies).join(scans, on=[*KEYS, "day"], how="left", maintain_order="left")
    rows = rows.filter(~pl.col("node"), pl.col("organ").fill_null("liver") == "liver")
    rows = _with_scans(rows, tables).with_columns(area=_area(policies.tstm_value))
    inside = pl.col("last").is_between(policies.baseline_window_start, policies.baseline_window_end)
    visits = rows.filter(inside).group_by(KEYS).agg(pl.col("visit").max())
    base = rows.join(visits, on=[*KEYS, "visit"], how="semi", maintain_order="left")
    base = base.unique(LESION, keep="last", maintain_order=True)
    base = base.select(*LESION, base_area="area", baseline_day="day")
    later = rows.filter(pl.col("first") > policies.baseline_window_end)
    later = later.join(base, on=LESION, how="left", maintain_order="left")
    return _with_procedures(later, tables).with_columns(
        reduction=pl.when(_BASE > 0).then(100 * (_BASE - _AREA) / _BASE)
    )


def _area(too_small_mm: float) -> pl.Expr:
    """Return the area of each row in mm²: 0 where the lesion is gone, null where not measured."""
    small = (pl.col("state") == "too_small") & pl.col("longest_mm").is_null()
    return (
        pl.when(_gone())
        .then(pl.lit(0.0))
        .when(small)
        .then(pl.lit(float(too_small_mm) ** 2))
        .when(~_unread())
        .then(pl.col("longest_mm") * pl.col("perpendicular_mm"))
    )


def _is(*states: str) -> pl.Expr:
    return pl.col("state").is_in(states).fill_null(value=False)


def _gone() -> pl.Expr:
    zero = (pl.col("longest_mm") == 0).fill_null(value=False) & pl.col("state").is_null()
    return (_is("absent") | zero) & ~_unread()


def _unread() -> pl.Expr:
    return _is("not_evaluable", "merged") | ~pl.col("adequate").fill_null(value=True)


def _with_scans(rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    unknown = pl.lit(None, dtype=pl.Boolean)
    if "visits" not in tables:
        return rows.with_columns(arterial_phase=unknown, adequate=unknown)
    flags = tables["visits"].select(*KEYS, "day", "arterial_phase", "adequate")
    return rows.join(flags, on=[*KEYS, "day"], how="left", maintain_order="left")


def _with_procedures(rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Add the last local procedure on each lesion before each scan: its day and kind."""
    names = {"procedure_day": pl.Float64, "procedure": pl.String}
    if "procedures" not in tables:
        return rows.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in names.items())
    local = (
        tables["procedures"]
        .drop_nulls("lesion_id")
        .filter(~pl.col("kind").is_in(CURATIVE_PROCEDURES))
        .select("patient_id", "lesion_id", procedure_day="day", procedure=pl.col("kind").cast(pl.String))
        .sort("procedure_day", "procedure")
    )
    return rows.sort("day").join_asof(
        local,
        left_on="day",
        right_on="procedure_day",
        by=["patient_id", "lesion_id"],
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )


# Grades and categories: the first case that holds decides


@dataclass(frozen=True, slots=True)
class _Case:
    """When it holds, what it means (empty: nothing), on what it rests, and the sentence."""

    holds: pl.Expr
    word: str
    basis: str
    reason: pl.Expr


def _decide(cases: Sequence[_Case], names: tuple[str, str, str]) -> list[pl.Expr]:
    """Return word, basis and reason of the first case that holds; the last one always does."""

    def first(part: Callable[[_Case], pl.Expr]) -> pl.Expr:
        return pl.coalesce(pl.when(case.holds.fill_null(value=False)).then(part(case)) for case in cases)

    word, basis, reason = names
    return [
        first(lambda case: pl.lit(case.word)).replace("", None).alias(word),
        first(lambda case: pl.lit(case.basis)).replace("", None).alias(basis),
        first(lambda case: case.reason).alias(reason),
    ]


def _change(said: str, percent: pl.Expr, limit: str) -> pl.Expr:
    text = f"Area {{}} mm², {said} {{}} % from {{}} mm² at baseline: {limit}."
    return pl.format(text, say("area"), say(percent), say("base_area"))


_ALWAYS: Final = pl.lit(value=True)

EFFECTS: Final = (
    _Case(_unread(), "", "", pl.lit("The lesion could not be evaluated at this scan, or has merged.")),
    _Case(_gone(), "TE4", "absent", pl.lit("The lesion is gone; the ablative margin is not recorded.")),
    _Case(
        _NECROSIS == 100,
        "TE4",
        "necrosis",
        pl.lit("Necrosis of 100 %; the ablative margin is not recorded."),
    ),
    _Case(
        _REDUCTION.is_null(),
        "",
        "",
        pl.format(
            "Area {} mm² at baseline and {} mm² now: growth above 25 % cannot be excluded.",
            say("base_area"),
            say("area"),
        ),
    ),
    _Case(
        100 * _AREA > (100 + ENLARGED_PERCENT) * _BASE,
        "TE1",
        "enlargement",
        _change("grew by", -_REDUCTION, "more than 25 %"),
    ),
    _Case(
        _NECROSIS >= PARTIAL_PERCENT,
        "TE3",
        "necrosis",
        pl.format("Necrosis of {} %: at least 50 %.", say("necrosis_percent")),
    ),
    _Case(
        _REDUCTION >= PARTIAL_PERCENT,
        "TE3",
        "reduction",
        _change("shrank by", _REDUCTION, "at least 50 %"),
    ),
    _Case(
        _ALWAYS,
        "TE2",
        "neither",
        pl.format(
            "Area {} mm² after {} mm² at baseline, necrosis {} %: neither growth above 25 % nor an effect of"
            " 50 %.",
            say("area"),
            say("base_area"),
            say("necrosis_percent"),
        ),
    ),
)
EFFECT_COLUMNS: Final = ("treatment_effect", "basis", "treatment_effect_reason")

UNTREATED: Final = "No local procedure on this lesion is recorded before the scan."
_SINCE: Final = pl.format("{} on day {}", pl.col("procedure"), say("procedure_day"))
_RADIATION: Final = (
    pl.when(pl.col("procedure") == "radiotherapy")
    .then(pl.lit(" Whether that is expected after radiation is not recorded; v2024 was not seen."))
    .otherwise(pl.lit(""))
)

CATEGORIES: Final = (
    _Case(
        _unread(),
        "not_evaluable",
        "",
        pl.lit("The lesion could not be evaluated at this scan, or has merged."),
    ),
    _Case(
        ~pl.col("arterial_phase"),
        "not_evaluable",
        "",
        pl.lit("The scan has no adequate arterial phase."),
    ),
    _Case(_is("equivocal"), "equivocal", "", pl.format("Recorded as equivocal; {}.", _SINCE)),
    _Case(
        pl.col("viable_mm") > 0,
        "viable",
        "",
        pl.format("{} mm of viable (enhancing) tissue; {}.{}", say("viable_mm"), _SINCE, _RADIATION),
    ),
    _Case(pl.col("washout"), "viable", "", pl.format("Wash-out; {}.{}", _SINCE, _RADIATION)),
    _Case(_gone(), "nonviable", "", pl.format("The lesion is gone; {}.", _SINCE)),
    _Case(
        (pl.col("viable_mm") == 0) | (_NECROSIS == 100),
        "nonviable",
        "",
        pl.format("No viable (enhancing) tissue; {}.", _SINCE),
    ),
    _Case(_ALWAYS, "not_evaluable", "", pl.format("Enhancement is not recorded; {}.", _SINCE)),
)
CATEGORY_COLUMNS: Final = ("lirads", "lirads_basis", "lirads_reason")
