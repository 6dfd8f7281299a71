"""The map of the model: what moves what, as a figure (SVG) and as text.

States, drug effects and resistance handles stand on a ring. A line goes from what influences to what is
influenced (dot); its width is the share that it has. Weak influences are left out of the figure, but for the
strongest of each source; the text has all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from hccresist.overcome.model.influences import Influence, find_influences
from hccresist.overcome.model.parameters import Model, read_model

SHOWN: Final = 0.04
"""Share from which an influence is drawn; the strongest of each source is drawn in any case."""
COLOURS: Final = {"+": "#0072b2", "-": "#d55e00", "±": "#777777"}
"""Line of each sign (colours that the colour-blind can tell apart; lowering is dashed too)."""
GROUPS: Final = {
    "lesion": ("States of a lesion", "#2b6a4d"),
    "patient": ("States of the patient", "#5b3f8c"),
    "drug effect": ("Drug effects", "#8a5a00"),
    "handle": ("Resistance handles", "#a02040"),
}
WORDS: Final = {"+": "raises", "-": "lowers", "±": "raises or lowers"}
_WIDTH, _HEIGHT, _RADIUS = 1120, 1010, 350
_MIDDLE: Final = (560.0, 500.0)
_GAP: Final = 2.0  # places left free between groups


def _names(model: Model) -> dict[str, list[str]]:
    """Names of each group around the ring."""
    influences = find_influences()
    handles = dict.fromkeys(one.source for one in influences if one.kind == "handle")
    order = {p.name: i for i, p in enumerate(model.parameters)}
    return {
        "lesion": list(model.lesion.states),
        "patient": list(model.patient.states),
        "drug effect": [exposure.name for exposure in model.exposures],
        "handle": sorted(handles, key=lambda name: order[name]),
    }


def _places(groups: dict[str, list[str]]) -> dict[str, float]:
    """Angle of every name, clockwise from the top left."""
    total = sum(len(names) + _GAP for names in groups.values())
    found: dict[str, float] = {}
    at = 0.0
    for names in groups.values():
        for name in names:
            found[name] = 2 * math.pi * at / total - 0.75 * math.pi
            at += 1
        at += _GAP
    return found


def _point(angle: float, radius: float) -> tuple[float, float]:
    """Point on a circle around the middle."""
    return _MIDDLE[0] + radius * math.cos(angle), _MIDDLE[1] + radius * math.sin(angle)


def _label(name: str, angle: float, colour: str, *, meaning: str) -> str:
    """Name outside the ring, along its radius."""
    x, y = _point(angle, _RADIUS + 12)
    turned = math.degrees(angle)
    left = math.cos(angle) < 0
    turn = turned + 180 if left else turned
    anchor = "end" if left else "start"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" dominant-baseline="middle" '
        f'transform="rotate({turn:.1f} {x:.1f} {y:.1f})">'
        f"<title>{escape(meaning)}</title>{escape(name)}</text>"
    )


def _line(one: Influence, places: dict[str, float]) -> str:
    """One influence as a curve towards the middle, with a dot at what is influenced."""
    (x0, y0), (x1, y1) = (_point(places[name], _RADIUS) for name in (one.source, one.target))
    apart = math.hypot(x1 - x0, y1 - y0) / (2 * _RADIUS)
    pull = 0.75 - 0.55 * apart  # close neighbours keep near the rim
    cx = _MIDDLE[0] + ((x0 + x1) / 2 - _MIDDLE[0]) * pull
    cy = _MIDDLE[1] + ((y0 + y1) / 2 - _MIDDLE[1]) * pull
    colour = COLOURS[one.sign]
    dash = ' stroke-dasharray="6 3"' if one.sign == "-" else ""
    width = 0.7 + 7 * one.share
    title = f"{one.source} {WORDS[one.sign]} {one.target} ({100 * one.share:.0f} % of what moves it)"
    path = f"M{x0:.1f},{y0:.1f} Q{cx:.1f},{cy:.1f} {x1:.1f},{y1:.1f}"
    return (
        f'<g><title>{escape(title)}</title><path d="{path}" fill="none" stroke="{colour}" '
        f'stroke-width="{width:.2f}" stroke-opacity="0.65"{dash}/>'
        f'<circle cx="{x1:.1f}" cy="{y1:.1f}" r="{2 + 3 * one.share:.2f}" fill="{colour}"/></g>'
    )


def _legend() -> Iterator[str]:
    """Tell what the lines and colours mean."""
    for row, (sign, colour) in enumerate(COLOURS.items()):
        y = 955 + 18 * row
        dash = ' stroke-dasharray="6 3"' if sign == "-" else ""
        yield f'<path d="M24,{y} h44" stroke="{colour}" stroke-width="2.5"{dash}/>'
        yield f'<text x="76" y="{y + 4}" fill="#222222">{WORDS[sign]}</text>'
    for row, (title, colour) in enumerate(GROUPS.values()):
        yield f'<text x="1096" y="{941 + 18 * row}" fill="{colour}" text-anchor="end">{title}</text>'


def draw_map() -> str:
    """Draw the map.

    Returns
    -------
    str
        SVG; hovering over a line or a name says what it is.
    """
    model = read_model()
    groups = _names(model)
    places = _places(groups)
    meanings = {thing.name: thing.meaning for thing in (*model.quantities, *model.exposures)}
    meanings |= {parameter.name: parameter.meaning for parameter in model.parameters}
    best = {one.source: one for one in sorted(find_influences(), key=lambda one: one.share)}
    shown = [one for one in find_influences() if one.share >= SHOWN or one is best[one.source]]
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    told = f"influences of {100 * SHOWN:.0f} % or more, and each source's strongest; dot: what is influenced"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" font-size="13">',
        "<title>Map of the model of the virtual patient</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        '<text x="24" y="32" font-size="18" fill="#222222">The virtual patient: what moves what</text>',
        f'<text x="24" y="52" fill="#555555">{told}</text>',
        *(_line(one, places) for one in sorted(shown, key=lambda one: one.share)),
    ]
    for group, names in groups.items():
        lines += [_label(n, places[n], GROUPS[group][1], meaning=meanings[n]) for n in names]
    return "\n".join([*lines, *_legend(), "</svg>"]) + "\n"


def tell_map() -> str:
    """Tell the map: every state with what raises and lowers it, the strongest first."""
    influences = find_influences()
    lines: list[str] = []
    for target in dict.fromkeys((one.scope, one.target) for one in influences):
        own = [one for one in influences if (one.scope, one.target) == target]
        lines.append(f"{target[1]} ({target[0]})")
        lines += [f"  {sign} {_listed(own, sign)}" for sign in COLOURS if any(o.sign == sign for o in own)]
    return "\n".join(lines) + "\n"


def _listed(own: Sequence[Influence], sign: str) -> str:
    """List the sources of one sign with their shares."""
    return ", ".join(
        f"{one.source} {100 * one.share:.0f} %" if one.share >= 0.005 else f"{one.source} <1 %"
        for one in own
        if one.sign == sign
    )
