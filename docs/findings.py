"""What assess finds on five public data sets: numbers, figures, and tables of explanation/findings.md.

::

    python docs/findings.py          run assess on the data where they lie, write numbers, figures and page
    python docs/findings.py --page   write the page from the numbers that are kept

The data sets lie in ``../shared/data`` and are not part of hccresist; only counts and shares are kept.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from hccresist.flow import run_study
from hccresist.study.read import read_study

DOCS = Path(__file__).parent
NUMBERS = DOCS / "findings.json"
PAGE = DOCS / "explanation" / "findings.md"
IMAGES = DOCS / "images"
ORDER = ("CR", "PR", "SD", "PD", "NE")
LONGEST = ("recist11", "irecist", "imrecist", "irrc1d")
"""Criteria for which longest diameters are enough."""

STUDIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "atezolizumab_lesion_diameters": ("write_atezolizumab", LONGEST),
    "oak_joint_subset": ("write_oak", LONGEST),
    "pembrolizumab_inspire": ("write_inspire", LONGEST),
    "hcc_sysucc_timeseries": ("write_sysucc", LONGEST),
    "hcc_tace_seg": ("write_tace_seg", ("recist11", "mrecist")),
}
"""Data set to the function that maps it, and the criteria that its sizes allow."""

Tables = Mapping[str, pl.DataFrame]


def load_mappings() -> object:
    """Return the module of the documented mappings."""
    path = DOCS.parent / "tests" / "reference" / "shared_studies.py"
    spec = importlib.util.spec_from_file_location("shared_studies", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_data_set(name: str) -> dict[str, object]:
    """Run assess on a data set and return the numbers that the page shows."""
    writer, criteria = STUDIES[name]
    with tempfile.TemporaryDirectory() as folder:
        study = read_study(getattr(load_mappings(), writer)(Path(folder) / "study"))
        result = run_study(
            study,
            out=Path(folder) / "out",
            stages=("assess", "outcomes"),
            criteria=criteria,
            formats=["parquet"],
        )
        assert result.failed == ()
        return {
            "patients": study.patients.height,
            "readers": result.tables["best_response"]["reader"].n_unique(),
            "warnings": len(study.warnings),
            **{key: count(result.tables) for key, count in COUNTS.items()},
        }


def count_visits(tables: Tables) -> dict[str, int]:
    """Return visits, and those whose overall response is evaluable, by criterion."""
    frame = (
        tables["timepoints"].group_by("criterion").agg(n=(pl.col("overall") != "NE").sum()).sort("criterion")
    )
    return {str(row["criterion"]): int(row["n"]) for row in frame.iter_rows(named=True)}


def count_best(tables: Tables) -> dict[str, dict[str, int]]:
    """Return best responses without confirmation by criterion; iRECIST in words of RECIST."""
    best = tables["best_response"].with_columns(
        pl.col("best").cast(pl.String).str.replace(r"^i(CR|PR|SD)$", "$1").str.replace(r"^i[UC]PD$", "PD")
    )
    counts = best.group_by("criterion", "best").len().sort("criterion", "best")
    found: dict[str, dict[str, int]] = {}
    for row in counts.iter_rows(named=True):
        found.setdefault(str(row["criterion"]), {})[str(row["best"])] = int(row["len"])
    return found


def count_agreement(tables: Tables) -> list[dict[str, object]]:
    """Return per-cent agreement and Cohen's kappa of each pair of criteria."""
    frame = tables["agreement"].filter(pl.col("scope") == "criteria")
    rows = frame.group_by("first", "second").agg("statistic", "value", "n").sort("first", "second")
    found: list[dict[str, object]] = []
    for row in rows.iter_rows(named=True):
        values = dict(zip(row["statistic"], row["value"], strict=True))
        rounded = {key: None if value is None else round(value, 3) for key, value in sorted(values.items())}
        found.append({"first": row["first"], "second": row["second"], "n": max(row["n"]), **rounded})
    return found


def count_splits(tables: Tables) -> list[dict[str, object]]:
    """Return which pair of rules parted two criteria, the most frequent first."""
    frame = tables["discordance"].group_by("criterion_a", "criterion_b", "rule_a", "rule_b").len()
    frame = frame.sort(
        ["len", "criterion_a", "criterion_b", "rule_a", "rule_b"],
        descending=[True, *[False] * 4],
        nulls_last=True,
    )
    return [dict(row) for row in frame.head(8).iter_rows(named=True)]


