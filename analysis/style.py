"""One look for all figures and one name for each treatment: colour-blind safe, and told apart in grey print.

Colours: Okabe and Ito (2008). Each treatment also has its own line style and marker.
"""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dcg_econ.analysis.escape import one_line

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#666666"
CONSTANT = "Constant"

FONT = "DejaVu Sans"
LONGEST = 44  # characters of a name in a figure: more would leave no room for the axes

RC = {
    "font.family": FONT,
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class Look:
    """How one treatment is drawn: its printed name, colour, line style and marker."""

    label: str
    colour: str
    line: str | tuple
    marker: str


KNOWN = {
    "true marginal value": Look("True marginal value", BLACK, ":", "s"),
    "competitive": Look("Competitive", BLACK, ":", "s"),
    "nash": Look("Nash", BLACK, "--", "o"),
    "nash_schedules": Look("Nash (schedules)", BLUE, "--", "o"),
    "nash_quantities": Look("Nash (quantities)", VERMILION, (0, (5, 1.5, 1, 1.5)), "D"),
    "learned_schedules": Look("Learned (schedules)", SKY, "-", "^"),
    "learned_quantities": Look("Learned (quantities)", ORANGE, (0, (7, 2)), "v"),
}
_SPARE: list[tuple[str, str | tuple, str]] = [
    (GREEN, "-", "P"),
    (PURPLE, "--", "X"),
    (BLUE, ":", "<"),
    (VERMILION, "-.", ">"),
    (GREY, "-", "h"),
]
_SPARE += [(ORANGE, (0, (5, 1)), "d"), (SKY, (0, (1, 1)), "p"), (BLACK, (0, (3, 1, 1, 1, 1, 1)), "*")]
MECHANISMS = {"voluntary_contribution": "voluntary contributions"}
_PEOPLE = re.compile(r"\b(nash|clarke|groves|ledyard|lindahl|walker)\b", re.IGNORECASE)


def looks(treatments: Iterable[str]) -> dict[str, Look]:
    """A look for each treatment: the study's own, or the next spare one for a name not known here.

    Learned play and Nash of one thing (`walker_learned`, `walker_nash`) share a colour and differ in line and marker.
    """
    names = _distinct(treatments)
    spare = [name for name in names if name not in KNOWN]
    kin = list(dict.fromkeys(map(_kin, spare)))
    drawn = {
        name: Look(figure_text(treatment_label(name)), *_spare(i, kin.index(_kin(name))))
        for i, name in enumerate(spare)
    }
    return {name: KNOWN.get(name) or drawn[name] for name in names}


def _distinct(names: Iterable[str]) -> list[str]:
    """Each name once, as they come; of a column by its own means, which are fast."""
    return list(dict.fromkeys(getattr(names, "unique", lambda: names)()))


def _spare(place: int, kin: int) -> tuple[str, str | tuple, str]:
    """Colour by kin, line and marker by place; beyond the first eight both are mixed anew, so that no look recurs."""
    count = len(_SPARE)
    again = place // count
    return _SPARE[kin % count][0], _SPARE[(place + 3 * again) % count][1], _SPARE[(place + 5 * again) % count][2]


def _kin(name: str) -> str:
    """What a treatment's name says besides how its players come to play."""
    return "_".join(part for part in str(name).split("_") if part not in ("learned", "nash")) or str(name)


def figure_text(text: str) -> str:
    """A name as a figure has room for it: one line, cut where it is long; a sign that the font lacks by its code point."""
    line = one_line(text)
    line = line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"
    if line.isascii():
        return line
    return "".join(c if ord(c) in _glyphs() else f"U+{ord(c):04X}" for c in line)


@functools.cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FONT)).get_charmap())


def treatment_label(name: str) -> str:
    """The printed name of a treatment; digits on both sides of an underscore are a decimal: lam_0_5 is "Lam 0.5"."""
    spelled = re.sub(r"(?<=\d)_(?=\d)", ".", one_line(name)).replace("_", " ")
    return KNOWN[name].label if name in KNOWN else _with_names(spelled.capitalize())


def mechanism_name(kind: str) -> str:
    """The printed name of a mechanism's snake-case kind, for the middle of a sentence."""
    return MECHANISMS.get(kind) or _with_names(one_line(kind).replace("_", " "))


def _with_names(text: str) -> str:
    """Text with the names of people spelled as such."""
    text = _PEOPLE.sub(lambda found: found.group().capitalize(), text)
    return text.replace("Groves Ledyard", "Groves-Ledyard")


def study_order(treatments: Iterable[str]) -> list[str]:
    """The study's treatments in their fixed order, then the others as they come."""
    names = _distinct(treatments)
    return [name for name in KNOWN if name in names] + [name for name in names if name not in KNOWN]
