"""Learning: loss of efficiency and regret over training, sessions and their medians."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.figures import WIDTH, figure_of, styled
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.style import BLACK, KNOWN, Look, looks, study_order

NOTHING_LOST = 1e-8  # per cent of first best: an efficient equilibrium has no place on a log scale


@styled
def training_figure(history: pd.DataFrame, treatments: Sequence[str] = ()):
    """Learning: loss of efficiency beside Nash, and regret where it is known, on log scales; thin lines sessions, thick ones
    medians.

    `history`: treatment, session, step, efficiency, regret (shares of first best), and nash_efficiency where known.
    `treatments` are all of the study's, so that each has one colour in every figure. Returns the Figure.
    """
    require_columns(history, ["treatment", "session", "step", "efficiency", "regret"], "training history")
    columns = 2 if history["regret"].notna().any() else 1
    figure, axes = figure_of(WIDTH, 3.9, columns)
    axes = np.atleast_1d(axes)
    draw_learning(axes, history, looks([*treatments, *history["treatment"]]))
    handles, labels = axes[0].get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside upper center", ncols=min(4, len(labels)))
    return figure


def draw_learning(axes, history: pd.DataFrame, style: dict[str, Look]) -> None:
    """Efficiency loss on the first of one or two axes and regret on the second, in each treatment's look."""
    for name in study_order(history["treatment"]):
        own = history[history["treatment"] == name]
        shown = (100 * (1 - own["efficiency"]), 100 * own["regret"])
        for axis, values in zip(axes, shown, strict=False):
            _learning_curves(axis, own.assign(shown=values), style[name])
        if "nash_efficiency" in own and own["nash_efficiency"].notna().any():
            nash = 100 * (1 - own.groupby("step")["nash_efficiency"].mean().dropna())
            if nash.max() > NOTHING_LOST:
                _benchmark(axes[0], nash, name, style)
    for axis, what in zip(axes, ("Efficiency loss", "Regret"), strict=False):
        axis.set_ylabel(f"{what} (% of first best, log scale)")
        axis.set_yscale("log")
        axis.set_xlabel("Training step")
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.locator_params(axis="x", nbins=4)


def _benchmark(axis, nash: pd.Series, name: str, style: dict[str, Look]) -> None:
    """Nash as a line in the look of the Nash treatment it belongs to; once where several treatments share it."""
    twin = name.replace("learned", "nash", 1)
    if twin != name and (twin in KNOWN or twin in style):
        look = style.get(twin) or KNOWN[twin]
    else:
        drawn = [line.get_ydata() for line in axis.get_lines() if str(line.get_label()).startswith("Nash")]
        if any(len(line) == len(nash) and np.allclose(line, nash) for line in drawn):
            return
        label = f"Nash for {style[name].label}" if drawn else "Nash"
        look = Look(label, BLACK, ":", "")
    axis.plot(nash.index, nash, color=look.colour, linestyle=look.line, linewidth=1.1, label=look.label)


def _learning_curves(axis, own: pd.DataFrame, look) -> None:
    """What is zero or less has no place on a log scale, and counts in the median all the same."""
    own = own.dropna(subset=["shown"])
    for _, line in own[own["shown"] > 0].groupby("session"):
        axis.plot(line["step"], line["shown"], color=look.colour, linewidth=0.5, alpha=0.35)
    median = own.groupby("step")["shown"].median()
    median = median.where(median > 0)
    axis.plot(median.index, median, color=look.colour, linestyle=look.line, linewidth=2.2, label=look.label)
