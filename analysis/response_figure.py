"""Best replies as a field: arrows from what two players do to what each would rather do, and where neither would move."""

import numpy as np
import pandas as pd

from dcg_econ.analysis.figures import WIDTH, figure_of, styled
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.style import BLACK, BLUE, GREY, VERMILION, figure_text

NEEDED = ("first", "second", "best_first", "best_second", "d_first", "d_second")
LONGEST = 0.9  # of the distance between grid points: the longest arrow
MOST = 21  # arrows along a side; of finer grids some are left out
REPLIES = {"first": ("best_first", BLUE, "-"), "second": ("best_second", VERMILION, (0, (5, 2)))}


@styled
def best_response_figure(frame: pd.DataFrame, equilibria: pd.DataFrame | None = None, axes=None):
    """Arrows that point from each pair of reports to the pair of best replies, and both players' best-reply curves.

    `frame`: as `dcg_econ.diagnostics.best_reply_field` makes it: first, second (the pair), best_first, best_second (each
    player's reply to the other), d_first, d_second (the way there); names with units in `attrs["variable_labels"]`.
    Arrows are as long as the way, on one scale for all. `equilibria`: first, second, marked by a star. `axes`: where to
    draw, by default on a figure of its own. Returns the Axes. Raises ValueError where columns or all moves are missing.
    """
    require_columns(frame, NEEDED, "frame of best replies")
    if not np.isfinite(frame[["d_first", "d_second"]].to_numpy(float)).all():
        raise ValueError("`d_first` and `d_second` hold values that are not finite: leave those points out")
    own = axes is None
    if own:
        _, axes = figure_of(0.72 * WIDTH, 0.76 * WIDTH)
    _arrows(axes, frame)
    for player, (best, colour, line) in REPLIES.items():
        x, y = _curve(frame, player, best)
        axes.plot(x, y, color=colour, linestyle=line, linewidth=2, zorder=3, label=f"Best reply of the {player} player")
    if equilibria is not None and len(equilibria):
        star = {"marker": "*", "markersize": 13, "color": BLACK, "markeredgecolor": "white", "linestyle": ""}
        axes.plot(equilibria["first"], equilibria["second"], zorder=5, label="Equilibrium", **star)
    labels = frame.attrs.get("variable_labels", {})
    axes.set_xlabel(figure_text(labels.get("first", "Report of the first player")))
    axes.set_ylabel(figure_text(labels.get("second", "Report of the second player")))
    axes.grid(visible=False)
    if own:
        axes.figure.legend(loc="outside upper center", ncols=2, columnspacing=1.2)
    else:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, columnspacing=1.2)
    return axes


def _arrows(axes, frame: pd.DataFrame) -> None:
    """On the scale on which the longest one reaches nearly to the next grid point, in units of both axes."""
    kept = frame
    for side in ("first", "second"):
        values = np.unique(frame[side])
        kept = kept[kept[side].isin(values[:: -(-len(values) // MOST)])]
    steps = [
        float(np.diff(np.unique(kept[side])).min()) if kept[side].nunique() > 1 else 1.0 for side in ("first", "second")
    ]
    moves = kept["d_first"].to_numpy(float) / steps[0], kept["d_second"].to_numpy(float) / steps[1]
    longest = float(np.hypot(*moves).max())
    label = "To the pair of best replies"
    if longest == 0:
        label = "No arrows: nobody gains by moving"
    else:
        scale = LONGEST / longest
        style = {"width": 0.0042, "headwidth": 3.8, "headlength": 4.4, "headaxislength": 4.0, "minlength": 0.4}
        u, v = (scale * move * step for move, step in zip(moves, steps, strict=True))
        axes.quiver(
            kept["first"], kept["second"], u, v, angles="xy", scale_units="xy", scale=1, color=GREY, zorder=2, **style
        )
    axes.plot([], [], color=GREY, marker=r"$\rightarrow$", markersize=12, linestyle="", label=label)
    for side, limits, step in zip(("first", "second"), (axes.set_xlim, axes.set_ylim), steps, strict=True):
        limits(frame[side].min() - 0.6 * step, frame[side].max() + 0.6 * step)


def _curve(frame: pd.DataFrame, player: str, best: str) -> tuple[np.ndarray, np.ndarray]:
    """A player's best reply against each number of the other; where several are as good, all between them."""
    other = "second" if player == "first" else "first"
    found = frame.groupby(other)[best].agg(["min", "max"])
    previous = found["max"].shift(fill_value=found["max"].iloc[0])
    falling = (found["max"] - previous).lt(0) | (previous - found["min"]).gt(0)
    ends = [found["max"].where(falling, found["min"]), found["min"].where(falling, found["max"])]
    replies = np.stack(ends, axis=1).ravel()
    against = np.repeat(found.index.to_numpy(float), 2)
    return (replies, against) if player == "first" else (against, replies)
