"""The distribution over sessions: learned play is often bimodal, and then a mean with its interval tells of nobody."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import COLUMNS, NASH, is_known
from dcg_econ.analysis.figures import WIDTH, figure_of, styled
from dcg_econ.analysis.inference import session_ratios
from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.panels import market_days, sound_days
from dcg_econ.analysis.points import cell_text, cells_of, in_cell, parameters_of
from dcg_econ.analysis.style import BLACK, GREY, figure_text, looks
from dcg_econ.analysis.tables import number_text
from dcg_econ.analysis.units import outcome_label

ROWS = 24  # cells that one figure has room for
BINS = 70  # over the range of the outcome: sessions in one of them are stacked
TALLEST = 0.38  # of a row, to either side: the highest stack
SAME = 1e-6  # Nash is one line only where all cells have the same, as a share of first best
NEAR = 0.01  # of first best: a session this near to Nash has reached it
NOTE = "Dots: sessions, stacked where they agree. At the right: their number"
REACHED = " and the share that reach {}"
RELATIVE = 1e-9  # a session this near to the threshold, as a share of it, has reached it
PERCENT = 100.0


def session_frame(
    panel: pd.DataFrame, outcome: str = "efficiency", parameters: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row per cell and session that did not fail: treatment, the swept parameters, session, value.

    `outcome`: "efficiency" (the session's E welfare / E first best, a share), or any column of a market day (its mean over
    the session, in its own unit). Raises ValueError for an unknown outcome and where every session failed.
    """
    return _frame_of(_days(panel, outcome, parameters), outcome)


def _days(panel: pd.DataFrame, outcome: str, parameters: Sequence[str] | None) -> pd.DataFrame:
    keep = [outcome] if outcome in panel and outcome not in ("payoff", "efficiency") else []
    days = sound_days(market_days(panel, keep=keep, parameters=parameters))
    if days.empty:
        raise ValueError("every session failed: there is no distribution to show; see the cells' errors")
    if outcome not in days or not pd.api.types.is_numeric_dtype(days[outcome]):
        raise ValueError(f"the panel knows no numeric outcome `{outcome}`{nearest(outcome, days.columns)}")
    return days


def _frame_of(days: pd.DataFrame, outcome: str) -> pd.DataFrame:
    swept = parameters_of(days)
    parts = []
    for cell in cells_of(days, swept):
        own = in_cell(days, swept, cell)
        shares = outcome == "efficiency"
        values = session_ratios(own, "welfare", "first_best") if shares else own.groupby("session")[outcome].mean()
        keys = dict(zip(("treatment", *swept), cell, strict=True))
        parts.append(pd.DataFrame({"session": values.index, "value": values.to_numpy(float)}).assign(**keys))
    frame = pd.concat(parts, ignore_index=True)[["treatment", *swept, "session", "value"]]
    frame.attrs["parameters"] = swept
    return frame


@styled
def distribution_figure(
    panel: pd.DataFrame,
    outcome: str = "efficiency",
    threshold: float | None = None,
    treatments: Sequence[str] = (),
    parameters: Sequence[str] | None = None,
    axes=None,
):
    """A dot for every session, stacked where many agree, a row per treatment (on a grid: per cell), the median as a stroke.

    Beside each row stand the number of sessions and the share of them that reach the `threshold`, which is drawn as a
    line: in the outcome's unit, efficiency in shares; by default Nash, where all cells have the same, which a session within
    1% of first best has reached. Efficiency is drawn in per cent of first best. A treatment whose sessions all failed keeps
    its row. `treatments` are all of the study's, so that each has one colour in every figure. Returns the Axes. Raises
    ValueError for an unknown outcome, for more than 24 cells, and where every session failed.
    """
    days = _days(panel, outcome, parameters)
    frame, swept = _frame_of(days, outcome), parameters_of(days)
    cells = _cells(panel, frame, swept)
    if len(cells) > ROWS:
        raise ValueError(f"{len(cells)} cells do not fit one figure: take a slice, panel[panel[name] == value]")
    own = axes is None
    if own:
        _, axes = figure_of(WIDTH, 0.42 * len(cells) + 1.5)
    scale = PERCENT if outcome == "efficiency" else 1.0
    nash = _nash(days, swept) if threshold is None and outcome == "efficiency" else None
    line, least = (threshold, threshold) if nash is None else (nash, nash - NEAR)
    _rows(axes, frame, cells, swept, looks([*treatments, *frame["treatment"]]), scale)
    if line is not None:
        label = "Threshold" if nash is None else "Nash"
        axes.axvline(scale * line, color=BLACK, linewidth=1.2, linestyle=(0, (1, 2)), zorder=1, label=label)
    _said(axes, frame, cells, swept, least)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
    text, unit = outcome_label(outcome, panel.attrs.get("variable_labels", {}))
    unit = "% of first best" if outcome == "efficiency" else unit
    axes.set_xlabel(figure_text(f"{text[:1].upper()}{text[1:]}") + (f" ({figure_text(unit)})" if unit else ""))
    if own:
        said = "" if line is None else REACHED.format("the threshold" if nash is None else "Nash to 1% of first best")
        axes.figure.supxlabel(f"{NOTE}{said}.", fontsize=8, color=GREY)
    return axes


