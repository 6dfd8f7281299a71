"""Names that are read by their form before any list: RNAs, targets inside the names of treatments, cells.

1. *RNAs*: ``miR-122-5p``, ``miR-221/222``, ``let-7a``, ``circMET``, ``hsa_circ_0001944``, ``linc-ROR``,
   ``lncARSR``, ``ENST00000425005``, and whatever follows the word lncRNA and is written as a name. A
   microRNA without an arm is the same as one of that number whose arm the text gives once.
2. *Targets of treatments*: PD-1, PD-L1, CTLA-4, VEGF and PDGF with their receptors behind *anti-* or
   before *inhibitor*, *antibody*, *blockade* and their like are a class of drugs and no gene, a list of
   them and a bracket with their abbreviation included.
3. *Cells*: ``CD8+``, ``CD133-positive cells``, ``CD44 high population`` name cells and no gene.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hccresist.explain.names import read_microrna


@dataclass(frozen=True, slots=True)
class Span:
    """A place of a text that is read as a whole: kind (gene, drug) and what it stands for."""

    start: int
    end: int
    kind: str
    name: str


_RNA: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<mir>(?:hsa-)?(?:pre-|pri-|anti-)?(?:miR|MiR|MIR|mir|microRNA|miRNA|[Ll]et)s?"
    r"[- ]?\d+[a-z]?(?:-\d(?!\d*[35]?p))?(?![\d.]|[- ]?nt\b)(?:[- ]?[35]p)?)"
    r"(?P<more>(?:/-?\d+[a-z]?(?:-[35]p)?)*)"
    r"|(?P<circ>(?:hsa[-_])?circ(?:RNA)?[-_ ]?(?!RNAs?\b)(?=[A-Z0-9])[A-Za-z0-9]+(?:[-_][A-Z0-9]+)?)"
    r"|(?P<lnc>[Ll]i?nc-(?!RNA)[A-Z][A-Za-z0-9]+|LINC-[A-Z0-9]+|lnc(?!RNA)[A-Z][A-Za-z0-9]+)"
    r"|(?P<transcript>(?:ENST\d{11}|NONHSAT\d{5,}|TCONS_\d{5,}|RP\d{1,2}-\d+[A-Z]\d+(?:\.\d+)?|A[CLP]\d{6}\.\d{1,2})))(?![A-Za-z0-9])"
)
_LNC_NAMED: Final = re.compile(
    r"(?:[Ll]ncRNAs?|[Ll]incRNA|[Ll]ong non-?coding RNAs?)(?: \((?:lncRNAs?)\))?[- ]"
    r"(?P<name>(?=[A-Za-z-]*(?:\d|[A-Z]{3}))"
    r"(?!(?:HLA|HCC|RNA|DNA|HBV|HCV|TACE|ROC|AUC|OS|PCR|TCGA|ICC|CSC|EMT)s?\b)[A-Z][A-Za-z0-9]+(?:-[A-Z0-9]+)*)"
)
_NO_NAME: Final = re.compile(r"(?:seq|array|profil\w+|based|mediated|related|associated)", re.IGNORECASE)


def is_rna(name: str) -> bool:
    """Return whether a name is that of an RNA by its form."""
    return _RNA.fullmatch(name) is not None


def find_rnas(text: str) -> list[Span]:
    """Return the RNAs of a text that are known by their form."""
    found = [span for one in _RNA.finditer(text) for span in _read_rna(one)]
    taken = {place for span in found for place in range(span.start, span.end)}
    found += [
        Span(one.start("name"), one.end("name"), "gene", one["name"])
        for one in _LNC_NAMED.finditer(text)
        if one.start("name") not in taken and not _NO_NAME.search(one["name"])
    ]
    return sorted(_join_arms(found), key=lambda span: (span.start, span.end))


def _read_rna(found: re.Match[str]) -> Iterator[Span]:
    if not found["mir"]:
        name = re.sub(r" |^hsa[-_]", "", found.group())
        yield Span(found.start(), found.end(), "gene", name)
        return
    first = re.sub(r"(?i)^(hsa-)?(?:pre-|pri-|anti-)?(?:micrornas?|mirnas?|mirs?)[- ]?", "miR-", found["mir"])
    first = re.sub(r"(?i)^let-?", "let-", first).replace(" ", "-")
    yield Span(found.start(), found.end("mir"), "gene", _label(first))
    kind = first.partition("-")[0]
    for part in re.finditer(r"/-?(\w+(?:-[35]p)?)", found["more"]):
        start = found.start("more")
        yield Span(start + part.start(1), start + part.end(1), "gene", _label(f"{kind}-{part[1]}"))


def _label(written: str) -> str:
    rna = read_microrna(written)
    return rna.label if rna else written


def _join_arms(spans: list[Span]) -> list[Span]:
    """Give a microRNA without an arm the one arm that the text names for it."""
    arms: dict[str, set[str]] = {}
    for span in spans:
        if re.search(r"-[35]p$", span.name):
            arms.setdefault(span.name[:-3], set()).add(span.name)
    return [
        Span(span.start, span.end, span.kind, next(iter(arms[span.name])))
        if len(arms.get(span.name, ())) == 1
        else span
        for span in spans
    ]


_PD1: Final = r"PD-?1|programmed(?: cell)?[- ]death(?:[- ](?:protein|receptor))?[- ]?1"
_PDL1: Final = r"PD-?L1|programmed(?: cell)?[- ]death(?: protein)?[- ]?(?:1 )?ligand[- ]?1"
_CTLA4: Final = r"CTLA-?4|cytotoxic T[- ]lymphocyte(?:[- ]associated)?(?: (?:protein|antigen))?[- ]?4"
_VEGF: Final = (
    r"VEGF(?:-?A)?(?:R(?:-?[123])?)?|vascular endothelial growth factors?(?:[- ]A)?"
    r"(?: receptors?(?:[- ]?2)?)?"
    r"|PDGFR?(?:-?[αβ])?|platelet-derived growth factor(?: receptors?)?"
)
_ITEM: Final = (
    rf"(?:(?P<pdl{{0}}>{_PDL1})|(?P<pd{{0}}>{_PD1})|(?P<ctla{{0}}>{_CTLA4})|(?P<vegf{{0}}>{_VEGF}))"
    r"(?: ?[(\[][A-Za-z0-9/-]{{2,8}}[)\]])?"
)
_LINK: Final = r"(?: ?(?:/|,| and| or|, and| plus) ?(?:anti-)?)"
_LIST: Final = _ITEM.format("a") + f"(?:{_LINK}{_ITEM.format('b')})?" + f"(?:{_LINK}{_ITEM.format('c')})?"
_TREATMENT: Final = (
    r"(?:[- ](?:immune )?(?:checkpoint|pathway|axis|signall?ing|monoclonal|blocking|neutrali[sz]ing|kinase"
    r"|tyrosine kinase|immune))*[- ](?:antibod(?:y|ies)|inhibitors?|inhibition|blockades?|blockers?|mAbs?"
    r"|antagonists?|targeted (?:therap\w+|agents?|drugs?|treatments?)"
    r"|(?:inhibitor-)?based (?:therap\w+|regimens?|treatments?"
    r"|immunotherap\w+)|immunotherap\w+|therap(?:y|ies)|agents?)\b"
)
_TARGET: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?P<anti>anti-? ?)?{_LIST}(?![A-Za-z0-9])(?P<drug>{_TREATMENT})?", re.I
)
_CLASSES: Final = {
    "ctla": "anti-CTLA-4 (class)",
    "vegf": "anti-angiogenic (class)",
    "pd": "anti-PD-1 (class)",
    "pdl": "anti-PD-L1 (class)",
}


def find_targets(text: str) -> list[Span]:
    """Return the treatments of a text that are named by PD-1, PD-L1, CTLA-4 or VEGF."""
    spans: list[Span] = []
    for found in _TARGET.finditer(text):
        groups = found.groupdict()
        blocked = found["drug"] or ""
        if blocked.endswith("inhibition") and found["vegfa"]:
            blocked = ""  # what a drug does, not a drug
        if not (found["anti"] or blocked):
            continue
        named = [key for key in _CLASSES if any(groups[f"{key}{place}"] for place in "abc")]
        labels = [_CLASSES[key] for key in named]
        if {"pd", "pdl"} <= set(named):
            labels = [one for one in labels if one not in {_CLASSES["pd"], _CLASSES["pdl"]}]
            labels.append("anti-PD-1/PD-L1 (class)")
        spans += [Span(found.start(), found.end(), "drug", label) for label in labels]
    return spans


_MARKS: Final = (
    r"(?:CD\d{1,3}[A-Za-z]?|EpCAM|EPCAM|ICOS|F[Oo][Xx][Pp]3|PD-?1|PD-?L1|TIM-?3|LAG-?3|NKG2A|GZMB|Ki-?67|CXCR\d|CCR\d"
    r"|F4/80|Gr-?1|ALDH|CK19|LGR5|TIGIT)"
)
_NOUN: Final = (
    r"(?:cells?|populations?|subpopulations?|subsets?|fractions?|spheres?|spheroids?|CSCs?|LCSCs?|lymphocytes?"
    r"|macrophages?|fibroblasts?|tumou?r cells?|T[- ]|NK|TILs?|Tregs?|monocytes?|neutrophils?|DCs?"
    r"|hepatocytes?|progenitors?|\w*sphere\w*|\w*forming)"
)
_CELL: Final = re.compile(
    rf"{_MARKS}(?:\s?[+⁺](?!\w)|\s?[+⁺](?=CD|\s)|\s?\([+-]\)|[-−–⁻](?=\s+(?:[A-Za-z-]+\s+){{0,2}}{_NOUN}\b)"
    rf"|[- ]?(?:positive|negative|high|low|bright|hi|lo|enriched|expressing)"
    rf"\s+(?:[A-Za-z-]+\s+){{0,3}}{_NOUN}"
    rf"|\s?(?:T[- ]|cytotoxic|lymphocyte|memory|effector|NK|tumou?r-infiltrating|TIL|macrophage))"
)


def is_cell(text: str, start: int) -> bool:
    """Return whether a name that begins at a character names cells, as ``CD133+ cells`` does."""
    return _CELL.match(text, start) is not None
