"""Random patients for the further criteria: areas, viable areas, necrosis and attenuation.

The patients of `random_studies`, with a second diameter, viable tissue, a necrotic share and an
attenuation for their lesions. At most visits one move is common to all lesions, so that sums hit
−50 %, +25 %, ±10 % and −15 % of attenuation exactly. The same seed gives the same patients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from random_studies import NODES, Dice, Row, Rows, exact, random_rows

BASE_HU = (40.0, 60.0, 80.0, 100.0, 120.0)
MOVES = (
    "as_it_was",
    "as_it_was",
    "half",
    "half_viable",
    "up",
    "up",
    "up_viable",
    "tenth_less",
    "tenth_more",
    "same",
    "same",
    "from_base",
    "scatter",
)
HU_FACTORS = (0.85, 0.85, 0.851, 0.849, 1.0, 1.0, 0.5, 1.2)
NECROSIS = (0.0, 0.0, 20.0, 50.0, 50.0, 60.0, 90.0, 100.0, 37.5)
STEPS = (0.5, 0.5, 1.25, 1.25, 1.0, 0.0, 0.499, 0.501, 1.249, 1.251, 0.7, 1.2)


def sizes_at_first(dice: Dice, row: Row) -> dict[str, float]:
    """Diameters, attenuation and necrosis from which the later rows of a lesion are made."""
    long = row["longest_mm"] or dice.pick((10.0, 20.0, 40.0))
    across = exact(long * dice.pick((1.0, 0.8, 0.5)))
    inner = exact(long * dice.pick((1.0, 0.8, 0.5)))
    return {
        "long": long,
        "across": across,
        "inner": inner,
        "inner_across": exact(min(across, inner) * dice.pick((1.0, 0.5))),
        "hu": dice.pick(BASE_HU),
        "necrosis": dice.pick((0.0, 0.0, 20.0, 50.0)),
    }


def moved_sizes(dice: Dice, move: str, base: dict[str, float], low: dict[str, float]) -> dict[str, float]:
    """The sizes at a visit, from those at baseline and the smallest so far."""
    new = {
        "half": base | {"long": base["long"] / 2},
        "half_viable": base | {"inner_across": base["inner_across"] / 2, "necrosis": 50.0},
        "up": low | {"across": low["across"] * 1.25, "inner": low["inner"] * 1.25},
        "up_viable": low | {"inner": low["inner"] * 1.25, "necrosis": 0.0},
        "tenth_less": base | {"long": base["long"] * 0.9},
        "tenth_more": low | {"long": low["long"] * 1.1},
        "from_base": base | {"long": base["long"] * 1.25},
        "same": dict(low),
    }
    sizes = new.get(move) or low | {"necrosis": dice.pick(NECROSIS), "long": low["long"] * dice.pick(STEPS)}
    return {name: exact(value) for name, value in sizes.items()}


def write_sizes(dice: Dice, row: Row, sizes: dict[str, float]) -> None:
    """Put sizes into a row that has a measurement; nodes have no perpendicular."""
    node = row["organ"] in NODES or row["node"]
    row["longest_mm"] = sizes["long"]
    if node:
        row["short_axis_mm"] = sizes["across"]
        return
    if row["viable_mm"] is not None and not (row["viable_mm"] == 0 and dice.chance(0.3)):
        row["viable_mm"] = sizes["inner"]


def complete_row(dice: Dice, row: Row, sizes: dict[str, float], *, gaps: float) -> None:
    """The columns that RECIST does not need; sometimes left empty."""
    node = row["organ"] in NODES or row["node"]
    if node and row["short_axis_mm"] is not None and row["longest_mm"] is None and not dice.chance(gaps):
        row["longest_mm"] = exact(row["short_axis_mm"] * 1.4)
    if row["longest_mm"] is not None and not node and not dice.chance(gaps):
        row["perpendicular_mm"] = min(sizes["across"], row["longest_mm"])
        if row["longest_mm"] == sizes["long"]:
            row["perpendicular_mm"] = sizes["across"]
    if row["viable_mm"] is not None and not dice.chance(gaps):
        row["viable_perpendicular_mm"] = 0.0 if row["viable_mm"] == 0 else sizes["inner_across"]
    if row["longest_mm"] is not None and not dice.chance(gaps):
        row["necrosis_percent"] = 100.0 if row["viable_mm"] == 0 and dice.chance(0.5) else sizes["necrosis"]
    if row["longest_mm"] is not None and not dice.chance(gaps):
        row["attenuation_hu"] = sizes["hu"]


def enrich_lesion(dice: Dice, rows: Rows, plan: Sequence[tuple[str, float]], days: list[float]) -> None:
    """All rows of one lesion, in order of day."""
    base = sizes_at_first(dice, rows[0])
    low = dict(base)
    gaps = dice.pick((0.0, 0.0, 0.02, 0.1))
    for row in rows:
        move, factor = plan[days.index(row["day"])]
        if dice.chance(0.1):
            move = dice.pick(MOVES)
        sizes = base if row is rows[0] or row["day"] <= 1 else moved_sizes(dice, move, base, low)
        measured = row["longest_mm"] is not None or row["short_axis_mm"] is not None
        above = (row["longest_mm"] or 0) > 0 or (row["short_axis_mm"] or 0) > 0
        if measured and above and (move != "as_it_was" or row is rows[0]):
            write_sizes(dice, row, sizes)
            if sizes["long"] * sizes["across"] <= low["long"] * low["across"] and sizes["long"] > 0:
                low = dict(sizes)
        hu = base["hu"] if row is rows[0] else exact(base["hu"] * factor)
        complete_row(dice, row, sizes | {"hu": hu}, gaps=gaps)


def enrich_patient(dice: Dice, rows: Rows) -> None:
    """The lesions of one series: moves and attenuation are common to them at a visit."""
    days = sorted({row["day"] for row in rows})
    plan = [(dice.pick(MOVES), dice.pick(HU_FACTORS)) for _ in days]
    by_lesion: dict[str, Rows] = defaultdict(list)
    for row in rows:
        by_lesion[row["lesion_id"]].append(row)
    for own in by_lesion.values():
        enrich_lesion(dice, sorted(own, key=lambda row: row["day"]), plan, days)


def sums_of_products(dice: Dice, rows: Rows) -> Rows:
    """Sums in mm² beside those in mm, at the same days."""
    days = sorted({row["day"] for row in rows})
    made: Rows = []
    for measure in dice.pick((("product",), ("viable_product",), ("product", "viable_product"), ())):
        base = low = dice.pick((100.0, 400.0, 1000.0, 156.25))
        for i, day in enumerate(days):
            step = dice.pick(STEPS)
            value = base if i == 0 or day <= 1 else exact(step * (base if step < 1 else low))
            low = min(low, value)
            row = {"patient_id": rows[0]["patient_id"], "reader": rows[0]["reader"], "day": day}
            if not dice.chance(0.05):
                made.append(row | {"measure": measure, "sum": None if dice.chance(0.04) else value})
    return made


def random_more_rows(patients: int, *, seed: int) -> dict[str, Rows]:
    """Rows of every table for a number of random patients, with all that the criteria measure."""
    tables = random_rows(patients, seed=seed)
    dice = Dice(np.random.default_rng([seed, 1]))
    series: dict[tuple[str, str, str], Rows] = defaultdict(list)
    for table in ("lesions", "sums"):
        for row in tables[table]:
            series[table, row["patient_id"], row["reader"]].append(row)
    for (table, _, _), rows in series.items():
        if table == "lesions":
            enrich_patient(dice, rows)
        else:
            tables["sums"] += sums_of_products(dice, rows)
    return tables
