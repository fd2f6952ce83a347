"""Games in which welfare is a loss, so that a share of first best means nothing: expected welfare beside theory's.

Where the panel has them, `theory_welfare` (what theory says of such play), `babbling_welfare` (were nothing learned from
talk) and `theory_bits` stand on the same draws, and a gap is a mean difference clustered by session.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.figures import INTERVAL_NOTE, WIDTH, figure_of, styled
from dcg_econ.analysis.inference import Estimate, mean_per_day
from dcg_econ.analysis.panels import market_days, session_flags, sound_days
from dcg_econ.analysis.points import cell_index, cell_text, cells_of, in_cell, parameters_of, value_text
from dcg_econ.analysis.sentences import ROUNDING, absolute, sized, verb_of
from dcg_econ.analysis.style import BLACK, GREY, RC, figure_text, looks, study_order, treatment_label
from dcg_econ.analysis.tables import Table, decimals, in_brackets, number_text
from dcg_econ.analysis.units import units_of
from dcg_econ.analysis.welfare_print import COUNTS

THEORY, BABBLING, BITS = "theory_welfare", "babbling_welfare", "bits"
TERMS = (
    "Welfare: the sum of all payoffs, here a loss, before what messages cost. Theory: the expected welfare of what the "
    "game's theory says is played, given the draws of the study. Gap: welfare less that of theory.",
    "Session: one independently trained group; it plays all rounds of its cell. s.e.: standard error, clustered by session.",
)
BABBLING_TERM = (
    "Theory is the equilibrium that tells most (Crawford and Sobel 1982), however many words there are. Babbling: the "
    "equilibrium in which talk tells nothing; it always exists."
)
BITS_TERM = (
    "Bits: what a message costs as information, on the scale of log 2: the divergence of the law of what comes through from "
    "a prior that does not depend on what the speaker knows. It is at least the mutual information."
)


def is_loss(days: pd.DataFrame) -> bool:
    """Whether first best is nowhere above zero: then efficiency is not defined."""
    return len(days) > 0 and not bool((days["first_best"] > 0).any())


def loss_frame(panel: pd.DataFrame, swept: Sequence[str]) -> pd.DataFrame:
    """One row per cell: welfare, theory, gap, babbling and bits (money or bits per round), each with `_se`; and counts."""
    every = market_days(panel, keep=_kept(panel), parameters=swept)
    days, names = sound_days(every), parameters_of(every)
    cells = cells_of(days, names)
    rows = [_statistics(in_cell(days, names, cell)) for cell in cells]
    flat = [{k: v for n, e in row.items() for k, v in ((n, e.value), (f"{n}_se", e.se))} for row in rows]
    return pd.DataFrame(flat, index=cell_index(cells, names)).join(session_flags(every))


def loss_table(panel: pd.DataFrame, swept: Sequence[str]) -> Table:
    """`loss_frame` as it prints."""
    frame, labels = loss_frame(panel, swept), panel.attrs.get("variable_labels", {})
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.index]
    columns = {"Treatment": [treatment_label(key[0]) for key in keys]}
    for i, name in enumerate(frame.index.names[1:]):
        columns[str(name).replace("_", " ").capitalize()] = [value_text(key[i + 1]) for key in keys]
    heads = {"welfare": "Welfare", "theory": "Theory", "gap": "Gap", "babbling": "Babbling"}
    heads |= {"bits": "Bits", "theory_bits": "Bits in theory"}
    for name, head in heads.items():
        if name in frame and frame[name].notna().any():
            columns[head] = _texts(frame, name, name in ("theory", "babbling", "theory_bits"))
    counts = frame[["sessions", "unconverged", "failed"]].itertuples(index=False, name=None)
    columns[COUNTS] = [f"{every} ({unconverged}, {failed})" for every, unconverged, failed in counts]
    flow = units_of(labels).flow
    notes = (
        f"Welfare is the mean sum of payoffs, {flow}, before the cost of messages. Standard errors in brackets are clustered "
        "by session; those of theory, which vary with the draws alone, are left out. A gap is taken on the same draws.",
    )
    return Table(frame, "Welfare beside theory", notes, name="welfare", printed=pd.DataFrame(columns, dtype=object))


def loss_answer(days: pd.DataFrame, swept: Sequence[str]) -> list[str]:
    """A paragraph per treatment: welfare and its gap to theory in each cell."""
    said = []
    for name in study_order(days["treatment"]):
        own = [cell for cell in cells_of(days, swept) if cell[0] == name]
        parts = [_sentence(in_cell(days, swept, cell), cell_text("", swept, cell[1:]).strip()) for cell in own]
        said.append(f"{treatment_label(name)}: {'; '.join(parts)}.")
    return said


def loss_terms(panel: pd.DataFrame) -> list[str]:
    """What the words of the report mean."""
    return [*TERMS, *([BABBLING_TERM] if BABBLING in panel else []), *([BITS_TERM] if _kept(panel) else [])]


@styled
def loss_figure(panel: pd.DataFrame, swept: Sequence[str]):
    """Expected welfare of every cell: sessions as small dots, their mean with its interval, and theory as marks."""
    days = sound_days(market_days(panel, parameters=swept))
    cells = sorted(cells_of(days, swept), key=lambda cell: [value_text(x) for x in cell[1:]])
    style = looks(days["treatment"])
    figure, axis = figure_of(WIDTH, 0.36 * len(cells) + 1.5)
    for row, cell in enumerate(cells):
        own, look = in_cell(days, swept, cell), style[cell[0]]
        sessions = own.groupby("session")["welfare"].mean()
        spread = row + (np.linspace(-0.22, 0.22, len(sessions)) if len(sessions) > 1 else np.zeros(1))
        axis.scatter(sessions, spread, s=9, color=look.colour, alpha=0.45, linewidth=0, zorder=2)
        found = mean_per_day(own, "welfare")
        drawn = {"fmt": look.marker, "color": look.colour, "markersize": 6, "capsize": 3, "markeredgecolor": BLACK}
        axis.errorbar(found.value, row, xerr=np.nan_to_num(found.high - found.value), zorder=3, **drawn)
        for column, line, label in ((THEORY, "-", "Theory"), (BABBLING, ":", "Babbling")):
            if column in own and own[column].notna().all():
                at = [own[column].mean()] * 2
                shown = label if row == 0 else f"_{label}"
                axis.plot(at, [row - 0.36, row + 0.36], color=BLACK, linestyle=line, linewidth=1.4, label=shown)
    names = [figure_text(cell_text(style[cell[0]].label, swept, cell[1:])) for cell in cells]
    axis.set_yticks(range(len(cells)), names)
    axis.set_ylim(len(cells) - 0.45, -0.55)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel(f"Welfare ({units_of(panel.attrs.get('variable_labels', {})).flow})", fontsize=RC["axes.labelsize"])
    handles, labels = axis.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
    figure.supxlabel(f"Small dots: sessions. {INTERVAL_NOTE}", fontsize=8, color=GREY)
    return figure


def _kept(panel: pd.DataFrame) -> list[str]:
    """Bits, where theory has a say on them: words drawn as most likely always cost the logarithm of their number."""
    return [BITS] if {BITS, "theory_bits"} <= set(panel) else []


def _statistics(own: pd.DataFrame) -> dict[str, Estimate]:
    found = {"welfare": mean_per_day(own, "welfare")}
    for name, column in (("theory", THEORY), ("babbling", BABBLING), ("bits", BITS), ("theory_bits", "theory_bits")):
        if column in own:
            found[name] = mean_per_day(own, column)
    if THEORY in own:
        found["gap"] = _gap(own)
    return found


def _gap(own: pd.DataFrame) -> Estimate:
    return mean_per_day(own.assign(_gap=own["welfare"] - own[THEORY]), "_gap")


def _texts(frame: pd.DataFrame, name: str, exact: bool) -> list[str]:
    errors = frame[f"{name}_se"]
    style = f",.{decimals(frame['welfare_se'] if exact else errors, smallest=3, largest=5)}f"
    if exact:
        return [number_text(value, style) for value in frame[name]]
    pairs = zip(frame[name], errors, strict=True)
    return [f"{number_text(value, style)} {in_brackets(error, style)}" for value, error in pairs]


def _sentence(own: pd.DataFrame, where: str) -> str:
    level = f"{f'{where}, ' if where else ''}welfare {sized(mean_per_day(own, 'welfare'), '')}"
    if THEORY not in own or own[THEORY].isna().any():
        return level
    gap = _gap(own)
    verb = verb_of(gap, "above", "below")
    if abs(gap.value) <= ROUNDING:
        return f"{level}, as in theory"
    size = f"{number_text(own[THEORY].mean(), '.4g')} of theory"
    return (
        f"{level}, {sized(absolute(gap), '')} {verb} the {size}" if verb else f"{level}, not told apart from the {size}"
    )
