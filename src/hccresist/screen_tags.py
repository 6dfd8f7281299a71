"""What `hccresist evidence --tag` prints: tags of a text, with the words that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from hccresist import screen

if TYPE_CHECKING:
    from hccresist.explain.knowledge import EvidenceBase
    from hccresist.explain.tagger import Tags

SHOWN_MECHANISMS = 5
"""Mechanisms that are printed."""


def print_tags(tags: Tags, base: EvidenceBase) -> None:
    """Print mechanisms, genes, drugs and effect of a text, each with its words."""
    console = screen.out()
    names = dict(base.mechanisms.select("mechanism_id", "name").iter_rows())
    for mechanism in tags.mechanisms[:SHOWN_MECHANISMS]:
        words, weight = _tell_words(tags, "mechanism", mechanism)
        console.print(
            f"mechanism  [bold]{mechanism}[/] {escape(str(names.get(mechanism, '')))} ({weight:g}): {words}"
        )
    if len(tags.mechanisms) > SHOWN_MECHANISMS:
        console.print(f"           [dim]and {len(tags.mechanisms) - SHOWN_MECHANISMS} weaker ones[/]")
    for kind, found in (("gene", tags.genes), ("drug", tags.drugs)):
        for name in found:
            console.print(f"{kind:<10} [bold]{escape(name)}[/]: {_tell_words(tags, kind, name)[0]}")
    if tags.effect is None:
        console.print("effect     none read")
        return
    words, weight = _tell_words(tags, "effect", tags.effect)
    console.print(f"effect     [bold]{tags.effect}[/] ({weight:g}): {words}")


def _tell_words(tags: Tags, kind: str, name: str) -> tuple[str, float]:
    """Return the words that stand for a tag, each once with its number, and the sum of their weights."""
    own = [match for match in tags.matches if match.kind == kind and match.stands_for == name]
    counts: dict[str, int] = {}
    for match in own:
        counts[match.term] = counts.get(match.term, 0) + 1
    words = [word if count == 1 else f"{word} ×{count}" for word, count in counts.items()]
    return escape(", ".join(" ".join(word.split()) for word in words)), sum(match.weight for match in own)
