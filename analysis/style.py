"""One look for all figures and one name for each treatment: colour-blind safe, and told apart in grey print.

Colours: Okabe and Ito (2008). Each treatment also has its own line style and marker.
"""

from collections.abc import Iterable
from dataclasses import dataclass

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#666666"
CONSTANT = "Constant"

RC = {
    "font.family": "DejaVu Sans",
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


def looks(treatments: Iterable[str]) -> dict[str, Look]:
    """A look for each treatment: the study's own, or the next spare one for a name not known here."""
    names = list(dict.fromkeys(treatments))
    spare = [name for name in names if name not in KNOWN]
    drawn = {name: Look(treatment_label(name), *_SPARE[i % len(_SPARE)]) for i, name in enumerate(spare)}
    return {name: KNOWN.get(name) or drawn[name] for name in names}


def treatment_label(name: str) -> str:
    """The printed name of a treatment."""
    return KNOWN[name].label if name in KNOWN else str(name).replace("_", " ").capitalize()


def study_order(treatments: Iterable[str]) -> list[str]:
    """The study's treatments in their fixed order, then the others as they come."""
    names = list(dict.fromkeys(treatments))
    return [name for name in KNOWN if name in names] + [name for name in names if name not in KNOWN]
