"""The study's figures: tidy frames in, matplotlib figures out; units on every axis, readable in grey print.

Figures are made without pyplot, so nothing global changes and none stays open; show one by naming it in a notebook
or write it with `save_figure`.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import COLUMNS, NASH, SECOND_BEST, is_known
from dcg_econ.analysis.inference import Estimate, mean_per_day, ratio, session_ratios
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.panels import market_days, sound_days, treatments_of
from dcg_econ.analysis.points import parameters_of
from dcg_econ.analysis.style import BLACK, BLUE, GREY, RC, VERMILION, Look, looks, study_order, treatment_label
from dcg_econ.analysis.tables import number_text
from dcg_econ.analysis.units import units_of

WIDTH = 7.2  # inches, all figures alike, so that their type has one size on the page
INTERVAL_NOTE = "Bars: 95% intervals clustered by session; none is seen where it is narrower than its marker."
SAME = 1e-4  # per cent of first best: benchmarks nearer than this are one line

DPI = 200  # of PNG files


def styled(draw):
    """Runs a figure function under the house style, leaving matplotlib's global settings alone.

    Words are words: dollar signs in what it wrote, names of treatments above all, are no mathematics.
    """

    @functools.wraps(draw)
    def wrapped(*args, **kwargs):
        import matplotlib as mpl

        with mpl.rc_context(RC):
            made = draw(*args, **kwargs)
            figure = getattr(made, "figure", made)
            if hasattr(figure, "axes"):  # an animation is a file
                _without_mathematics(figure)
            return made

    return wrapped


def _without_mathematics(figure) -> None:
    """Of all words; the numbers of an axis stay, which matplotlib sets as mathematics itself."""
    from matplotlib.ticker import FixedLocator

    every = [axes for one in figure.axes for axes in (one, *one.child_axes)]
    texts = [*figure.texts, *(text for axes in every for text in (axes.title, *axes.texts))]
    for legend in (*figure.legends, *(axes.get_legend() for axes in every)):
        texts += [legend.get_title(), *legend.get_texts()] if legend else []
    for axis in (axis for axes in every for axis in (axes.xaxis, axes.yaxis)):
        fixed = isinstance(axis.get_major_locator(), FixedLocator)
        texts += [axis.label, *(tick.label1 for tick in axis.majorTicks if fixed)]
    for text in texts:
        text.set_parse_math(False)


def figure_of(width: float, height: float, columns: int = 1, rows: int | None = None, **kwargs):
    """A figure and its axes; with `rows` an array of rows x columns."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    if rows is not None:
        kwargs["squeeze"] = False
    return figure, figure.subplots(rows or 1, columns, **kwargs)


@styled
def demand_figure(points: pd.DataFrame, curves: pd.DataFrame):
    """The market's days and its demand: 2SLS with constant elasticity, and the kernel curve with its band.

    `points`: price ($/lb), quantity (lb, adjusted for the day of the week). `curves`: price, iv, kernel, kernel_low,
    kernel_high, and if wanted kernel_falling, iv_low and iv_high (lb). Price stands on the vertical axis. Returns the
    Figure.
    """
    require_columns(points, ["price", "quantity"], "frame of points")
    require_columns(curves, ["price", "iv", "kernel", "kernel_low", "kernel_high"], "frame of curves")
    figure, axes = figure_of(WIDTH, 4.4)
    axes.scatter(points["quantity"], points["price"], s=16, facecolor="none", edgecolor=GREY, label="Market days")
    band = {"color": BLUE, "alpha": 0.18, "linewidth": 0, "label": "Kernel regression, 95% band"}
    axes.fill_betweenx(curves["price"], curves["kernel_low"], curves["kernel_high"], **band)
    axes.plot(curves["kernel"], curves["price"], color=BLUE, linestyle="--", label="Kernel regression")
    if "kernel_falling" in curves:
        axes.plot(curves["kernel_falling"], curves["price"], color=BLUE, linestyle=":", label="Nearest falling curve")
    axes.plot(curves["iv"], curves["price"], color=VERMILION, linestyle="-", label="2SLS, constant elasticity")
    if {"iv_low", "iv_high"} <= set(curves.columns):
        for side, label in (("iv_low", "2SLS, 95% band"), ("iv_high", "_")):
            axes.plot(curves[side], curves["price"], color=VERMILION, linestyle="-.", linewidth=0.9, label=label)
    axes.set_xlabel("Quantity (lb per market day, adjusted for day of week)")
    axes.set_ylabel("Price ($/lb)")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(0, 1.04 * max(points["quantity"].max(), curves["iv"].quantile(0.95)))
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")
    return figure


