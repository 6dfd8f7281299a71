"""Nine small checkpoint-inhibitor cohorts, none of them HCC, through association.

    python benchmarks/ici_cohorts.py [--data ../shared/data] [--write]

Published signatures are scored (rank score of one tumour; mean z within the cohort) and compared between
responders and others by `hccresist.explain.association.associate`. Response is what the sources
recorded, R against NR: CR and PR are R there and PD is NR, SD is R, NR or left empty (PredictioR);
ENLIGHT has labels of its own. Patients without a label are left out. CYT is what Rooney 2015 defines
from two genes; that is too short for `hccresist.explain.scoring`, and it is computed here.

With --write the result goes to benchmarks/results/ici_cohorts.json and its table into
docs/explanation/association.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

from hccresist.assess.results import BestResponse
from hccresist.explain.association import associate
from hccresist.explain.association_features import collect_features
from hccresist.explain.association_null import NullSets
from hccresist.explain.matrix import Matrix, prepare_expression
from hccresist.explain.scoring import score_cohort, score_rank
from hccresist.explain.signatures import read_signatures
from hccresist.study.frames import study_from_frames
from hccresist.study.study import Study

REPOSITORY = Path(__file__).resolve().parents[1]
RESULT = REPOSITORY / "benchmarks" / "results" / "ici_cohorts.json"
PAGE = REPOSITORY / "docs" / "explanation" / "association.md"
START, END = "<!-- made by benchmarks/ici_cohorts.py: start -->", "<!-- end -->"

SIGNS = {
    "T_INFLAMED_GEP18": "higher in responders",
    "IFNG6_AYERS": "higher in responders",
    "EXPANDED_IMMUNE_18_AYERS": "higher in responders",
    "CD8_T_EFFECTOR": "higher in responders",
    "CYT": "higher in responders",
    "PAN_F_TBRS": "lower in responders",
}
"""What the publications of the signatures report under checkpoint inhibitors."""

CANCERS = {
    "hugo": "melanoma",
    "liu": "melanoma",
    "miao": "kidney",
    "nathanson": "melanoma",
    "padron": "pancreas",
    "riaz": "melanoma",
    "van_allen": "melanoma",
    "gbm_enlight": "glioblastoma",
    "rcc_enlight": "kidney",
}
LABELS = {"R": "PR", "Responder": "PR", "NR": "PD", "Non-responder": "PD"}
LATE = {"Biopsy.Time": "on-treatment", "Biopsy.pre.or.post.ipi": "post"}
"""Words for biopsies taken after the drug had begun, on days that are not given: left out."""
CYT = ("GZMA", "PRF1")
METHODS = ("rank", "cohort_z")
SEED = 4


def read_cohorts(data: Path) -> Iterator[tuple[str, pl.DataFrame, dict[str, str]]]:
    """Yield name, expression and label of each sample that has one."""
    nothing = ["--", "None", ""]
    for folder in sorted((data / "ici_predictior_small").iterdir()):
        if folder.is_dir():
            table = pl.read_csv(
                folder / "clinical.tsv", separator="\t", infer_schema_length=0, null_values=nothing
            )
            late = [pl.col(name) == word for name, word in LATE.items() if name in table.columns]
            early = table.filter(~pl.any_horizontal(*late, pl.lit(value=False)).fill_null(value=False))
            labels = dict(early.drop_nulls("response").select("sample", "response").iter_rows())
            yield folder.name, _expression(folder), labels
    for name in ("ici_gbm_enlight", "ici_rcc_enlight"):
        table = pl.read_csv(data / name / "response.tsv", separator="\t")
        labels = dict(table.select("sample", "response").iter_rows())
        yield name.removeprefix("ici_"), _expression(data / name), labels


def _expression(folder: Path) -> pl.DataFrame:
    table = pl.read_parquet(folder / "expression.parquet")
    (name,) = [name for name, kind in table.schema.items() if kind == pl.String]
    return table.select(pl.col(name).alias("gene"), pl.all().exclude(name))


def make_study(expression: pl.DataFrame) -> Study:
    """A study whose patients are the samples of the table."""
    samples = [name for name in expression.columns if name != "gene"]
    patients = pl.DataFrame({"patient_id": samples})
    return study_from_frames(patients=patients, expression=expression)


def best_response(labels: Mapping[str, str], samples: Sequence[str]) -> pl.DataFrame:
    """Labels as a table best_response; a sample without a label is NE."""
    words = [LABELS.get(labels.get(sample, ""), "NE") for sample in samples]
    rows = pl.DataFrame({"patient_id": samples, "best": words, "best_confirmed": words})
    fixed = {"reader": "", "criterion": "as_published"}
    whole = rows.with_columns(pl.lit(word).alias(name) for name, word in fixed.items())
    return pl.concat([BestResponse.create_empty(), whole], how="diagonal")


def score_sets(matrix: Matrix, method: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return scores by sample and set, and why sets have none."""
    chosen = [item for item in read_signatures() if item.name in SIGNS]
    scores = (score_rank if method == "rank" else score_cohort)(matrix, chosen)
    rows = scores.with_columns(patient_id=pl.col("sample_id"))
    refused = rows.filter(pl.col("score").is_null()).unique("set", keep="first")
    return rows, dict(refused.select("set", "reason").iter_rows())


