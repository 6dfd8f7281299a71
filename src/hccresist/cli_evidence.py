"""Command ``evidence``: what is known of a drug, gene or mechanism, for and against."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hccresist.cli_run import Flag, Json, Words, told_as_usage
from hccresist.errors import ConfigError, InputError
from hccresist.failures import BAD_INPUT, FINE

if TYPE_CHECKING:
    from hccresist.explain.knowledge import EvidenceBase

Folder = Annotated[Path | None, Parameter(show_default=False)]
CsvFlag = Annotated[bool, Parameter(name="--csv", negative="", show_default=False)]


def evidence(
    *,
    drug: Words = None,
    gene: Words = None,
    mechanism: Words = None,
    effect: Words = None,
    level: Words = None,
    text: Words = None,
    tag: Words = None,
    json: Json = False,
    csv: CsvFlag = False,
    export: Folder = None,
    mechanisms: Flag = False,
    validate: Flag = False,
    base: Folder = None,
) -> int:
    """Ask what is known of resistance, for and against, with sources.

    Filters narrow; several values in one filter are separated by commas. Names may be trade names,
    codes, proteins or aliases.

    Parameters
    ----------
    drug
        Drug or class; several of one treatment joined by +.
    gene
        Gene, protein, RNA or another entity, for example PD-L1, miR-122-5p, autophagy or NLR.
    mechanism
        Mechanism or family, for example ferroptosis or FER-SLC.
    effect
        resistance, sensitivity, reverses_resistance, improves_outcome, no_effect and others.
    level
        Level of evidence, for example clinical_trial, or a level of CIViC, for example B.
    text
        Sentence or abstract, or @FILE: what is read in it is asked for, beside the filters given.
    tag
        Sentence or abstract, or @FILE: print what is read in it, with the words that decided, and stop.
    json
        Print query, counts, findings and claims as JSON; with --tag the tags.
    csv
        Print the findings as CSV.
    export
        Write the whole base to this new or empty folder: Parquet, CSV, and items in the shape of CIViC.
    mechanisms
        List the mechanisms with the number of their findings.
    validate
        Check the whole base and tell every problem; exit code 1 if one is an error.
    base
        Folder with an evidence.csv of your own, in the columns of ours.
    """
    filters = {
        "drug": drug,
        "gene": gene,
        "mechanism": mechanism,
        "effect": effect,
        "level": level,
        "text": text,
    }
    asked = {name: words for name, words in filters.items() if words is not None}
    with told_as_usage():
        _check_request(asked, [export is not None, mechanisms, validate, tag is not None], [json, csv])
        if text is not None:
            asked["text"] = _read_text("--text", text)
        tagged = None if tag is None else _read_text("--tag", tag)
    if validate:
        return _validate(base, json=json)
    from hccresist.explain.knowledge import read_base  # noqa: PLC0415

    found = read_base(base)
    if export is not None:
        return _export(found, export)
    if mechanisms:
        return _list_mechanisms(found, json=json)
    if tagged is not None:
        return _tag(found, tagged, json=json)
    return _answer(found, asked, json=json, csv=csv)


def _check_request(asked: dict[str, str], jobs: list[bool], forms: list[bool]) -> None:
    """Refuse two jobs at once, filters beside a job, and nothing at all."""
    if sum(jobs) + bool(asked) > 1:
        msg = "--export, --mechanisms, --validate and --tag stand alone, without filters."
        raise ConfigError(msg)
    if sum(forms) > 1:
        msg = "Choose --json or --csv."
        raise ConfigError(msg)
    if not asked and not any(jobs):
        msg = "Ask for something: --drug, --gene, --mechanism, --effect, --level or --text; or --mechanisms."
        raise ConfigError(msg)


def _read_text(option: str, given: str) -> str:
    """Return a text that was typed, or that of the file behind an @."""
    text = given
    if given.startswith("@"):
        try:
            text = Path(given[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            msg = f"{option}: the file {given[1:]!r} cannot be read: {why}."
            raise ConfigError(msg) from error
    if not text.strip():
        msg = f"{option} is empty: give a sentence, or @FILE."
        raise ConfigError(msg)
    return text


def _tag(base: EvidenceBase, text: str, *, json: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.explain.tagger import tag_text  # noqa: PLC0415
    from hccresist.screen_evidence import print_tags  # noqa: PLC0415

    tags = tag_text(text, base)
    if json:
        screen.print_json(tags.record())
    else:
        print_tags(tags, base)
    return FINE


def _answer(base: EvidenceBase, asked: dict[str, str], *, json: bool, csv: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.explain.query import query_evidence  # noqa: PLC0415
    from hccresist.screen_evidence import print_answer  # noqa: PLC0415

    with told_as_usage():
        answer = query_evidence(base, **asked)
    if json:
        screen.print_json(answer.record())
    elif csv:
        sys.stdout.write(answer.findings.write_csv())
    else:
        print_answer(answer)
    return FINE


def _export(base: EvidenceBase, out: Path) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.explain.evidence_export import export_base  # noqa: PLC0415
    from hccresist.outputs import check_new_folder, open_new_folder  # noqa: PLC0415

    with told_as_usage():
        check_new_folder(out)
    with open_new_folder(out) as staging:
        written = export_base(base, staging)
    screen.out().print(f"{len(written)} files in {out}", markup=False)
    return FINE


def _list_mechanisms(base: EvidenceBase, *, json: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.screen_evidence import print_mechanisms  # noqa: PLC0415

    if json:
        screen.print_json(base.mechanisms.to_dicts())
    else:
        print_mechanisms(base)
    return FINE


def _validate(folder: Path | None, *, json: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.explain.knowledge import count_base, read_base  # noqa: PLC0415
    from hccresist.explain.validate import check_folder  # noqa: PLC0415
    from hccresist.screen_evidence import print_check  # noqa: PLC0415
    from hccresist.study.issues import IssueLog, Severity  # noqa: PLC0415

    issues = check_folder(folder)
    try:
        counts = count_base(read_base(folder, log=IssueLog()))
    except InputError:
        counts: dict[str, int] = {}
    bad = any(issue.severity is Severity.ERROR for issue in issues)
    if json:
        listed = [issue.record() for issue in issues]
        screen.print_json({"fine": not bad, "issues": listed, "counts": counts})
    else:
        print_check(issues, counts)
    return BAD_INPUT if bad else FINE
