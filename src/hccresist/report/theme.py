"""Colours of the page and its figures: one table of tones, each in light and dark.

Figures are drawn once, in the light tones. Because every light tone is a colour of its own, the
style sheet can turn each into the tone of the theme in force, and a figure that is saved as SVG
keeps its light colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hccresist.report import words


@dataclass(frozen=True, slots=True)
class Tone:
    """A colour by name, in the light and in the dark theme (lower-case hex)."""

    name: str
    light: str
    dark: str


PAGE: Final = (
    Tone("paper", "#f7f6f3", "#14181b"),
    Tone("panel", "#fefefd", "#1b2024"),
    Tone("sunken", "#efede8", "#22282d"),
    Tone("accent-soft", "#e3edf1", "#1d323c"),
    Tone("warn", "#7a4b00", "#f0bd6a"),
    Tone("warn-soft", "#fbf0d9", "#33291a"),
    Tone("bad", "#9b2318", "#f59a8c"),
    Tone("bad-soft", "#fae7e4", "#39211f"),
    Tone("focus", "#a34a00", "#ffb35c"),
)
"""Tones that only the page uses."""

FIGURE: Final = (
    Tone("ink", "#1c2227", "#e9e7e2"),
    Tone("muted", "#545d64", "#a9b1b6"),
    Tone("rule", "#d9d6cf", "#384046"),
    Tone("grid", "#e9e7e1", "#282f34"),
    Tone("accent", "#1d5b78", "#86c0da"),
    Tone("cr", "#0a3f7d", "#5b9df0"),
    Tone("pr", "#2f8fd3", "#9cd0f5"),
    Tone("sd", "#a97f00", "#e6bd4a"),
    Tone("non", "#2f6f5f", "#79b8a6"),
    Tone("upd", "#d4603a", "#f2a07e"),
    Tone("pd", "#a8261b", "#f0634f"),
    Tone("ne", "#878c90", "#838b91"),
    Tone("ned", "#a3559d", "#dc9bd8"),
    Tone("halo", "#fefefe", "#1b2025"),
    Tone("on-deep", "#ffffff", "#0b0f12"),
    Tone("on-pale", "#000000", "#0b0f12"),
    Tone("arm-1", "#175e7c", "#7fc0dd"),
    Tone("arm-2", "#b4550c", "#f2a45e"),
    Tone("arm-3", "#4f7326", "#a7cc76"),
    Tone("arm-4", "#7b4489", "#d3a0e0"),
    Tone("arm-5", "#85682a", "#d9bf85"),
    Tone("arm-6", "#3d5a99", "#9fb4ee"),
)
"""Tones that figures use as well; the light ones are distinct, which a test holds."""

ARMS: Final = tuple(tone.name for tone in FIGURE if tone.name.startswith("arm-"))
_BY_NAME: Final = {tone.name: tone for tone in (*PAGE, *FIGURE)}


def tone(name: str) -> Tone:
    """Return a tone by name."""
    return _BY_NAME[name]


def light(name: str) -> str:
    """Return the light colour by name, as figures are drawn."""
    return _BY_NAME[name].light


def response_colour(word: str) -> str:
    """Return the light colour of a response word."""
    return light(words.response_tone(word))


def label_tone(name: str) -> str:
    """Return the tone of text that stands on a response colour."""
    return "on-deep" if name in {"cr", "non", "pd", "ned"} else "on-pale"


def arm_colour(position: int) -> str:
    """Return the light colour of the arm at a position; colours repeat after six arms."""
    return light(ARMS[position % len(ARMS)])


def make_css() -> str:
    """Return the custom properties of both themes and the rules that recolour figures."""
    light_vars = _variables(dark=False)
    dark_vars = _variables(dark=True)
    of_system = f":root:not([data-theme=light]){{color-scheme:dark;{dark_vars}}}"
    parts = [
        f":root{{color-scheme:light;{light_vars}}}",
        f"@media (prefers-color-scheme:dark){{{of_system}}}",
        f":root[data-theme=dark]{{color-scheme:dark;{dark_vars}}}",
        f"@media print{{:root:root:root{{color-scheme:light;{light_vars}}}}}",
    ]
    parts += [
        f".figure svg [{kind}='{tone.light}']{{{kind}:var(--{tone.name})}}"
        for tone in FIGURE
        for kind in ("fill", "stroke")
    ]
    parts += [f".tone-{name}{{--tone:var(--{name})}}" for name in sorted(set(words.TONE_OF.values()))]
    return "\n".join(parts)


def _variables(*, dark: bool) -> str:
    return ";".join(f"--{tone.name}:{tone.dark if dark else tone.light}" for tone in (*PAGE, *FIGURE))