def count_patterns(tables: Tables) -> list[dict[str, object]]:
    """Return for each definition: patients, evaluable, met, and the first reason for not evaluable."""
    frame = tables["patterns"]
    why = pl.col("reason").filter(~pl.col("evaluable")).cast(pl.String).str.replace_all(r"[-−]?\d[\d.]*", "#")
    rows = frame.group_by("definition").agg(
        n=pl.len(),
        evaluable=pl.col("evaluable").sum(),
        met=pl.col("met").fill_null(value=False).sum(),
        reason=why.sort().mode(maintain_order=True).first(),
    )
    return [dict(row) for row in rows.sort("definition").iter_rows(named=True)]


def count_resistance(tables: Tables) -> dict[str, int]:
    """Return classes of resistance."""
    frame = tables["resistance"].group_by("class").len().sort("class")
    return {str(row["class"]): int(row["len"]) for row in frame.iter_rows(named=True)}


def count_fragile(tables: Tables) -> list[dict[str, object]]:
    """Return for RECIST 1.1 the share of verdicts that may well change if measured again."""
    frame = tables["robustness"].filter(pl.col("criterion") == "recist11", pl.col("fragility").is_not_null())
    rows = frame.group_by("error_model").agg(
        n=pl.len(),
        above_20_percent=(pl.col("fragility") > 0.2).mean().round(4),
        mean_percent=(100 * pl.col("fragility").mean()).round(2),
        within_2_mm=(pl.col("margin_mm").abs() <= 2).mean().round(4),
    )
    return [dict(row) for row in rows.sort("error_model").iter_rows(named=True)]


def count_audit(tables: Tables) -> dict[str, int]:
    """Return findings of the audit by check."""
    frame = tables["audit"].group_by("check").len().sort("check")
    return {str(row["check"]): int(row["len"]) for row in frame.iter_rows(named=True)}


COUNTS: Mapping[str, Callable[[Tables], object]] = {
    "visits": count_visits,
    "best": count_best,
    "agreement": count_agreement,
    "splits": count_splits,
    "patterns": count_patterns,
    "resistance": count_resistance,
    "fragile": count_fragile,
    "audit": count_audit,
}
"""What is counted of each data set."""


def share_by_recorded_response() -> dict[str, dict[str, int]]:
    """Return the recorded class of INSPIRE (CR/PR or SD/PD) against ours, patients with a verdict."""
    with tempfile.TemporaryDirectory() as folder:
        module = load_mappings()
        study = read_study(module.write_inspire(Path(folder) / "study"))
        result = run_study(
            study, out=Path(folder) / "out", stages=("assess",), criteria=("recist11",), closer=False
        )
        best = result.tables["best_response"].select("patient_id", pl.col("best").cast(pl.String))
        data = module.SHARED / "pembrolizumab_inspire" / "patients.csv"
        given = pl.read_csv(data).select(patient_id="id", recorded="orr")
        sized = pl.read_csv(data.with_name("size_change.csv"))["id"].unique()
        frame = best.join(given, on="patient_id").filter(pl.col("patient_id").is_in(sized.implode()))
    table: dict[str, dict[str, int]] = {}
    for row in frame.group_by("recorded", "best").len().sort("recorded", "best").iter_rows(named=True):
        table.setdefault(str(row["recorded"]), {})[str(row["best"])] = int(row["len"])
    return table


def draw_best(numbers: Mapping[str, dict[str, object]]) -> None:
    """Draw best response by criterion and data set."""
    rows = [
        {"data set": name, "criterion": criterion, "best": best, "patients": n}
        for name, found in numbers.items()
        for criterion, counts in found["best"].items()  # pyright: ignore
        for best, n in counts.items()
    ]
    _save(
        "findings-best",
        _stack(rows, colours=dict(zip(ORDER, _COLOURS, strict=True)), field="best", order=ORDER),
    )