@styled
def schedules_figure(schedules: pd.DataFrame):
    """One buyer's schedule by type, one panel a type: true marginal value, Nash, and learned with its 10-90 band.

    `schedules`: treatment, type_value ($/lb), price ($/lb), quantity (lb), and quantity_low, quantity_high (lb, may be
    NaN). Price stands on the vertical axis. Returns the Figure.
    """
    require_columns(schedules, ["treatment", "type_value", "price", "quantity"], "frame of schedules")
    types = sorted(schedules["type_value"].unique())
    style = looks(schedules["treatment"])
    figure, axes = figure_of(WIDTH, 3.9, len(types), sharex=True, sharey=True, squeeze=False)
    names = {3: ("Low type", "Mean type", "High type")}.get(len(types), ("Type",) * len(types))
    for panel, value, name in zip(axes[0], types, names, strict=True):
        own = schedules[schedules["type_value"] == value]
        for treatment in study_order(style):
            _schedule(panel, own[own["treatment"] == treatment].sort_values("price"), style[treatment])
        if {"occurs_low", "occurs_high"} <= set(own.columns) and own["occurs_low"].notna().any():
            low, high = own["occurs_low"].iloc[0], own["occurs_high"].iloc[0]
            panel.axhspan(low, high, color=GREY, alpha=0.15, linewidth=0, zorder=0, label="Prices that occur")
        panel.set_title(f"{name} ({number_text(float(value), '.2f')} $/lb)")
        panel.xaxis.set_major_formatter("{x:,.0f}")
    figure.supxlabel("Quantity bought by one buyer (lb per market day)", fontsize=RC["axes.labelsize"])
    axes[0, 0].set_ylabel("Price ($/lb)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(3, len(labels)))
    return figure


def _schedule(axes, line: pd.DataFrame, look) -> None:
    if line.empty:
        return
    if {"quantity_low", "quantity_high"} <= set(line.columns) and line["quantity_low"].notna().any():
        low, high = line["quantity_low"], line["quantity_high"]
        axes.fill_betweenx(
            line["price"], low, high, color=look.colour, alpha=0.3, linewidth=0, label="10-90% of sessions"
        )
    below = (
        {"linewidth": 2.8, "zorder": 2} if look.line == "-" else {"zorder": 3}
    )  # dashes stay visible on a solid line
    axes.plot(line["quantity"], line["price"], color=look.colour, linestyle=look.line, label=look.label, **below)


@styled
def price_figure(panel: pd.DataFrame):
    """Markdown of the price and loss of the seller's revenue against competition by treatment, with 95% intervals.

    Left: mean of 1 - price / competitive price (%). Right: mean of (competitive price - price) x supply (money per
    round). Returns the Figure. Raises ValueError where the panel holds several grid points.
    """
    require_columns(panel, ["price", "competitive_price", "supply"])
    days = _one_point(panel)
    unit = units_of(panel.attrs.get("variable_labels", {})).flow
    figure, axes = figure_of(WIDTH, 0.42 * len(treatments_of(days)) + 1.3, 2, sharey=True)
    columns = (
        ("markdown", 100.0, "Price below competitive (%)"),
        ("revenue_loss", 1.0, f"Seller's loss ({unit})"),
    )
    for axis, (column, factor, label) in zip(axes, columns, strict=True):
        means = {name: mean_per_day(own, column).scaled(factor) for name, own in _by_treatment(days)}
        _dots(axis, means, looks(means))
        axis.set_xlabel(label)
    figure.supxlabel(INTERVAL_NOTE, fontsize=8, color=GREY)
    return figure


@styled
def efficiency_figure(panel: pd.DataFrame, treatments: Sequence[str] = ()):
    """Efficiency loss (per cent of first best) by treatment: each session, their ratio of sums, and its 95% interval.

    Returns the Figure. Raises ValueError where the panel holds several grid points: `grid_figure` draws those.
    """
    days = _one_point(panel)
    figure, axis = figure_of(WIDTH, 0.42 * len(treatments_of(days)) + 1.3)
    sessions = {name: 100 * session_ratios(own, "welfare_loss", "first_best") for name, own in _by_treatment(days)}
    style = looks([*treatments, *sessions])
    for row, (name, values) in enumerate(sessions.items()):
        spread = row + np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else [row]
        axis.scatter(values, spread, s=9, color=style[name].colour, alpha=0.45, linewidth=0, zorder=2)
    losses = {name: ratio(own, "welfare_loss", "first_best").scaled(100.0) for name, own in _by_treatment(days)}
    _dots(axis, losses, style)
    _loss_lines(figure, axis, days, losses)
    axis.set_xlabel("Efficiency loss (% of first best)")
    figure.supxlabel(f"Small dots: sessions. {INTERVAL_NOTE}", fontsize=8, color=GREY)
    return figure


def _loss_lines(figure, axis, days: pd.DataFrame, losses: dict[str, Estimate]) -> None:
    """First best, and the benchmarks that no treatment shows and that are the same for all of them, as lines that grey
    print tells apart; over the days of the treatments that have most."""
    axis.axvline(0.0, color=GREY, linewidth=0.8, zorder=1, label="First best")
    parts = [own for _, own in _by_treatment(days)]
    whole = [own for own in parts if len(own) == max(map(len, parts))]
    for name, line in ((NASH, (0, (1, 2))), (SECOND_BEST, (0, (6, 2, 1, 2)))):
        if not is_known(days, name) or any(own[COLUMNS[name]].isna().any() for own in whole):
            continue
        found = [100 * (1 - ratio(own, COLUMNS[name], "first_best").value) for own in whole]
        shown = any(abs(estimate.value - found[0]) <= SAME for estimate in losses.values())
        if max(found) - min(found) <= SAME and not shown:
            axis.axvline(found[0], color=BLACK, linewidth=1.2, linestyle=line, zorder=2, label=treatment_label(name))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=3)


