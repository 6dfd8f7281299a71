"""Accuracy of the tagger on abstracts that were never used for its words.

    python benchmarks/tagger_accuracy.py [--texts FILE] [--labels FILE] [--skip N] [--write NAME]

Labels (tests/explain/data/tagger_labels.csv) are ours and are committed. The texts belong to others and
are not: --texts is a JSON-lines file of id and text, one line an abstract, by default
../shared/data/tagger/tagger_texts.jsonl. With --write the result goes to benchmarks/results/tagger.json
under that name, and the table into docs/explanation/tagger.md. The runs that are kept: ``first``, all
abstracts, words and rules frozen before they were collected; then, after mending on the first 47,
``first_60`` and ``mended_60``: the old and the mended tagger on the other 60 (--skip 47); then, mended
once more on those too, ``mended_all``, which is no independent measure; ``fresh_98``, the tagger as it was
then, on texts that four readers collected and labelled who never saw it
(--labels tests/explain/data/tagger_labels_fresh.csv); and ``second_100``, after mending on all 205, frozen
(commit 2277403) before its maker looked at 106 further texts that two more readers had collected and
labelled (--labels tests/explain/data/tagger_labels_second.csv), with ``second_before``, the tagger before
that mending (commit c5f9c4a), on the same texts.

Columns of the labels: families (the main one first), drugs (substances), classes (classes and procedures
of which the text names no member), genes (approved symbols, microRNAs, circRNAs), effect; several in
one cell are separated by semicolons.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pages import write_between

from hccresist.explain.knowledge import EvidenceBase, read_base
from hccresist.explain.names import fold_name
from hccresist.explain.tagger import Tags, tag_text

REPOSITORY = Path(__file__).resolve().parents[1]
LABELS = REPOSITORY / "tests" / "explain" / "data" / "tagger_labels.csv"
TEXTS = REPOSITORY.parent / "shared" / "data" / "tagger" / "tagger_texts.jsonl"
RESULT = REPOSITORY / "benchmarks" / "results" / "tagger.json"
PAGE = REPOSITORY / "docs" / "explanation" / "tagger.md"
START, END = "<!-- made by benchmarks/tagger_accuracy.py: start -->", "<!-- end -->"
FIRST = 3
GROUPS = {"class", "procedure"}


def split(cell: str) -> list[str]:
    return [word.strip() for word in cell.split(";") if word.strip()]


def share(count: int, total: int) -> float:
    return round(count / total, 4) if total else 0.0


def read_labels(path: Path = LABELS) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_texts(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {row["id"]: row["text"] for row in map(json.loads, lines)}


def divide_drugs(names: Iterable[str], base: EvidenceBase) -> tuple[list[str], list[str]]:
    """Return substances, and classes and procedures."""
    kinds = dict(base.drugs.select("drug", "drug_type").iter_rows())
    groups = [name for name in names if kinds.get(name) in GROUPS or name == "CAR-T"]
    return [name for name in names if name not in groups], groups


def name_alike(names: Sequence[str], base: EvidenceBase) -> list[str]:
    """Return drugs by the names under which the base counts them: *sirolimus* is *rapamycin*."""
    found = [base.names.drugs.get(fold_name(name), {}) for name in names]
    return [next(iter(to)) if len(to) == 1 else name for name, to in zip(names, found, strict=True)]


def measure_sets(wanted: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Compare sets: whole ones, and names one by one, beside what the commonest set would get."""
    pairs = [
        ({fold_name(n) for n in w}, {fold_name(n) for n in f}) for w, f in zip(wanted, found, strict=True)
    ]
    both = sum(len(w & f) for w, f in pairs)
    given, right = sum(len(f) for _, f in pairs), sum(len(w) for w, _ in pairs)
    precision, recall = both / given if given else 0.0, both / right if right else 0.0
    commonest = Counter(tuple(sorted(w)) for w, _ in pairs).most_common(1)[0]
    return {
        "exact": share(sum(w == f for w, f in pairs), len(pairs)),
        "exact_count": sum(w == f for w, f in pairs),
        "all_found": share(sum(w <= f for w, f in pairs), len(pairs)),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / (precision + recall), 4) if both else 0.0,
        "names": right,
        "majority": "none" if not commonest[0] else ", ".join(commonest[0]),
        "majority_exact": share(commonest[1], len(pairs)),
    }


def measure_families(wanted: Sequence[Sequence[str]], found: Sequence[Tags]) -> dict[str, Any]:
    """Count the main family among the first three, and what the three commonest would get."""
    main = Counter(families[0] for families in wanted)
    commonest = [name for name, _ in main.most_common(FIRST)]
    firsts = [set(tags.families[:FIRST]) for tags in found]
    by_mechanism = [{name.partition("-")[0] for name in tags.mechanisms[:FIRST]} for tags in found]
    n = len(wanted)

    def count(holds: Iterable[bool]) -> float:
        return share(sum(holds), n)

    return {
        "main_in_first_three": count(w[0] in f for w, f in zip(wanted, firsts, strict=True)),
        "main_of_first_three_mechanisms": count(w[0] in f for w, f in zip(wanted, by_mechanism, strict=True)),
        "main_is_first": count(w[0] == (*t.families, "")[0] for w, t in zip(wanted, found, strict=True)),
        "any_in_first_three": count(bool({*w} & f) for w, f in zip(wanted, firsts, strict=True)),
        "majority": commonest[0],
        "majority_is_main": share(main[commonest[0]], n),
        "majority_three": commonest,
        "majority_three_hold_main": share(sum(main[name] for name in commonest), n),
        "by_family": {
            name: [sum(w[0] == name and name in f for w, f in zip(wanted, firsts, strict=True)), total]
            for name, total in sorted(main.items())
        },
    }