def draw_evaluable(numbers: Mapping[str, dict[str, object]]) -> None:
    """Draw the share of patients for whom each definition can be judged."""
    import altair as alt  # noqa: PLC0415

    rows = [
        {"data set": name, "definition": row["definition"], "share": 100 * row["evaluable"] / row["n"]}
        for name, found in numbers.items()
        for row in found["patterns"]  # pyright: ignore
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("data set:N", axis=alt.Axis(title=None, labelAngle=-35, orient="top", labelLimit=200)),
        y=alt.Y("definition:N", title=None, axis=alt.Axis(labelLimit=260)),
    )
    cells = base.mark_rect(stroke="white").encode(
        color=alt.Color("share:Q", title="evaluable, %", scale=alt.Scale(domain=[0, 100], scheme="tealblues"))
    )
    text = base.mark_text(fontSize=9).encode(
        text=alt.Text("share:Q", format=".0f"),
        color=alt.condition("datum.share > 55", alt.value("white"), alt.value("#333")),
    )
    _save("findings-evaluable", (cells + text).properties(width=360, height=alt.Step(15)))


_COLOURS = ("#0b6e4f", "#58a55c", "#e8c547", "#c8553d", "#b8b8b8")


def _stack(
    rows: Sequence[Mapping[str, object]], *, colours: Mapping[str, str], field: str, order: Sequence[str]
) -> object:
    import altair as alt  # noqa: PLC0415

    ranked = [{**row, "rank": order.index(str(row[field]))} for row in rows]
    return (
        alt.Chart(alt.Data(values=ranked))
        .mark_bar()
        .encode(
            y=alt.Y("criterion:N", title=None),
            x=alt.X(
                "patients:Q",
                stack="normalize",
                title="share of patients and readers",
                axis=alt.Axis(format="%"),
            ),
            color=alt.Color(
                f"{field}:N",
                title=None,
                scale=alt.Scale(domain=list(colours), range=list(colours.values())),
                legend=alt.Legend(orient="top"),
            ),
            order="rank:Q",
            row=alt.Row(
                "data set:N",
                title=None,
                header=alt.Header(
                    labelAngle=0, labelAnchor="start", labelOrient="top", labelFontWeight="bold"
                ),
            ),
        )
        .resolve_scale(y="independent")
        .properties(width=460, height=alt.Step(18))
    )


def _save(name: str, chart: object) -> None:
    import altair as alt  # noqa: PLC0415
    import vl_convert  # noqa: PLC0415

    assert isinstance(chart, alt.TopLevelMixin)
    styled = chart.configure(background="white", font="sans-serif").configure_view(stroke=None)  # pyright: ignore
    (IMAGES / f"{name}.svg").write_text(vl_convert.vegalite_to_svg(styled.to_dict()), encoding="utf-8")


def render_blocks(numbers: Mapping[str, dict[str, object]], recorded: Mapping[str, object]) -> dict[str, str]:
    """Return the blocks of the page that are made from the numbers."""
    return {
        "best": "\n".join(_best_rows(numbers)),
        "agreement": "\n".join(_agreement_rows(numbers)),
        "splits": "\n".join(_split_rows(numbers)),
        "evaluable": "\n".join(_pattern_rows(numbers)),
        "fragile": "\n".join(_fragile_rows(numbers)),
        "resistance": "\n".join(_resistance_rows(numbers)),
        "audit": "\n".join(_audit_rows(numbers)),
        "recorded": "\n".join(_recorded_rows(recorded)),
    }


