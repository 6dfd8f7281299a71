"""Colours: readable in both themes, apart for colour-blind readers, and recoloured one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hccresist.report import theme, words

THEMES = ("light", "dark")
BACKGROUNDS = ("paper", "panel", "sunken")

# Machado GM, Oliveira MM, Fernandes LAF. IEEE Trans Vis Comput Graph 2009;15:1291-1298, severity 1.0.
VISION = {
    "common": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour: str) -> np.ndarray:
    """Linear light of an sRGB colour (IEC 61966-2-1)."""
    share = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    high, low = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (first, second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear light."""
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = matrix @ np.clip(light, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def colour(name: str, mode: str) -> str:
    return getattr(theme.tone(name), mode)


@pytest.mark.parametrize("mode", THEMES)
@pytest.mark.parametrize("name", ["ink", "muted", "accent", "warn", "bad"])
def test_text_has_contrast_aa_on_every_background(name: str, mode: str) -> None:
    for background in BACKGROUNDS:
        assert contrast(colour(name, mode), colour(background, mode)) >= 4.5


@pytest.mark.parametrize("mode", THEMES)
def test_text_on_tinted_boxes_has_contrast_aa(mode: str) -> None:
    for text, box in (("warn", "warn-soft"), ("ink", "warn-soft"), ("ink", "bad-soft"), ("bad", "bad-soft")):
        assert contrast(colour(text, mode), colour(box, mode)) >= 4.5


@pytest.mark.parametrize("mode", THEMES)
def test_names_of_arms_and_labels_in_bars_have_contrast_aa(mode: str) -> None:
    for arm in theme.ARMS:
        assert contrast(colour(arm, mode), colour("paper", mode)) >= 4.5
    for name in set(words.TONE_OF.values()):
        text = theme.label_tone(name)
        assert contrast(colour(text, mode), colour(name, mode)) >= 4.5


@pytest.mark.parametrize("mode", THEMES)
def test_marks_and_focus_rings_stand_out_from_the_page(mode: str) -> None:
    for name in {*words.TONE_OF.values(), "focus"}:
        assert contrast(colour(name, mode), colour("paper", mode)) >= 3


@pytest.mark.parametrize("mode", THEMES)
@pytest.mark.parametrize("vision", VISION)
def test_responses_stay_apart_for_colour_blind_readers(vision: str, mode: str) -> None:
    seen = {
        name: lab(VISION[vision] @ linear(colour(name, mode))) for name in sorted(set(words.TONE_OF.values()))
    }
    main = {"cr", "pr", "sd", "pd", "ne"}
    for first, second in combinations(seen, 2):
        apart = float(np.linalg.norm(seen[first] - seen[second]))
        assert apart >= (18 if {first, second} <= main else 9), (first, second, apart)


def test_every_tone_of_the_figures_is_a_colour_of_its_own_and_gets_its_rule() -> None:
    lights = [tone.light for tone in theme.FIGURE]
    assert len(set(lights)) == len(lights)
    css = theme.make_css()
    for tone in theme.FIGURE:
        for kind in ("fill", "stroke"):
            assert f".figure svg [{kind}='{tone.light}']{{{kind}:var(--{tone.name})}}" in css


def test_every_response_word_has_a_tone_that_exists() -> None:
    assert set(words.TONE_OF) == set(words.RESPONSES)
    for word in (*words.RESPONSES, "something new"):
        assert theme.response_colour(word).startswith("#")
