"""Surplus against bits: efficiency above, regret below, at the capacity of the messages, one line per group."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import COLUMNS, FIRST_BEST, NASH, PRINTED, SECOND_BEST, is_known
from dcg_econ.analysis.figures import WIDTH, figure_of, styled
from dcg_econ.analysis.inference import ratio
from dcg_econ.analysis.panels import market_days, sound_days
from dcg_econ.analysis.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    Look,
    figure_text,
    treatment_label,
)
from dcg_econ.analysis.talk import JOINT, SHAPED, talk_frame

LOOKS = (
    (BLUE, "-", "o"),
    (VERMILION, (0, (6, 2)), "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (ORANGE, (0, (3, 1, 1, 1)), "v"),
    (BLACK, "-", "P"),
)
LINES: dict[str, tuple] = {FIRST_BEST: (0, ()), SECOND_BEST: (0, (6, 2, 1, 2)), NASH: (0, (1, 2))}
SAME = 1e-6  # a benchmark is one line only where all treatments have the same, as a share of first best
NEAR = 5e-4  # benchmarks that no eye tells apart are one line
DODGE = 0.07  # of one bit at silence: how far groups stand apart
LABEL_GAP = 0.055  # of the width of the axes: how near the names of two treatments may stand
NO_REGRET = 1e-9  # a share of first best that no log scale should reach down to
FAR = 0.2  # of the range of all efficiencies: groups that each span less have panels of their own
PERCENT = 100.0
NOTE = "Top: 95% intervals clustered by session. Bottom: mean over sessions, bars up to the largest."


@styled
def surplus_bits_figure(panel: pd.DataFrame, groups: Mapping[str, Sequence[str]] | None = None):
    """Efficiency (per cent of first best) with 95% intervals above, and regret (share of first best, log scale; the mean,
    and a bar up to the largest session) below, against the capacity of one player's messages in bits.

    The axis is log2(1 + bits); a whole report, which has no bound, stands behind a break at the right. Groups that lie far
    apart have panels of their own, each with the benchmarks that are near. `groups` as in `talk_table`. Returns the
    Figure. Raises ValueError where the panel holds several grid points.
    """
    frame = talk_frame(panel, groups)
    if frame.index.nlevels > 1:
        raise ValueError(
            f"the panel sweeps {', '.join(map(str, frame.index.names[1:]))}, and this figure must not pool its points: give "
            "one point, panel[panel[name] == value], or read talk_table"
        )
    places = capacity_places(frame["capacity"])
    names = list(dict.fromkeys(frame["group"]))
    apart = len(names) > 1 and _far_apart(frame)
    panels = len(names) if apart else 1
    height = 5.9 if not apart else 3.4 + 1.8 * panels
    figure, axes = figure_of(
        WIDTH, height, 1, rows=panels + 1, sharex=True, height_ratios=(*[1.9 / panels**0.5] * panels, 1)
    )
    *uppers, lower = axes[:, 0]
    for i, name in enumerate(names):
        own = frame[frame["group"] == name]
        shift = DODGE * (i - (len(names) - 1) / 2)
        x = own["capacity"].map(places).to_numpy(float) + shift
        look = Look(figure_text(name or "Treatments"), *LOOKS[i % len(LOOKS)])
        _efficiency(uppers[i if apart else 0], own, x, look)
        _regret(lower, own, x, look, _floor(frame))
    lines = _benchmarks(sound_days(market_days(panel, keep=["capacity"])))
    for axis in uppers:
        _draw_benchmarks(axis, lines, only_near=apart)
    _dress(uppers, lower, frame, places)
    shown = {label: handle for axis in uppers for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    hollow = " Hollow: no regret." if (frame["regret_mean"] <= NO_REGRET).any() else ""
    figure.supxlabel(f"{NOTE}{hollow}", fontsize=8, color=GREY)
    figure.legend(
        list(shown.values()), list(shown), loc="outside upper center", ncols=min(3 if len(names) > 2 else 5, len(shown))
    )
    return figure


def _far_apart(frame: pd.DataFrame) -> bool:
    """Whether one scale for all groups would leave nothing to see within them."""
    levels = frame.groupby("group")["efficiency"]
    return bool((levels.max() - levels.min()).max() < FAR * (frame["efficiency"].max() - frame["efficiency"].min()))


def capacity_places(capacities: Iterable[float]) -> dict[float, float]:
    """Where capacities stand on the axis: log2(1 + bits), and what has no bound one and a bit to the right of them."""
    values = sorted({float(value) for value in capacities})
    finite = [value for value in values if np.isfinite(value)]
    places = {value: float(np.log2(1 + value)) for value in finite}
    end = max(places.values(), default=0.0)
    return places | {value: max(1.2 * end, end + 0.6) for value in values if np.isposinf(value)}


def _efficiency(axis, own: pd.DataFrame, x: np.ndarray, look: Look) -> None:
    y = PERCENT * own["efficiency"].to_numpy(float)
    width = np.nan_to_num(PERCENT * own["efficiency_high"].to_numpy(float) - y)
    _line(axis, own, x, y, look)
    axis.errorbar(x, y, yerr=width, linestyle="", capsize=3, zorder=3, label="_intervals", **_marker(look))


def _line(axis, own: pd.DataFrame, x: np.ndarray, y: np.ndarray, look: Look) -> None:
    """The finite capacities joined, and thinly what lies behind the break."""
    known = np.isfinite(y)
    bounded = np.isfinite(own["capacity"].to_numpy(float)) & known
    axis.plot(x[bounded], y[bounded], linestyle=look.line, zorder=2, label=look.label, **_marker(look))
    last = np.flatnonzero(bounded)[-1:]
    for place in np.flatnonzero(known & ~bounded):
        joined = [*last, place]
        axis.plot(
            x[joined], y[joined], color=look.colour, linewidth=0.8, linestyle=(0, (1, 3)), label="_beyond", zorder=2
        )


def _marker(look: Look) -> dict:
    return {
        "color": look.colour,
        "marker": look.marker,
        "markersize": 5.5,
        "markeredgecolor": BLACK,
        "markeredgewidth": 0.5,
    }


def _floor(frame: pd.DataFrame) -> float:
    """Where a regret of nothing is drawn: below the smallest that is something."""
    some = frame["regret_mean"][frame["regret_mean"] > NO_REGRET]
    return float(some.min()) / 4 if len(some) else NO_REGRET


def _regret(axis, own: pd.DataFrame, x: np.ndarray, look: Look, floor: float) -> None:
    mean, largest = own["regret_mean"].to_numpy(float), own["regret_max"].to_numpy(float)
    shown = np.where(mean > NO_REGRET, mean, np.where(np.isnan(mean), np.nan, floor))
    axis.plot(x, shown, zorder=2, label="_regret", **_marker(look) | {"linestyle": ""})
    up = np.nan_to_num(np.maximum(largest - shown, 0.0))
    axis.errorbar(x, shown, yerr=[np.zeros_like(up), up], linestyle="", capsize=3, zorder=3, **_marker(look))
    none = shown == floor
    axis.plot(
        x[none], shown[none], linestyle="", zorder=4, label="_none", **_marker(look) | {"markerfacecolor": "white"}
    )


def _benchmarks(days: pd.DataFrame) -> dict[float, list[str]]:
    """First best, and where all treatments have the same on the same draws, second best and Nash, by their share of first
    best; one line where they agree."""
    parts = [own for _, own in days.groupby("treatment", sort=False, observed=True)]
    sessions = max((frozenset(own["session"]) for own in parts), key=len)
    whole = [own for own in parts if frozenset(own["session"]) == sessions]
    drawn: dict[float, list[str]] = {}
    for name in LINES:
        if not is_known(days, name) or any(own[COLUMNS[name]].isna().any() for own in whole):
            continue
        shares = [1.0 if name == FIRST_BEST else ratio(own, COLUMNS[name], "first_best").value for own in whole]
        if max(shares) - min(shares) <= SAME:
            place = next((place for place in drawn if abs(place - shares[0]) <= NEAR), shares[0])
            drawn.setdefault(place, []).append(name)
    return drawn


def _draw_benchmarks(axis, lines: Mapping[float, Sequence[str]], only_near: bool) -> None:
    low, high = axis.dataLim.y0, axis.dataLim.y1
    for share, names in lines.items():
        if only_near and not low - (high - low) <= PERCENT * share <= high + (high - low):
            continue
        label = " and ".join(PRINTED[name] for name in names)
        style = {"color": GREY if FIRST_BEST in names else BLACK, "linestyle": LINES[names[0]], "linewidth": 1.2}
        axis.axhline(PERCENT * share, zorder=1, label=label[:1].upper() + label[1:], **style)


def _dress(uppers, lower, frame: pd.DataFrame, places: dict[float, float]) -> None:
    bounded = {value: place for value, place in places.items() if np.isfinite(value)}
    end = max(bounded.values(), default=0.0)
    powers = [0.0, *(2.0**i for i in range(12))]
    ticks = {f"{bits:g}": float(np.log2(1 + bits)) for bits in powers if np.log2(1 + bits) <= end + 0.35}
    right = end
    for value, place in places.items():
        if np.isposinf(value):
            ticks = {text: at for text, at in ticks.items() if at <= end + 1e-9} | {"whole\nreport": place}
            right = place
            _break((*uppers, lower), (end + place) / 2)
    lower.set_xticks(list(ticks.values()), list(ticks))
    room = 0.07 * max(right, 1.0)
    lower.set_xlim(-room, right + room)
    lower.set_xlabel("Capacity of one player's messages in a round (bits, scale of log(1 + bits))")
    for axis in uppers:
        axis.set_ylabel("Efficiency\n(% of first best)" if len(uppers) > 1 else "Efficiency (% of first best)")
        axis.margins(y=0.08)
        axis.ticklabel_format(axis="y", useOffset=False)
    lower.set_ylabel("Regret (share of\nfirst best, log scale)")
    if frame["regret_mean"].isna().all():  # a log scale without a number has no ticks to place
        lower.text(0.5, 0.5, "Regret is not known", transform=lower.transAxes, ha="center", color=GREY)
        lower.set_yticks([])
    else:
        lower.set_yscale("log")
    lower.margins(y=0.12)
    _names(uppers[0], frame, places)


def _break(axes, x: float) -> None:
    """Two strokes through the horizontal spine: the axis stops here."""
    for axis in axes:
        style = {"transform": axis.get_xaxis_transform(), "color": BLACK, "linewidth": 1.0, "clip_on": False}
        for shift in (-0.03, 0.03):
            axis.plot([x + shift - 0.03, x + shift + 0.03], [-0.025, 0.025], label="_break", zorder=5, **style)


def _names(axis, frame: pd.DataFrame, places: dict[float, float]) -> None:
    """The treatments' names above their capacity, once for all groups, pushed apart where they would overlap."""
    low, high = axis.get_xlim()
    found: dict[float, list[str]] = {}
    for name, capacity in frame["capacity"].sort_values(kind="stable").items():
        label = figure_text(treatment_label(str(name).removesuffix(JOINT).removesuffix(SHAPED)))
        if label not in found.setdefault(places[capacity], []):
            found[places[capacity]].append(label)
    wanted = [(place - low) / (high - low) for place in found]
    for start, at, labels in zip(wanted, spread(wanted, LABEL_GAP), found.values(), strict=True):
        style = {"xycoords": "axes fraction", "fontsize": 8.5, "rotation": 35, "ha": "left", "va": "bottom"}
        axis.annotate(" / ".join(labels), (at, 1.06), rotation_mode="anchor", **style)
        drawn = {"transform": axis.transAxes, "color": GREY, "linewidth": 0.7, "clip_on": False, "label": "_leader"}
        axis.plot([start, at], [1.0, 1.05], **drawn)


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places moved as little as need be, so that neighbours stand at least `gap` apart."""
    blocks: list[list[float]] = []  # each: sum of (place - offset), members
    for place in places:
        blocks.append([place, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] + gap * blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, members = blocks.pop()
            before = blocks[-1][1]
            blocks[-1] = [blocks[-1][0] + total - gap * before * members, before + members]
    return [total / members + gap * i for total, members in blocks for i in range(int(members))]