def score_cyt(matrix: Matrix) -> pl.DataFrame:
    """CYT as features: mean of the log2 values of GZMA and PRF1, the logarithm of their geometric mean."""
    rows = [matrix.genes.index(gene) for gene in CYT if gene in matrix.genes]
    if len(rows) < len(CYT):
        return pl.DataFrame()
    return pl.DataFrame(
        {
            "patient_id": matrix.samples,
            "sample_id": matrix.samples,
            "feature": "CYT",
            "kind": "score",
            "value": matrix.values[rows].mean(axis=0),
            "known_day": pl.Series([None] * len(matrix.samples), dtype=pl.Float64),
        }
    )


def null_sets(matrix: Matrix, method: str) -> NullSets:
    """Random sets from the same matrix, scored as the sets are: mean rank, or mean z within the cohort."""
    whole = ~np.isnan(matrix.values).any(axis=1)
    values = matrix.values[whole]
    genes = [gene for gene, there in zip(matrix.genes, whole, strict=True) if there]
    spread = values.std(axis=1, ddof=1, keepdims=True)
    z = (values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    sets: dict[str, Sequence[str]] = {
        item.name: (*item.up, *item.down) for item in read_signatures() if item.name in SIGNS
    }
    return NullSets(
        genes=genes,
        samples=matrix.samples,
        values=rankdata(values, axis=0) / len(values) if method == "rank" else z,
        level=values.mean(axis=1),
        sets={**sets, "CYT": CYT},
    )


def run_cohort(name: str, expression: pl.DataFrame, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return what was found in one cohort."""
    study = make_study(expression)
    prepared = prepare_expression(study)
    matrix = prepared.matrix
    tables = {"best_response": best_response(labels, sorted(study.patients["patient_id"]))}
    rows: list[dict[str, Any]] = []
    for method in METHODS:
        scores, refused = score_sets(matrix, method)
        features = collect_features(study, tables={}, mechanism_scores=scores, method=method)
        cyt = score_cyt(matrix)
        if method == "rank" and cyt.height:
            features = pl.concat([features, cyt])
        found = associate(
            study, features=features, tables=tables, null_sets=null_sets(matrix, method), seed=SEED
        )
        rows += [_row(method, row) for row in found.filter(pl.col("test") == "rank").iter_rows(named=True)]
        rows += [{"set": item, "method": method, "auc": None, "why": why} for item, why in refused.items()]
    counted = [LABELS[label] for sample, label in labels.items() if sample in matrix.samples]
    return {
        "cohort": name,
        "cancer": CANCERS[name],
        "genes": len(matrix.genes),
        "samples": len(matrix.samples),
        "responders": counted.count("PR"),
        "others": counted.count("PD"),
        "scale": matrix.scale,
        "notices": list(prepared.notices),
        "rows": sorted(rows, key=lambda row: (row["set"], row["method"])),
    }


def _row(method: str, row: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {key: row[key] for key in ("effect", "low", "high", "p", "q", "null_p")}
    rounded = {key: None if value is None else round(value, 4) for key, value in numbers.items()}
    rounded["auc"] = rounded.pop("effect")
    return {"set": row["feature"], "method": method, "n": row["n"], **rounded, "caveat": row["caveat"]}


def as_published(name: str, auc: float) -> bool:
    """Tell whether the AUC is on the side that the publication of the signature reports."""
    return auc > 0.5 if SIGNS[name].startswith("higher") else auc < 0.5


def count_signs(cohorts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each set and method in how many cohorts the sign is as published, and how sure it is."""
    made: list[dict[str, Any]] = []
    for name, expected in SIGNS.items():
        for method in METHODS:
            rows = [r for c in cohorts for r in c["rows"] if (r["set"], r["method"]) == (name, method)]
            scored = [row for row in rows if row["auc"] is not None]
            if scored:
                made.append(
                    {
                        "set": name,
                        "method": method,
                        "expected": expected,
                        "scored": len(scored),
                        "auc_above_half": sum(row["auc"] > 0.5 for row in scored),
                        "as_published": sum(as_published(name, row["auc"]) for row in scored),
                        "large_enough": sum(row["p"] is not None for row in scored),
                        "q_below_0.05": sum((row["q"] or 1.0) < 0.05 for row in scored),
                        "opposite_with_interval": sum(_opposite(name, row) for row in scored),
                    }
                )
    return made


def _opposite(name: str, row: Mapping[str, Any]) -> bool:
    higher = SIGNS[name].startswith("higher")
    return row["high"] < 0.5 if higher else row["low"] > 0.5


def render(result: Mapping[str, Any]) -> str:
    """Return the tables of the page as Markdown."""
    heads = (
        "set",
        "score",
        "published",
        "cohorts scored",
        "sign as published",
        "10 in each class",
        "q < 0.05",
    )
    keys = ("expected", "scored", "as_published", "large_enough", "q_below_0.05")
    signs = [
        _line(heads),
        _line(["---"] * len(heads)),
        *(_line([row["set"], _method(row), *(row[key] for key in keys)]) for row in result["signs"]),
    ]
    names = list(SIGNS)
    cohorts = [
        _line(["cohort", "cancer", "responders / others", "genes", *names]),
        _line(["---"] * (4 + len(names))),
        *(
            _line(
                [c["cohort"], c["cancer"], f"{c['responders']} / {c['others']}", f"{c['genes']:,}"]
                + [_cell(c, name) for name in names]
            )
            for c in result["cohorts"]
        ),
    ]
    return "\n".join([*signs, "", *cohorts, "", *_sentences(result["cohorts"])])


def _sentences(cohorts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say in words which signs differ, and which are sure."""
    rows = [(c, row) for c in cohorts for row in c["rows"] if row["auc"] is not None]
    rank = [(c, row) for c, row in rows if row["method"] == "rank"]
    other = [
        f"{r['set']} in {c['cohort']} ({r['auc']:.2f})"
        for c, r in rank
        if not as_published(r["set"], r["auc"])
    ]
    yield f"- Sign other than published, by the rank score: {_listed(other)}."
    against = [_named(c, r) for c, r in rows if _opposite(r["set"], r)]
    yield f"- Limits wholly on the other side than published: {_listed(against)}."
    sure = [_named(c, r) for c, r in rows if r["q"] is not None and r["q"] < 0.05]
    yield f"- q below 0.05: {_listed(sure)}."
    small = [c["cohort"] for c in cohorts if min(c["responders"], c["others"]) < 10]
    yield f"- Too few to say ({len(small)} of {len(cohorts)}, fewer than 10 in a class): {_listed(small)}."


def _named(cohort: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    score = "rank" if row["method"] == "rank" else "mean z"
    return (
        f"{row['set']} in {cohort['cohort']} ({score}, {row['auc']:.2f}, {row['low']:.2f}–{row['high']:.2f})"
    )


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items) if items else "none"


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _method(row: Mapping[str, Any]) -> str:
    if row["set"] == "CYT":
        return "mean log2"
    return "rank" if row["method"] == "rank" else "mean z of the cohort"


def _cell(cohort: Mapping[str, Any], name: str) -> str:
    row = next(
        (r for r in cohort["rows"] if (r["set"], r["method"]) == (name, "rank") and r["auc"] is not None),
        None,
    )
    if row is None:
        return "not scored"
    mark = "" if row["p"] is None else "*"
    return f"{row['auc']:.2f} ({row['low']:.2f}–{row['high']:.2f}){mark}"


def with_tables(page: str, result: Mapping[str, Any]) -> str:
    """Return the page with the tables between the two marks."""
    head, rest = page.split(START)
    return f"{head}{START}\n\n{render(result)}\n\n{END}{rest.split(END, 1)[1]}"


def main() -> None:
    """Run the nine cohorts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    cohorts = [run_cohort(*cohort) for cohort in read_cohorts(options.data)]
    result = {"seed": SEED, "signs": count_signs(cohorts), "cohorts": cohorts}
    print(render(result))
    if options.write:
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")


if __name__ == "__main__":
    main()
