"""Substances that stand in no list: by the endings of names, and by what a text says of them.

1. *International names.* Words that end as those of drugs do (*-tinib*, *-mab*, *-stat*, *-gliptin* …).
   One letter beside a listed drug is that drug, misspelt (``sorefenib``).
2. *Codes* such as ``BLU9931`` near a word such as *inhibitor* or *treated*.
3. *Salts*: a metal before a word in *-ate*, *-ide* or *-ite* (``sodium demethylcantharidate``).
4. *Natural compounds and others.* A word that ends as their names do (*-olide*, *-icin*, *-genin* …)
   counts where the text treats with it (``effects of casticin on``, ``casticin-treated``); a word with
   any chemical ending counts where the text says what it is (``sinulariolide, an active compound``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hccresist.explain.tagger_rules import Token

_INN: Final = re.compile(
    r"^[a-z]{3,}(?:nib|mab|ciclib|parib|vastatin|platin|rubicin|taxel|rolimus|zomib|trexed|trexate|[ar]abine"
    r"|citabine|tecan|lisib|sertib|degib|toclax|[a-z]stat|lutamide|[a-z]sartan|gliptin|gliflozin|glitazone"
    r"|prazole|conazole|nidazole|bendazole|floxacin|cycline|mycin|oxetine|dipine|fibrate|coxib|profen|xaban"
    r"|semide|setron|mustine|glutide|reotide|tercept|kinra|limod|lukast|methasone|solone|oquine|triptan"
    r"|vaptan|olol|caine|trozole|mestane|oxifene|poside|dronate|dronic|leucel|tomig|tamig|stobart|[a-z]{2}vir"
    r"|ustat|sulfan|fluridine|butazone|ciclovir|thiazide|razosin|tegrast|vorin|nersen|siran|mersen)$"
)
_NO_INN: Final = re.compile(
    r"^(?:anthracyclines?|.*(?:bacterio|chemo|cryo|hemo|haemo|rheo|thermo|immuno|photo)stat|puromycin|streptomycin"
    r"|hygromycin|cocaine)$"
)
_CODE: Final = re.compile(
    r"(?!(?:NCT|GSE|PMID|PMC|SNU|SK|HUH|BEL|QGY|SMMC|CD|IL|HCT|KEYNOTE|COVID|CT|FIB|IC|EC|CCK|HT|HEK|HL|LX"
    r"|THP|A549|H460|H1299|U937|K562|MKN|MCF|MDA|PLC|LM|HCCLM|LEAP|CARES|HLA|ICD|QLQ|SF|EQ|ISO|ENSG|ENST|PRJNA"
    r"|CRD|TCGA|GPL|EGAS|NRG|RTOG|SARAH|BCLC|ALBI|MELD|VP|ORF|DPC|UTR|MHCC|HCC|HCCC|JHH|HCV|HBV|SARS)-?\d)"
    r"(?!(?:MHCC|HLA|QLQ|EQ|JCOG|UMIN|SWOG|ECOG|KLCSG)-?[A-Z\d])"
    r"(?![STY]\d{2,4}$|[A-Z]\d{2,4}[A-Z]$|P450$|G418$)"
    r"(?:[A-Z]{1,4}-?\d{3,8}[A-Z]?|[A-Z]{2,5}-[A-Z]{0,5}\d{1,3}|[A-Z]{2,4}\d[A-Z]\d{2,4})$"
)
_CODE_CUE: Final = re.compile(
    r"^(?:inhibitors?|antagonists?|agonists?|activators?|compound|degrader|drug|treatments?|treated|combin\w+|dose)$"
)
_CODE_REACH: Final = 4
"""Tokens on either side of a code in which its cue stands."""

_SALT: Final = re.compile(
    r"\b(?P<salt>(?:[Ss]odium|[Mm]agnesium|[Pp]otassium|[Cc]alcium|[Ll]ithium|[Dd]isodium|[Zz]inc)"
    r" (?P<acid>(?!phosphate|chloride|iodide|sulfate|sulphate|dodecyl|bicarbonate|carbonate|hydroxide|citrate"
    r"|oxide|acetate|nitrate|taurocholate|cholate|azide|pyruvate|intake|lactate|substrate|uptake"
    r"|rate|state|gate)[A-Za-z]{3,}(?:ate|ite|ide)))\b"
)
_NATURAL: Final = re.compile(
    r"^[a-z]{3,}(?:olide|oside|icin|genin|[aeio]tin|flavone|inone|anone|enone|quinone|[bphcv]erine|arine|orine"
    r"|idine|amycin|ilide|oxin|urin|andrin|ellin|acetin|ysin|alcone|toxol|amide|azine|ofuran|oquinol|anthin"
    r"|ropine|amine|inine|onine|oline|erone|erol|icoside|anoid|adiene|phyllin|statin)$"
)
_NO_NATURAL: Final = re.compile(
    r"^(?:.*(?:nucle|ganglio|glyc|cerebro|globo|lacto)oside|.*(?:thymi|cyti|uri|guani|histi|pyri|lepi)dine|chromatin"
    r"|keratin|cytokeratin|.*creatin|.*statin|fibronectin|.*nectin|lectin|galectin|.*ectin|gelatin|leptin"
    r"|adiponectin|ferritin|hepatitin|prohibitin|visfatin|resistin|myostatin|elastin|actin|cortactin"
    r"|biotin|statin|satin|latin|dopamine|histamine|.*(?:hex|gluc|galact|manno|poly|spermi)amine|ketamine|vitamin"
    r"|aldosterone|.*testosterone|progesterone|hormone|glycerol|.*glycerol|cholesterol|.*sterol|threonine|methionine"
    r"|alanine|phenylalanine|proline|hydroxyproline|choline|.*acylcholine|adenine|guanine|bovine|urine|murine"
    r"|marine|endocrine|amide|diamide|acrylamide|ceramide|.*ceramide|nicotinamide|dioxin|endotoxin|exotoxin"
    r"|.*toxin|glycin|.*glycine|trypsin|pepsin|.*doxin|serine|.*serine|uterine|line|baseline|outline|decline"
    r"|guideline|pipeline|online|saline|midline|frontline|borderline|streamline|quinone|ubiquinone|tyrosine"
    r"|platelet.*|examine|determine|combine|famine|contamine|.*amine|underline|headline|deadline|mainline"
    r"|multiline|adrenaline|noradrenaline|.*filin|peroxidine|paraffine|toluidine|carnitine|.*creatinine"
    r"|creatinine|hemine|cytosine|hypotaurine|taurine|purine|purin|aspirin|prolactin|neurexin|annexin|thioredoxin"
    r"|peroxiredoxin|ferredoxin|adrenodoxin|syntaxin|ataxin|.*xin|insulin|.*tensin|lysin|.*lysin)$"
)
_CHEMICAL: Final = re.compile(
    r"^[A-Za-z][a-z]{4,}(?:in|ine|ol|one|ide|ate|ene|oid|ium|am|il|ib|ane|yl|al|ose|an|ole|acid)$"
)
_NO_CHEMICAL: Final = re.compile(
    r"^(?:.*medicine|.*protein|glutamine|arginine|tryptophan|lactate|.*serine|.*cysteine|combine\w*|hormone|cytokine|chemokine|vaccine|alone|control|alcohol|protocol|clinical"
    r"|chemical|biological|pharmacological|survival|trial|several|arterial|hospital|potential|level|model"
    r"|human|chain|brain|domain|strain|within|origin|remain|obtain|contain|certain|plan|than|scan|clan|pan"
    r"|gene|oncogene|transgene|hygiene|membrane|insulin|albumin|urban|japan|taiwan|organ|median|mean|asian"
    r"|candidate|substrate|phosphate|derivate|conjugate|evaluate|estimate|investigate|demonstrate|indicate"
    r"|peptide|nucleotide|guide|provide|inside|outside|worldwide|wide|side|oxide|peroxide|superoxide|chloride"
    r"|medium|calcium|sodium|potassium|endothelium|epithelium|bacterium|program|team|stream|exam|until|council"
    r"|syndrome|outcome|zone|clone|bone|tone|milestone|cornerstone|backbone|histone|ketone|lone|phone|none"
    r"|adenosine|line|cell line|disease|purpose|dose|close|those|whose|glucose|lactose|diagnose|expose"
    r"|normal|renal|metal|final|total|optimal|global|novel|role|whole|sole|ethanol|methanol|glycerol|cholesterol"
    r"|determine|examine|define|routine|engine|genuine|machine|spine|discipline|pristine|steroid|thyroid"
    r"|carcinoid|organoid|xenograft|spheroid|thereof|chromatin|collagen|fibrin|hemoglobin|bilirubin|rubin"
    r"|in vivo|margin|plain|gain|pain|main|bulletin|skin|toxin|vitamin|dominant|proportional"
    r"|intracellular)s?$",
    re.IGNORECASE,
)
_WHAT: Final = (
    r"(?:alkaloids?|flavono(?:id|l|ne)s?|isoflavones?|terpenoids?|diterpen(?:e|oid)s?|triterpen(?:e|oid)s?"
    r"|sesquiterpen(?:e|oid)s?|lactones?|saponins?|polyphenols?|stilbenes?|lignans?|coumarins?|anthraquinones?"
    r"|chalcones?|glycosides?|phytochemicals?|quinones?|naphthoquinones?|macrolides?|xanthones?"
    r"|(?:natural|active|bioactive|plant|herbal|phenolic|small[- ]molecule|synthetic|novel"
    r"|anticancer|anti-cancer|antitumou?r|monomer)"
    r" (?:[a-z-]+ ){0,3}(?:compounds?|ingredients?|components?|constituents?|products?|monomers?|drugs?"
    r"|agents?|inhibitors?|derivatives?|molecules?|extracts?)"
    r"|(?:compound|ingredient|component|constituent|product|metabolite) (?:\w+ )?(?:isolated|extracted"
    r"|derived|purified|from|of the (?:plant|herb|root))"
    r"|(?:natural|synthetic|semisynthetic|semi-synthetic|bioactive)? ?derivatives? of)"
)
_SAID: Final = re.compile(
    r"^(?: \([A-Za-z0-9-]{2,8}\))?,?(?: is| was)?,? (?:an?|the|one of the) (?:[\w,-]+ ){0,6}?" + _WHAT + r"\b"
)
_SAID_BEFORE: Final = re.compile(
    r"\b(?:alkaloid|flavonoid|flavone|isoflavone|terpenoid|diterpenoid|triterpenoid|lactone|saponin"
    r"|polyphenol|lignan|natural (?:compound|product|agent)|bioactive (?:compound|ingredient|component)"
    r"|active (?:compound|ingredient|component)"
    r"|small[- ]molecule(?: inhibitor| compound)?|phytochemical|monomer)s?,? (?:of|named|called)? ?$"
)
_DOSED_BEHIND: Final = re.compile(
    r"^(?:[- ](?:treat(?:ed|ment|ments)|induced|mediated|administration|therapy|exposure|resistan(?:t|ce)"
    r"|sensitivity|alone|monotherapy|combination)\b| \(?\d+(?:\.\d+)? ?(?:[nmµμ]M|mg|[µμ]g|nmol|[µμ]mol)\b)"
)
_DOSED_BEFORE: Final = re.compile(
    r"(?:\b(?:treated with|treatment (?:with|of)|treat with|administration of|exposed to|exposure to"
    r"|dos(?:es?|ages?) of|concentrations? of|(?:response|sensitivity|resistance|resistant|sensitive) to"
    r"|combin\w+ (?:with|of)|addition of|in combination with"
    r"|derivatives? of|analog(?:ue)?s? of|administered|injected with|given)"
    r"|\b\d+(?:\.\d+)? ?(?:[nmµμ]M|mg/kg|[µμ]g/ml|mg)(?: of)?) ?$",
    re.IGNORECASE,
)
_ACTS_BEHIND: Final = re.compile(
    r"^(?: \([A-Za-z0-9-]{2,8}\))?(?: \w+ly)? (?:induc|inhibit|suppress|sensiti[sz]|attenuat|enhanc|promot"
    r"|revers|overc[ao]m|reduc|decreas|block|trigger|exert|potentiat|synergi|activat|abrogat|alleviat|ameliorat|prevent"
    r"|on\b|could|can\b|significantly|possess|exhibit|show)"
)
_ACTS_BEFORE: Final = re.compile(
    r"(?:\b(?:effects?|efficacy|activity|activities|potential|role|actions?|mechanisms?|use|application"
    r"|cytotoxicity) of|\band|\bby|\bwith|\bthat|\bhow|\bwhether|\bof|^|[.:;] |, ) ?$",
    re.IGNORECASE,
)
_VARIANT: Final = re.compile(r" (?:[A-H]|[IVX]{1,4}[AB]?|[A-Z][a-z]?\d{1,2}|CK)(?=[\s,.;:)-])")
_REACH: Final = 160
_LEAST_MISSPELT: Final = 8


def is_drug_name(word: str) -> bool:
    """Return whether a word ends as the international names of drugs do.

    Examples
    --------
    >>> [is_drug_name(word) for word in ("tepotinib", "relatlimab", "thermostat")]
    [True, True, False]
    """
    word = word.lower()
    return _INN.match(word) is not None and not _NO_INN.match(word)


def find_substance(
    text: str, tokens: Sequence[Token], at: int, *, drugs: Mapping[str, str]
) -> tuple[int, str] | None:
    """Return last character and name of a substance in no list that begins at a token.

    Parameters
    ----------
    text, tokens, at
        Text, its tokens, and the token.
    drugs
        Listed names of drugs in small letters, with what they stand for.
    """
    token = tokens[at]
    salt = _SALT.match(text, token.start)
    if salt:
        return salt.end(), salt["salt"].lower()
    if is_drug_name(token.text):
        return token.end, mend_spelling(token.text.lower(), frozenset(drugs)) or token.text.lower()
    return _read_code(text, tokens, at) or _read_compound(text, token)


def _read_code(text: str, tokens: Sequence[Token], at: int) -> tuple[int, str] | None:
    token = tokens[at]
    if not token.text[0].isupper():
        return None
    last = at + 1 if at + 1 < len(tokens) and text[token.end : tokens[at + 1].start] == "-" else at
    for end in (last, at):
        written = text[token.start : tokens[end].end]
        beside = [*tokens[max(at - _CODE_REACH, 0) : at], *tokens[end + 1 : end + 1 + _CODE_REACH]]
        if _CODE.match(written) and any(_CODE_CUE.match(one.text.lower()) for one in beside):
            return tokens[end].end, written
    return None


def _read_compound(text: str, token: Token) -> tuple[int, str] | None:
    """Return a compound by its ending together with what the text says of it or does with it."""
    word = token.text
    if not word[1:].islower():
        return None
    variant = _VARIANT.match(text, token.end)
    end = variant.end() if variant else token.end
    behind, before = text[end : end + _REACH], text[max(0, token.start - 60) : token.start]
    if _CHEMICAL.match(word) and not _NO_CHEMICAL.match(word) and _is_said(behind, before, word):
        return end, text[token.start : end].lower() if not variant else word.lower() + variant.group()
    natural = _NATURAL.match(word.lower()) and not _NO_NATURAL.match(word.lower())
    if natural and _is_dosed(behind, before):
        return end, word.lower() + (variant.group() if variant else "")
    return None


def _is_said(behind: str, before: str, word: str) -> bool:
    return _SAID.match(behind) is not None or (
        _SAID_BEFORE.search(before) is not None and _NATURAL.match(word.lower()) is not None
    )


def _is_dosed(behind: str, before: str) -> bool:
    if _DOSED_BEHIND.match(behind) or _DOSED_BEFORE.search(before):
        return True
    return _ACTS_BEHIND.match(behind) is not None and _ACTS_BEFORE.search(before) is not None


@lru_cache(maxsize=2_000)
def mend_spelling(word: str, known: frozenset[str]) -> str:
    """Return the one known name that differs from a word by one letter; empty where there is none.

    Examples
    --------
    >>> mend_spelling("sorefenib", frozenset({"sorafenib", "lenvatinib"}))
    'sorafenib'
    """
    if word in known or len(word) < _LEAST_MISSPELT:
        return ""
    close = sorted(one for one in known if abs(len(one) - len(word)) <= 1 and _differ_by_one(one, word))
    return close[0] if len(close) == 1 else ""


def _differ_by_one(one: str, other: str) -> bool:
    """Return whether two words differ by one letter, or by two that changed places."""
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if same is None:
        return True
    rest, rest_other = one[same:], other[same:]
    swapped = rest[1:2] + rest[0:1] + rest[2:]
    return rest_other in {rest[1:], swapped} or rest_other[1:] in {rest, rest[1:]}


def list_names(terms: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return names of drugs in small letters that are one word, with what they stand for."""
    return {written.lower(): target for written, target in terms if written.isalpha()}
