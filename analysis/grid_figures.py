"""Figures of a study on a grid: efficiency against the swept parameter, and learning curves point by point.

Nothing is averaged over points. One numeric parameter is the horizontal axis, a second one makes small multiples; a study
that sweeps more is told in tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import COLUMNS, NASH, SECOND_BEST, is_known
from dcg_econ.analysis.figures import WIDTH, figure_of, styled
from dcg_econ.analysis.inference import Estimate, ratio
from dcg_econ.analysis.learning_figures import draw_learning
from dcg_econ.analysis.panels import market_days, sound_days
from dcg_econ.analysis.points import at_point, in_cell, levels, parameters_of, point_text, points_of, value_text
from dcg_econ.analysis.style import BLACK, GREY, RC, Look, figure_text, looks, study_order
from dcg_econ.analysis.units import split_label

PANELS = 3  # small multiples in a row
LOG_RANGE = 20.0  # positive values that spread more than this stand on a log axis
SAME = 1e-6  # Nash is one line only where all treatments have the same, as a share of first best
DODGE = 0.035  # of the distance between points: how far treatments stand apart
LINES: dict[str, dict] = {
    NASH: {"label": "Nash (solved)", "linestyle": (0, (1, 2))},
    SECOND_BEST: {"label": "Second best", "linestyle": (0, (6, 2, 1, 2))},
}
NOTE = "Bars: 95% intervals clustered by session; none is seen where it is narrower than its marker."


def can_draw(parameters: Sequence[str]) -> bool:
    """Whether a grid over these parameters fits a figure: one axis, and small multiples over a second."""
    return 1 <= len(parameters) <= 2


@styled
def grid_figure(panel: pd.DataFrame, parameters: Sequence[str] | None = None, treatments: Sequence[str] = ()):
    """Efficiency (per cent of first best) against the swept parameter, one line per treatment, with 95% intervals.

    Of two swept parameters the second makes small multiples. `treatments` are all of the study's, so that each has one
    colour in every figure, whether it has results or not. Returns the Figure. Raises ValueError for more than two.
    """
    days = sound_days(market_days(panel, parameters=parameters))
    swept = parameters_of(days)
    if not can_draw(swept):
        raise ValueError(
            f"a figure shows one or two swept parameters, not {len(swept)} ({', '.join(swept)}): take a slice of the "
            "panel, panel[panel[name] == value], or read welfare_table"
        )
    if days.empty:
        raise ValueError("every session failed: nothing to draw; see the cells' errors")
    across, facet = _axes_of(days, swept)
    places = _Places.of(days, across)
    facets = points_of(days, facet)
    columns = min(PANELS, len(facets))
    rows = -(-len(facets) // columns)
    figure, axes = figure_of(WIDTH, 3.4 if rows == 1 else 2.5 * rows, columns, rows=rows, sharex=True, sharey=True)
    every = looks([*treatments, *days["treatment"].unique()])
    style = {name: every[name] for name in study_order(days["treatment"])}
    for axis, point in zip(axes.flat, facets, strict=False):
        own = at_point(days, facet, point)
        _lines(axis, own, across, places, style)
        if facet:
            axis.set_title(figure_text(point_text(facet, point)))
    for axis in axes.flat[len(facets) :]:
        axis.set_visible(False)
    _dress(figure, axes, panel, across, places, len(facets))
    return figure


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the parameter's values stand on the axis: at themselves, or evenly where they are text."""

    values: list
    numeric: bool
    log: bool
    at: np.ndarray
    gap: float

    @classmethod
    def of(cls, days: pd.DataFrame, name: str) -> "_Places":
        values = levels(days[name].dropna().tolist())
        numeric = all(isinstance(value, int | float) for value in values)
        log = numeric and min(values) > 0 and max(values) / min(values) >= LOG_RANGE
        at = np.asarray(values, float) if numeric else np.arange(len(values), dtype=float)
        at = np.log(at) if log else at
        return cls(values, numeric, log, at, float(np.diff(np.sort(at)).min()) if len(at) > 1 else 1.0)

    def place(self, value: object, shift: float) -> float:
        """The horizontal position of a value, moved by `shift` of the smallest distance between values."""
        at = self.at[self.values.index(value)] + shift * self.gap
        return float(np.exp(at)) if self.log else float(at)