def measure_effects(wanted: Sequence[str], found: Sequence[Tags]) -> dict[str, Any]:
    told = [tags.effect or "unclear" for tags in found]
    commonest = Counter(wanted).most_common(1)[0]
    clear = [(w, t) for w, t in zip(wanted, told, strict=True) if w != "unclear"]
    return {
        "right": share(sum(w == t for w, t in zip(wanted, told, strict=True)), len(wanted)),
        "right_where_clear": share(sum(w == t for w, t in clear), len(clear)),
        "clear": len(clear),
        "majority": commonest[0],
        "majority_right": share(commonest[1], len(wanted)),
    }


def measure(labels: Sequence[Mapping[str, str]], texts: Mapping[str, str]) -> dict[str, Any]:
    base = read_base()
    tag_text("warm", base)
    begin = time.perf_counter()
    found = [tag_text(texts[row["id"]], base) for row in labels]
    spent = (time.perf_counter() - begin) / len(labels)
    drugs = [divide_drugs(tags.drugs, base) for tags in found]
    labelled = [split(row["drugs"]) for row in labels]
    alike = [name_alike(names, base) for names in labelled], [name_alike(one, base) for one, _ in drugs]
    return {
        "abstracts": len(labels),
        "milliseconds": round(spent * 1000, 1),
        "families": measure_families([split(row["families"]) for row in labels], found),
        "drugs": measure_sets(labelled, [one for one, _ in drugs]),
        "drugs_alike": measure_sets(*alike),
        "classes": measure_sets([split(row["classes"]) for row in labels], [two for _, two in drugs]),
        "genes": measure_sets([split(row["genes"]) for row in labels], [tags.genes for tags in found]),
        "effect": measure_effects([row["effect"] for row in labels], found),
    }


RUNS = ("first", "first_60", "mended_60", "mended_all", "fresh_98", "second_before", "second_100")
ROWS = (
    ("family: main one in the first three", "families", "main_in_first_three", "majority_three_hold_main"),
    ("family: main one is the first", "families", "main_is_first", "majority_is_main"),
    ("drugs: whole set", "drugs", "exact", "majority_exact"),
    ("drugs: precision", "drugs", "precision", ""),
    ("drugs: recall", "drugs", "recall", ""),
    ("drugs: whole set, other names of the base being the same drug", "drugs_alike", "exact", ""),
    ("classes and procedures: whole set", "classes", "exact", "majority_exact"),
    ("genes: whole set", "genes", "exact", "majority_exact"),
    ("genes: precision", "genes", "precision", ""),
    ("genes: recall", "genes", "recall", ""),
    ("effect", "effect", "right", "majority_right"),
)


def show(value: float | None) -> str:
    """Return a share in per cent; nothing where it was not measured."""
    return "" if value is None else f"{100 * value:.1f}"


def write_page(results: Mapping[str, Any]) -> None:
    """Put the table of the results into the page."""
    sizes = [results[run]["abstracts"] for run in RUNS]
    names = (
        "first run, all",
        "first run, last 60",
        "mended on the first 47, last 60",
        "mended on all, all",
        "as it was, fresh ones of other readers",
        "the same tagger, fresh ones of two more readers",
        "**mended on all 205, frozen, those same fresh ones**",
    )
    head = [f"{name} (n = {n})" for name, n in zip(names, sizes, strict=True)]
    plain = ["commonest answer, first set", "commonest answer, last set"]
    lines = [f"| per cent right | {' | '.join([*head, *plain])} |", "| --- " * (len(RUNS) + 3) + "|"]
    for name, group, key, majority in ROWS:
        values = [show(results[run].get(group, {}).get(key)) for run in RUNS]
        values += [show(results[run].get(group, {}).get(majority)) for run in (RUNS[0], RUNS[-1])]
        lines.append(f"| {name} | {' | '.join(values)} |")
    write_between(PAGE, "\n".join(lines), start=START, end=END)


def list_misses(labels: Sequence[Mapping[str, str]], texts: Mapping[str, str]) -> None:
    base = read_base()
    for row in labels:
        tags = tag_text(texts[row["id"]], base)
        substances, groups = divide_drugs(tags.drugs, base)
        for kind, wanted, found in (
            ("drugs", split(row["drugs"]), substances),
            ("classes", split(row["classes"]), groups),
            ("genes", split(row["genes"]), list(tags.genes)),
        ):
            w, f = {fold_name(n): n for n in wanted}, {fold_name(n): n for n in found}
            if w.keys() != f.keys():
                missing, more = [w[k] for k in w.keys() - f.keys()], [f[k] for k in f.keys() - w.keys()]
                print(row["id"], kind, "missing", missing, "more", more)
        if split(row["families"])[0] not in tags.families[:FIRST]:
            print(row["id"], "family", row["families"], tags.mechanisms[:6])
        if row["effect"] != (tags.effect or "unclear"):
            print(row["id"], "effect", row["effect"], tags.effect)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, default=TEXTS)
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--write", metavar="NAME")
    parser.add_argument("--skip", type=int, default=0, help="abstracts at the beginning that are left out")
    parser.add_argument("--misses", action="store_true", help="print what differs from the labels")
    asked = parser.parse_args()
    labels, texts = read_labels(asked.labels)[asked.skip :], read_texts(asked.texts)
    result = measure(labels, texts)
    print(json.dumps(result, indent=2))
    if asked.misses:
        list_misses(labels, texts)
    if asked.write:
        results = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
        results[asked.write] = result
        RESULT.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        if all(run in results for run in RUNS):
            write_page(results)


if __name__ == "__main__":
    main()