def _one_point(panel: pd.DataFrame) -> pd.DataFrame:
    days = sound_days(market_days(panel))
    swept = parameters_of(days)
    if swept:
        raise ValueError(
            f"the panel sweeps {', '.join(swept)}, and this figure must not pool its points: use grid_figure(panel), or "
            "one point, panel[panel[name] == value]"
        )
    if days.empty:
        raise ValueError("every session failed: nothing to draw; see the cells' errors")
    return days


def _by_treatment(days: pd.DataFrame):
    return [(name, days[days["treatment"] == name]) for name in study_order(treatments_of(days))]


def _dots(axis, estimates: dict[str, Estimate], style: dict[str, Look]) -> None:
    for row, (name, estimate) in enumerate(estimates.items()):
        width = np.nan_to_num(estimate.high - estimate.value)
        look = {"fmt": style[name].marker, "color": style[name].colour, "markersize": 6.5, "capsize": 3.5}
        axis.errorbar(estimate.value, row, xerr=width, markeredgecolor=BLACK, markeredgewidth=0.6, zorder=3, **look)
    axis.axvline(0.0, color=GREY, linewidth=0.8, zorder=1)
    axis.set_yticks(range(len(estimates)), [style[name].label for name in estimates])
    axis.set_ylim(len(estimates) - 0.45, -0.55)
    axis.grid(axis="y", visible=False)


def save_figure(figure, folder: str | Path, name: str) -> tuple[Path, Path]:
    """Writes `name`.png (`DPI`) and `name`.pdf, without dates, so that the same data give the same bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    with mpl.rc_context(RC):
        FigureCanvasAgg(figure)
        figure.savefig(png, dpi=DPI, metadata={"Software": None})
        figure.savefig(pdf, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return png, pdf
