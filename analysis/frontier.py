"""The figure of institutions and messages: what each pair reaches, what it costs, and how fast best replies settle."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.figures import WIDTH, figure_of, styled
from dcg_econ.analysis.names import nearest, require_columns
from dcg_econ.analysis.style import BLACK, BLUE, GREY, ORANGE, RC, Look, figure_text

NEEDED = ("institution", "message", "efficiency", "budget_surplus", "rounds_to_converge")
# From light to dark, so that grey print tells them apart by more than their shape.
MESSAGES = {
    "one number": Look("One number", ORANGE, "-", "o"),
    "chat": Look("Chat", BLUE, "-", "^"),
    "curve": Look("Curve", BLACK, "-", "s"),
}
WIDTHS = (1.0, 1.0, 1.4)
DODGE = 0.28  # of a row: how far messages stand apart
BAND = "#F3F3F3"
NOTE = "Bars: 95% intervals, where known. No mark: not computed."
NEVER = "Hollow marks: best replies never settle."


@styled
def frontier_figure(frame: pd.DataFrame, of: str = "first best"):
    """Institutions down, messages by colour and marker: efficiency, budget surplus, and rounds of best replies to rest.

    `frame`: institution; message ("one number", "chat" or "curve"); efficiency and budget_surplus (shares of `of`, such as
    "first best" or "the possible gains"); rounds_to_converge (a number, infinite where best replies never settle); and
    where known efficiency_low and efficiency_high. A missing number has no mark. Shares are drawn in per cent. Returns the
    Figure. Raises ValueError for an unknown message, a pair that is there twice, negative rounds, or a frame without rows.
    """
    require_columns(frame, NEEDED, "frame of institutions and messages")
    _check(frame)
    names = list(dict.fromkeys(frame["institution"]))
    said = [message for message in MESSAGES if message in set(frame["message"])]
    height = 0.2 * max(2, len(said)) * len(names) + 1.7
    figure, axes = figure_of(WIDTH, height, 3, sharey=True, width_ratios=WIDTHS)
    figure.get_layout_engine().set(wspace=0.05)
    places = _places(frame, names)
    for axis in axes:
        for row in range(0, len(names), 2):
            axis.axhspan(row - 0.5, row + 0.5, color=BAND, linewidth=0, zorder=0)
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0)
    _efficiency(axes[0], frame, places)
    _surplus(axes[1], frame, places)
    axes[0].set_xlabel(f"Efficiency\n(% of {of})")
    axes[1].set_xlabel(f"Budget surplus\n(% of {of})")
    _rounds(axes[2], frame, places)
    axes[0].set_yticks(range(len(names)), [figure_text(name) for name in names])
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    _legend(figure, said)
    never = np.isposinf(frame["rounds_to_converge"].astype(float)).any()
    figure.supxlabel(f"{NOTE} {NEVER}" if never else NOTE, fontsize=8, color=GREY)
    return figure


def _check(frame: pd.DataFrame) -> None:
    if frame.empty:
        raise ValueError("the frame has no rows: give one for each institution and message")
    for message in frame["message"]:
        if message not in MESSAGES:
            raise ValueError(f"unknown message `{message}`{nearest(message, MESSAGES)}")
    twice = frame.duplicated(["institution", "message"])
    if twice.any():
        where = frame.loc[twice, ["institution", "message"]].iloc[0].tolist()
        raise ValueError(f"{where[0]} with {where[1]} is there twice: give one row for each institution and message")
    if (frame["rounds_to_converge"] < 0).any():
        raise ValueError(
            "`rounds_to_converge` holds a negative number; zero is for best replies that settle where they start"
        )


def _places(frame: pd.DataFrame, names: Sequence[str]) -> dict[tuple[str, str], float]:
    """The height of each pair: the messages of an institution about its row, in their order."""
    found: dict[tuple[str, str], float] = {}
    for row, name in enumerate(names):
        own = set(frame.loc[frame["institution"] == name, "message"])
        said = [message for message in MESSAGES if message in own]
        found |= {(name, message): row + DODGE * (i - (len(said) - 1) / 2) for i, message in enumerate(said)}
    return found


def _mark(axis, message: str, x: float, y: float, hollow: bool = False, **more) -> None:
    look = MESSAGES[message]
    face = "white" if hollow else look.colour
    edge = {"markeredgecolor": look.colour if hollow else BLACK, "markeredgewidth": 1.4 if hollow else 0.6}
    axis.plot(x, y, marker=look.marker, markersize=6.5, markerfacecolor=face, linestyle="", zorder=3, **edge, **more)


def _efficiency(axis, frame: pd.DataFrame, places: dict[tuple[str, str], float]) -> None:
    known = {"efficiency_low", "efficiency_high"} <= set(frame)
    for row in frame.itertuples():
        y = places[row.institution, row.message]
        if known and np.isfinite([row.efficiency_low, row.efficiency_high]).all():
            ends = 100 * row.efficiency_low, 100 * row.efficiency_high
            axis.plot(ends, (y, y), color=MESSAGES[row.message].colour, linewidth=1.6, solid_capstyle="butt", zorder=2)
        if np.isfinite(row.efficiency):
            _mark(axis, row.message, 100 * row.efficiency, y)
    axis.axvline(100.0, color=GREY, linewidth=0.8, zorder=1)
    axis.margins(x=0.08)


def _surplus(axis, frame: pd.DataFrame, places: dict[tuple[str, str], float]) -> None:
    for row in frame.itertuples():
        if np.isfinite(row.budget_surplus):
            _mark(axis, row.message, 100 * row.budget_surplus, places[row.institution, row.message])
    axis.axvline(0.0, color=GREY, linewidth=0.8, zorder=1)
    low, high = axis.get_xlim()
    axis.set_xlim(min(low, -1.0), max(high, 1.0))  # balanced budgets stand at zero, not on a scale of rounding errors
    axis.locator_params(axis="x", nbins=4)
    axis.xaxis.set_major_formatter("{x:g}")


def _rounds(axis, frame: pd.DataFrame, places: dict[tuple[str, str], float]) -> None:
    """Rounds on a log axis; beside it, behind lines, places for what rests at once and for what never settles."""
    rounds = frame["rounds_to_converge"].astype(float)
    finite = rounds[np.isfinite(rounds) & (rounds > 0)]
    low = np.floor(np.log10(finite.min())) if len(finite) else 0.0
    high = max(np.ceil(np.log10(finite.max())), low + 1) if len(finite) else low + 1
    room, left, right = 0.2 * (high - low), 0.5, 0.5
    beside = {}
    if (rounds == 0).any():
        beside[0.0], left = ("0", low - 0.8 * room, low - 1.6 * room), 2.3
    if np.isposinf(rounds).any():
        beside[np.inf], right = ("never", high + 1.2 * room, high + 2.7 * room), 3.9
    for row, value in zip(frame.itertuples(), rounds, strict=True):
        if not np.isnan(value):
            x = 10.0 ** beside[value][2] if value in beside else value
            _mark(axis, row.message, x, places[row.institution, row.message], hollow=bool(np.isposinf(value)))
    axis.set_xscale("log")
    axis.set_xlim(10 ** (low - left * room), 10 ** (high + right * room))
    powers = np.arange(low, high + 0.5)
    named = powers[:: int(np.ceil((high - low) / 2))]
    ticks = {f"{10.0**power:,.10g}": 10.0**power for power in named}
    for label, line, place in beside.values():
        axis.axvline(10.0**line, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        ticks[label] = 10.0**place
    axis.set_xticks(list(ticks.values()), list(ticks))
    axis.set_xticks(10.0**powers, [""] * len(powers), minor=True)
    axis.set_xlabel("Best replies until they settle\n(rounds, log scale)")


def _legend(figure, said: list[str]) -> None:
    from matplotlib.lines import Line2D

    drawn = [MESSAGES[message] for message in said]
    style = {"linestyle": "", "markersize": 6.5, "markeredgecolor": BLACK, "markeredgewidth": 0.6}
    handles = [Line2D([], [], marker=look.marker, color=look.colour, label=look.label, **style) for look in drawn]
    title = {"title": "Message", "title_fontsize": RC["legend.fontsize"]}
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), **title)