def _cells(panel: pd.DataFrame, frame: pd.DataFrame, swept: Sequence[str]) -> list[tuple]:
    """The cells with sessions and, where nothing is swept, the panel's treatments whose sessions all failed."""
    known = cells_of(frame, swept)
    if swept:
        return known
    return [*known, *((name,) for name in panel["treatment"].unique() if (name,) not in set(known))]


def _rows(axes, frame: pd.DataFrame, cells: list[tuple], swept: Sequence[str], style: dict, scale: float) -> None:
    values = frame["value"][np.isfinite(frame["value"])]
    width = (values.max() - values.min()) / BINS if len(values) else 1.0
    for row, cell in enumerate(cells):
        own = _values(frame, cell, swept)
        if own.size:
            look = style[cell[0]]
            x, y = _stacked(own, width)
            dots = {"marker": look.marker, "color": look.colour, "edgecolor": BLACK, "linewidth": 0.3, "s": 13}
            axes.scatter(scale * x, row + y, alpha=0.85, zorder=3, **dots)
            axes.plot([scale * np.median(own)] * 2, [row - 0.42, row + 0.42], color=BLACK, linewidth=1.6, zorder=2)
    axes.plot([], [], color=BLACK, linewidth=1.6, label="Median session")
    axes.set_yticks(range(len(cells)), [figure_text(cell_text(_label(style, cell), swept, cell[1:])) for cell in cells])
    axes.set_ylim(len(cells) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.ticklabel_format(axis="x", useOffset=False)


def _label(style: dict, cell: tuple) -> str:
    return style[cell[0]].label if cell[0] in style else looks([cell[0]])[cell[0]].label


def _values(frame: pd.DataFrame, cell: tuple, swept: Sequence[str]) -> np.ndarray:
    values = in_cell(frame, swept, cell)["value"].to_numpy(float)
    return np.sort(values[np.isfinite(values)])


def _stacked(values: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Ascending values, and heights about zero at which those within one `width` stand beside each other."""
    bins = np.floor((values - values[0]) / width).astype(int) if width > 0 else np.zeros(len(values), int)
    counts = np.bincount(bins)
    place = np.arange(len(values)) - np.concatenate([[0], np.cumsum(counts)[:-1]])[bins]
    step = min(0.13, 2 * TALLEST / max(counts.max() - 1, 1))
    return values, step * (place - (counts[bins] - 1) / 2)


def _said(axes, frame: pd.DataFrame, cells: list[tuple], swept: Sequence[str], threshold: float | None) -> None:
    """Sessions, and the share of them at or above the threshold, at the right of each row."""
    for row, cell in enumerate(cells):
        own = _values(frame, cell, swept)
        text = f"n = {own.size}"
        if threshold is not None and own.size:
            reached = np.mean(own >= threshold - RELATIVE * abs(threshold))
            text += f", {number_text(PERCENT * reached, '.0f')}%"
        where = {"transform": axes.get_yaxis_transform(), "va": "center", "ha": "left", "fontsize": 8.5, "color": GREY}
        axes.text(1.01, row, text, **where)


def _nash(days: pd.DataFrame, swept: Sequence[str]) -> float | None:
    """Nash efficiency where all cells have the same on the same draws; else no line stands for all rows."""
    if not is_known(days, NASH):
        return None
    parts = [in_cell(days, swept, cell) for cell in cells_of(days, swept)]
    most = max(len(own) for own in parts)
    whole = [own for own in parts if len(own) == most and own[COLUMNS[NASH]].notna().all()]
    shares = [own[COLUMNS[NASH]].sum() / own["first_best"].sum() for own in whole]
    return float(shares[0]) if shares and max(shares) - min(shares) <= SAME else None
