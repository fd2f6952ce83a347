"""Bidding in two-sided markets: what each session's buyers bid and sellers ask, and what came of it."""

import numpy as np
import pandas as pd

from dcg_econ.analysis.figures import WIDTH, figure_of, styled
from dcg_econ.analysis.style import BLACK, BLUE, GREY, VERMILION

_ROLES = {"buyer": ("Value (money)", "Bid (money)", BLUE), "seller": ("Cost (money)", "Ask (money)", VERMILION)}


@styled
def bid_figure(bids: pd.DataFrame, sessions: pd.DataFrame, nash: float, second_best: float, floor: float = 1e-8):
    """Bids and asks of every session beside the equilibrium, and surplus against regret. Returns the Figure.

    `bids`: one row for each session, role ("buyer", "seller") and type, with `report` and `nash_report`, in money.
    `sessions`: one row a session, with `surplus` (money per meeting), `regret` (share of first best) and `near_linear`.
    `nash`, `second_best`: surpluses drawn as lines. Regrets below `floor` are drawn at it, since the axis is a log.
    """
    figure, axes = figure_of(WIDTH, 3.6, 3)
    for axis, (role, (across, up, colour)) in zip(axes, _ROLES.items(), strict=False):
        here = bids[bids["role"] == role]
        for _, one in here.groupby("session"):
            axis.plot(one["type"], one["report"], color=colour, linewidth=0.7, alpha=0.6)
        line = here[here["session"] == here["session"].min()]
        axis.plot(line["type"], line["nash_report"], color=BLACK, linestyle=(0, (4, 2)), label="Affine equilibrium")
        axis.plot(line["type"], line["type"], color=GREY, linestyle=":", linewidth=1, label="Truth")
        axis.set(xlabel=across, ylabel=up)
        axis.plot([], [], color=colour, linewidth=0.7, label="A session")
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22))
    _outcomes(axes[2], sessions, nash, second_best, floor)
    return figure


def _outcomes(axis, sessions: pd.DataFrame, nash: float, second_best: float, floor: float) -> None:
    """Surplus of each session against its regret, with the benchmarks as lines."""
    from matplotlib.ticker import NullFormatter

    for near, marker, face, label in ((True, "o", GREY, "Near the affine bids"), (False, "X", "white", "Elsewhere")):
        here = sessions[sessions["near_linear"] == near]
        if len(here):
            axis.plot(
                here["regret"].clip(lower=floor),
                here["surplus"],
                linestyle="",
                marker=marker,
                markersize=5,
                markerfacecolor=face,
                markeredgecolor=BLACK,
                label=f"{label}: {len(here)}",
            )
    axis.axhline(nash, color=BLACK, linestyle=(0, (4, 2)), linewidth=1.2, label="Affine equilibrium")
    if abs(second_best - nash) > 1e-9:
        axis.axhline(second_best, color=BLACK, linestyle=(0, (6, 2, 1, 2)), linewidth=1.2, label="Second best")
    axis.set_xscale("log")
    axis.xaxis.set_minor_formatter(NullFormatter())
    lowest, highest = sessions["regret"].clip(lower=floor).min(), sessions["regret"].max()
    axis.set_xlim(10 ** np.floor(np.log10(lowest)), 10 ** np.ceil(np.log10(highest)))  # whole decades have labels
    axis.set(xlabel="Regret (share of first best)", ylabel="Surplus (money per meeting)")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22))