def _table(head: Sequence[str]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"


def _row(*cells: object) -> str:
    return "| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |"


def _best_rows(numbers: Mapping[str, dict[str, object]]) -> Iterator[str]:
    yield from _table(("data set", "criterion", *ORDER))
    for name, found in numbers.items():
        for criterion, counts in found["best"].items():  # pyright: ignore
            yield _row(f"`{name}`", criterion, *(f"{counts.get(word, 0):,}" for word in ORDER))


def _agreement_rows(numbers: Mapping[str, dict[str, object]]) -> Iterator[str]:
    yield from _table(("data set", "pair", "patients", "equal, %", "kappa"))
    for name, found in numbers.items():
        for row in found["agreement"]:  # pyright: ignore
            percent = next((row[key] for key in row if "percent" in key), None)
            kappa = next((row[key] for key in row if "kappa" in key), None)
            yield _row(
                f"`{name}`",
                f"{row['first']} and {row['second']}",
                f"{row['n']:,}",
                None if percent is None else f"{percent:.1f}",
                None if kappa is None else f"{kappa:.3f}",
            )


def _split_rows(numbers: Mapping[str, dict[str, object]]) -> Iterator[str]:
    yield from _table(("data set", "pair", "rule of the first", "rule of the second", "patients and readers"))
    for name, found in numbers.items():
        for row in found["splits"][:3]:  # pyright: ignore
            rules = [f"`{row[key]}`" if row[key] else "no visit differs" for key in ("rule_a", "rule_b")]
            yield _row(f"`{name}`", f"{row['criterion_a']} and {row['criterion_b']}", *rules, row["len"])


def _pattern_rows(numbers: Mapping[str, dict[str, object]]) -> Iterator[str]:
    names = list(numbers)
    yield from _table(
        ("definition", *(f"`{name}`" for name in names), "most frequent reason for not evaluable")
    )
    rows = {name: {row["definition"]: row for row in numbers[name]["patterns"]} for name in names}  # pyright: ignore
    for definition in sorted({key for found in rows.values() for key in found}):
        cells = [rows[name].get(definition) for name in names]
        reasons = [cell["reason"] for cell in cells if cell and cell["reason"]]
        told = [f"{c['met']} of {c['evaluable']}" if c and c["evaluable"] else "0 evaluable" for c in cells]
        yield _row(f"`{definition}`", *told, max(set(reasons), key=reasons.count) if reasons else "")


def _fragile_rows(numbers: Mapping[str, dict[str, object]]) -> Iterator[str]:
    yield from _table(
        ("data set", "error model", "verdicts", "chance of change above 20 %", "mean chance", "≤ 2 mm away")
    )
    for name, found in numbers.items():
        for row in found["fragile"]:  # pyright: ignore
            yield _row(
                f"`{name}`",
                row["error_model"],
                f"{row['n']:,}",
                f"{100 * row['above_20_percent']:.1f} %",
                f"{row['mean_percent']:.1f} %",
                None if row["within_2_mm"] is None else f"{100 * row['within_2_mm']:.1f} %",
            )


def _resistance_rows(numbers: Mapping[str, dict[str, object]]) -> Iterator[str]:
    classes = sorted({key for found in numbers.values() for key in found["resistance"]})  # pyright: ignore
    yield from _table(("data set", *classes))
    for name, found in numbers.items():
        yield _row(f"`{name}`", *(f"{found['resistance'].get(key, 0):,}" for key in classes))  # pyright: ignore


def _audit_rows(numbers: Mapping[str, dict[str, object]]) -> Iterator[str]:
    yield from _table(("data set", "findings"))
    for name, found in numbers.items():
        told = ", ".join(f"{key} {n}" for key, n in found["audit"].items())  # pyright: ignore
        yield _row(f"`{name}`", told or "none")


def _recorded_rows(recorded: Mapping[str, object]) -> Iterator[str]:
    shown = sorted({word for counts in recorded.values() for word in counts}, key=ORDER.index)  # pyright: ignore
    yield from _table(("recorded", *(f"ours: {word}" for word in shown)))
    for key, counts in recorded.items():
        yield _row(key, *(counts.get(word, 0) for word in shown))  # pyright: ignore


def write_page(numbers: Mapping[str, dict[str, object]], recorded: Mapping[str, object]) -> str:
    """Return the page with its blocks made anew."""
    text = PAGE.read_text(encoding="utf-8")
    for key, block in render_blocks(numbers, recorded).items():
        start, end = f"<!-- {key} -->", f"<!-- end {key} -->"
        head, _, rest = text.partition(start)
        _, _, tail = rest.partition(end)
        assert tail, f"the page has no block {key}"
        text = f"{head}{start}\n\n{block}\n\n{end}{tail}"
    return text


def main(arguments: Sequence[str]) -> int:
    """Run everything, or write the page alone."""
    if "--page" not in arguments:
        numbers: dict[str, object] = {name: run_data_set(name) for name in STUDIES}
        kept = {"studies": numbers, "recorded": share_by_recorded_response()}
        NUMBERS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    kept = json.loads(NUMBERS.read_text(encoding="utf-8"))
    draw_best(kept["studies"])
    draw_evaluable(kept["studies"])
    PAGE.write_text(write_page(kept["studies"], kept["recorded"]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