def _axes_of(days: pd.DataFrame, swept: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The horizontal parameter (the first numeric one) and the one of the small multiples."""
    across = next((name for name in swept if pd.api.types.is_numeric_dtype(days[name])), swept[0])
    return across, tuple(name for name in swept if name != across)


def _lines(axis, days: pd.DataFrame, across: str, places: _Places, style: dict[str, Look]) -> None:
    second = is_known(days, SECOND_BEST)
    axis.axhline(100.0, color=GREY, linewidth=0.8, zorder=1, label="First best" if second else "_first_best")
    for benchmark in (NASH, SECOND_BEST):
        _benchmark_line(axis, days, across, places, benchmark)
    names = list(style)
    for i, name in enumerate(names):
        shift = DODGE * (i - (len(names) - 1) / 2)
        here = {value: in_cell(days, (across,), (name, value)) for value in places.values}
        found = {value: _efficiency(own) for value, own in here.items() if len(own)}
        if not found:
            continue
        x = [places.place(value, shift) for value in found]
        y = [estimate.value for estimate in found.values()]
        error = [np.nan_to_num(estimate.high - estimate.value) for estimate in found.values()]
        look = style[name]
        line = look.line if places.numeric else ""
        drawn = {"color": look.colour, "marker": look.marker, "linestyle": line, "label": look.label}
        axis.errorbar(x, y, yerr=error, markersize=5.5, capsize=3, markeredgecolor=BLACK, markeredgewidth=0.5, **drawn)


def _efficiency(own: pd.DataFrame) -> Estimate:
    return ratio(own, "welfare", "first_best").scaled(100.0)


def _benchmark_line(axis, days: pd.DataFrame, across: str, places: _Places, benchmark: str) -> None:
    """Nash as solved, or the second best, where it is one number per point and no treatment already shows it."""
    column = COLUMNS[benchmark]
    if column not in days or days[column].isna().any():
        return
    sums = days.groupby([across, "treatment"], observed=True)[["welfare", column, "first_best"]].sum()
    share = sums[column] / sums["first_best"]
    by = share.groupby(level=0)
    shown = ((sums["welfare"] - sums[column]).abs() <= SAME * sums["first_best"]).groupby(level=1).all().any()
    if shown or (by.max() - by.min()).max() > SAME:
        return
    mean = by.mean()
    x = [places.place(value, 0.0) for value in places.values if value in mean.index]
    y = [100 * mean[value] for value in places.values if value in mean.index]
    axis.plot(x, y, color=BLACK, linewidth=1.2, zorder=2, **LINES[benchmark])


def _dress(figure, axes, panel: pd.DataFrame, across: str, places: _Places, shown: int) -> None:
    first = axes.flat[0]
    if places.log:
        first.set_xscale("log")
    if len(places.values) <= 8 or not places.numeric:
        ticks = [places.place(value, 0.0) for value in places.values]
        for axis in list(axes.flat)[:shown]:
            axis.set_xticks(ticks, [figure_text(value_text(value)) for value in places.values])
            axis.set_xticks([], minor=True)
    if not places.log:
        first.set_xlim(min(places.at) - 0.35 * places.gap, max(places.at) + 0.35 * places.gap)
    label = panel.attrs.get("variable_labels", {}).get(across, across.replace("_", " "))
    text, unit = split_label(label)
    figure.supxlabel(f"{text} ({unit})" if unit else text, fontsize=RC["axes.labelsize"])
    for axis in axes[:, 0]:
        axis.set_ylabel("Efficiency (% of first best)")
    _shared_legend(figure, list(axes.flat)[:shown])


@styled
def grid_training_figure(history: pd.DataFrame, parameters: Sequence[str], treatments: Sequence[str] = ()):
    """Learning at each grid point: efficiency loss above, regret below, on log scales, one column per point.

    `history`: treatment, session, step, efficiency, regret (shares of first best) and the parameters. `treatments` are
    all of the study's, so that each has one colour in every figure. Returns the Figure.
    """
    points = points_of(history, parameters)
    style = looks([*treatments, *history["treatment"]])
    figure, axes = figure_of(WIDTH, 5.2, len(points), rows=2, sharex=True, sharey="row")
    for column, point in zip(axes.T, points, strict=True):
        draw_learning(column, at_point(history, parameters, point), style)
        column[0].set_title(point_text(parameters, point).replace(", ", "\n"), fontsize=8.5)
        column[0].set_xlabel("")
    axes[0, 0].set_ylabel("Efficiency loss (%, log scale)")
    axes[1, 0].set_ylabel("Regret (%, log scale)")
    for axis in axes[:, 1:].flat:
        axis.set_ylabel("")
    for axis in axes[:, 0]:
        _plain_log_ticks(axis)
    _shared_legend(figure, axes[0])
    return figure


def _plain_log_ticks(axis) -> None:
    """Decimal numbers on a log axis; between the powers of ten only where there are few of those."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_ylim()
    axis.yaxis.set_major_formatter("{x:g}")
    if high / low < 30:
        axis.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
        axis.yaxis.set_minor_formatter("{x:g}")
    else:
        axis.yaxis.set_minor_formatter(NullFormatter())


def _shared_legend(figure, axes) -> None:
    """One legend for what any of the axes shows."""
    found: dict = {}
    for axis in axes:
        handles, names = axis.get_legend_handles_labels()
        found |= {name: handle for name, handle in zip(names, handles, strict=True) if name not in found}
    if found:
        figure.legend(list(found.values()), list(found), loc="outside upper center", ncols=min(4, len(found)))
