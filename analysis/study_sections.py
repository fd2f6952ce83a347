"""The sections of a report on any study: treatments on a grid of parameters, whatever the mechanism."""

from collections.abc import Sequence

import pandas as pd

from dcg_econ.analysis import figures, grid_figures, learning_figures
from dcg_econ.analysis.benchmarks import FIRST_BEST, NASH, SECOND_BEST, is_known, nash_of
from dcg_econ.analysis.deviations import deviation_blocks
from dcg_econ.analysis.effects import TreatmentEffects, effects_table, treatment_effects
from dcg_econ.analysis.field_sections import field_blocks
from dcg_econ.analysis.incentives import has_incentives, incentives_table
from dcg_econ.analysis.information_cost import has_cost_curves, information_cost_figure, information_cost_table
from dcg_econ.analysis.institutions import has_institutions, institutions_table, payments_table
from dcg_econ.analysis.losses import is_loss, loss_answer, loss_figure, loss_table, loss_terms
from dcg_econ.analysis.material import Picture, ReportMaterial, Section, pairs
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.panels import market_days, session_flags, sound_days
from dcg_econ.analysis.plan import plan_table
from dcg_econ.analysis.points import cell_text, cells_of, in_cell, points_of
from dcg_econ.analysis.session_figures import distribution_figure
from dcg_econ.analysis.sessions import ALIASES
from dcg_econ.analysis.study_computed import cells_table
from dcg_econ.analysis.study_design import design
from dcg_econ.analysis.study_wording import counts, study_answer, study_terms
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import Table
from dcg_econ.analysis.talk import has_talk
from dcg_econ.analysis.talk_words import talk_blocks
from dcg_econ.analysis.welfare import welfare_table

SAMPLING_NOTE = (
    "Standard errors measure the variation over sessions (draws of private information and of training seeds) at the "
    "parameters of the study, and more sessions shrink them at will: stars say that the simulation resolves a difference, "
    "not that it is large."
)
POINTS_IN_A_FIGURE, LEARNING_FIGURES = 4, 3
CELLS_IN_A_FIGURE, SESSIONS_IN_A_FIGURE = 12, 5


def study_sections(material: ReportMaterial) -> list[Section]:
    """The sections in the report's order; those with nothing to show are left out."""
    panel, swept = material.labelled(), material.swept()
    every = None if panel.empty else market_days(panel, parameters=swept)
    days = None if every is None else sound_days(every)
    flags = None if every is None else session_flags(every)
    loss = days is not None and is_loss(days)
    said = (
        loss_answer(days, swept)
        if loss
        else study_answer(every, days, swept, flags, _treatments(panel, material.cells))
    )
    tally = counts(material.cells, flags, swept, material.sessions_planned)
    nothing = days is None or days.empty
    goods = not nothing and has_institutions(panel)
    whose = "" if days is None else nash_of(days)
    bits = "bits" in panel and bool(panel["bits"].notna().any())
    talk = not nothing and not loss and has_talk(panel)
    terms = study_terms(bits, days is not None and is_known(days, SECOND_BEST), whose, goods, talk)
    made = [
        Section("answer", "The answer", (*said, tally)),
        Section("terms", "Terms", tuple(loss_terms(panel) if loss else terms)),
        Section("design", "The design", design(material, panel, swept)),
        Section("institutions", "Institutions", _institutions(material, panel, swept) if goods else ()),
        Section("welfare", "Welfare", () if nothing else _welfare(material, panel, days, swept)),
        Section("talk", "Talk", talk_blocks(panel, swept) if talk else ()),
        Section("incentives", "The price of incentives", _incentives(panel, swept) if not nothing and not loss else ()),
        Section("cost", "The information-cost curve", () if nothing or loss or swept else _cost(panel)),
        Section("field", "What messages are pulled to", field_blocks(material.field)),
        Section("effects", "Treatment effects", () if nothing else _effects(material, panel, swept)),
        Section("plan", "Pre-analysis plan", plan_blocks(material, panel)),
        Section("deviations", "Deviations from the plan", deviation_blocks(material, panel)),
        Section("learning", "Learning", () if loss else _learning(material, panel, swept)),
        Section("computed", "Computation", _computed(material)),
        Section("limits", "Assumptions and limits", (*material.notes, SAMPLING_NOTE)),
    ]
    return [section for section in made if section.blocks]


def _treatments(panel: pd.DataFrame, cells: pd.DataFrame | None) -> list[str]:
    frames = [frame for frame in (panel, cells) if frame is not None and "treatment" in frame]
    return list(dict.fromkeys(name for frame in frames for name in frame["treatment"].unique()))


def _welfare(material: ReportMaterial, panel: pd.DataFrame, days: pd.DataFrame, swept: Sequence[str]) -> tuple:
    if is_loss(days):
        caption = "Expected welfare of every cell; vertical marks: theory on the same draws."
        alt = "For each cell the sessions' welfare as small dots, their mean with its interval, and theory as marks."
        return (loss_table(panel, swept), Picture("welfare", loss_figure(panel, swept), caption, alt))
    against = NASH if is_known(days, NASH) else FIRST_BEST
    names = _treatments(panel, material.cells)
    table = welfare_table(panel, against, parameters=swept, cells=material.cells)
    said = () if against == NASH else ("Nash was not solved for in this study: the benchmark is first best.",)
    if not swept:
        lines = " Lines: first best, and benchmarks that no treatment shows, on the same draws."
        caption = f"Loss of efficiency, 1 − E welfare / E first best, by treatment.{lines}"
        alt = "For each treatment the sessions' efficiency losses as small dots and their mean with its interval."
        drawn = figures.efficiency_figure(panel, names)
        return (*said, table, Picture("efficiency", drawn, caption, alt), *_sessions(panel, days, swept, names))
    if not grid_figures.can_draw(swept):
        listed = ", ".join(name.replace("_", " ") for name in swept)
        text = (
            f"The study sweeps {len(swept)} parameters ({listed}). A figure would have to average over some of them, so the "
            "table alone shows every point."
        )
        return (*said, table, text, *_sessions(panel, days, swept, names))
    second = is_known(days, SECOND_BEST)
    caption = (
        f"Efficiency, E welfare / E first best, by treatment at each grid point. {grid_figures.NOTE} "
        f"{'Lines without markers: benchmarks on the same draws.' if second else 'Grey line: first best.'} "
        f"Treatments are moved sideways a little so that they do not hide each other.{_holes(table)}"
    )
    alt = "Efficiency against the swept parameter, one line with intervals for each treatment, first best as a line at 100."
    drawn = grid_figures.grid_figure(panel, swept, names)
    return (*said, table, Picture("efficiency", drawn, caption, alt), *_sessions(panel, days, swept, names))


def _sessions(panel: pd.DataFrame, days: pd.DataFrame, swept: Sequence[str], names: Sequence[str]) -> tuple:
    """The distribution over learned sessions, where there are enough for one and few enough cells for a figure."""
    if "agent_type" not in panel:
        return ()
    learned = set(panel.loc[panel["agent_type"] == "learned", "treatment"].unique())
    own = days[days["treatment"].isin(learned)]
    cells = cells_of(own, swept)
    most = max((in_cell(own, swept, cell)["session"].nunique() for cell in cells), default=0)
    if most < SESSIONS_IN_A_FIGURE or len(cells) > CELLS_IN_A_FIGURE:
        return ()
    shown = panel[panel["treatment"].isin(learned)]
    shown.attrs = panel.attrs
    axes = distribution_figure(shown, treatments=names, parameters=swept)
    caption = (
        "Efficiency of every learned session, one dot each. Where they fall into groups the mean and its interval above "
        "describe no session."
    )
    alt = "For each learned cell the sessions' efficiencies as dots, stacked where they agree, with their median and number."
    return (Picture("sessions", axes.figure, caption, alt),)


def _incentives(panel: pd.DataFrame, swept: Sequence[str]) -> tuple:
    """Joint beside selfish players, where treatments are named so; on a grid the table would have to average."""
    return (incentives_table(panel),) if not swept and has_incentives(panel["treatment"].unique()) else ()


def _cost(panel: pd.DataFrame) -> tuple:
    """What is reached against nats, where prices of information make curves."""
    if not has_cost_curves(panel):
        return ()
    caption = "Efficiency against the information said per message, a point for each price; 95% intervals both ways."
    alt = "For each kind of player a line from dear to cheap information, efficiency in per cent against nats."
    return (Picture("information_cost", information_cost_figure(panel), caption, alt), information_cost_table(panel))


def _institutions(material: ReportMaterial, panel: pd.DataFrame, swept: Sequence[str]) -> tuple:
    blocks: list = [institutions_table(panel, swept)]
    if {"budget_surplus", "gain"} & set(panel.columns):
        blocks.append(payments_table(panel, swept))
    lost = [name for name in _treatments(panel, material.cells) if name not in set(panel["treatment"])]
    said = f"Without result, so in neither table: {', '.join(map(treatment_label, lost))}."
    return (*blocks, said) if lost else tuple(blocks)


def _holes(table: Table) -> str:
    """Which cells the figure cannot show."""
    frame = table.to_frame()
    lost = frame.index[frame["efficiency"].isna()]
    names = frame.index.names[1:]
    cells = [cell_text(treatment_label(key[0]), names, key[1:]) for key in lost]
    more = f" and {len(cells) - 6} more" if len(cells) > 6 else ""
    return f" Without result: {'; '.join(cells[:6])}{more}." if cells else ""


def _effects(material: ReportMaterial, panel: pd.DataFrame, swept: Sequence[str]) -> tuple:
    fits: list[TreatmentEffects] = []
    said = []
    absorb = "session" if _paired(panel) else None
    for outcome in dict.fromkeys(ALIASES.get(name, name) for name in material.outcomes or ("efficiency",)):
        try:
            ratio = True if outcome == "efficiency" else None
            fits.append(treatment_effects(panel, outcome, absorb=absorb, parameters=swept, ratio=ratio))
        except ValueError as error:
            said.append(f"Not estimated for {outcome.replace('_', ' ')}: {error}.")
    points = [fit.by_point() for fit in fits] if swept else []
    return (*points, *([effects_table(fits)] if fits else []), *said)


def _paired(panel: pd.DataFrame) -> bool:
    """Whether all treatments have the same sessions, so that a failed session must not leave the others uncompared."""
    sessions = [frozenset(own) for _, own in panel.groupby("treatment", observed=True)["session"]]
    return len(set(sessions)) == 1


def plan_blocks(material: ReportMaterial, panel: pd.DataFrame) -> tuple:
    """The declared hypotheses and what was found; nothing where none was declared."""
    if not material.hypotheses:
        return ()
    text = (
        "The hypotheses below stand in the study's specification, with their outcomes, families and margins, and are "
        "tested as they stand there; everything else in this report is description."
    )
    return (text, plan_table(panel, material.hypotheses, material.cells, material.declared(), material.correction))


def _learning(material: ReportMaterial, panel: pd.DataFrame, swept: Sequence[str]) -> tuple:
    history = material.history
    if history is None or history.empty:
        return ()
    require_columns(history, ["treatment", "session", "step", "efficiency", "regret"], "training history")
    if history[["efficiency", "regret"]].isna().all(axis=None):
        return ("The learning curves hold no finite number: every session diverged from the start.",)
    names = _treatments(panel, material.cells)
    regret = ", and regret," if history["regret"].notna().any() else ""
    caption = (
        f"loss of efficiency{regret} on one sample of rounds (Nash: in expectation). Thin lines are sessions, thick lines "
        "medians over sessions; neither is drawn where nothing is lost"
    )
    exact = (
        "nash_efficiency" in history and (history["nash_efficiency"] > 1 - learning_figures.NOTHING_LOST / 100).any()
    )
    more = " A Nash equilibrium that loses nothing has no place on a log scale." if exact else ""
    alt = "Loss of efficiency and regret over training steps, on log scales, by treatment."
    if not swept:
        return (
            Picture("training", learning_figures.training_figure(history, names), f"Learning: {caption}.{more}", alt),
        )
    placed = _placed(history, [panel, material.cells], swept)
    if placed is None:
        return (
            "The learning curves do not say which grid point they belong to, so they are not drawn: name the cell.",
        )
    points = points_of(placed, swept)
    shown = points[: POINTS_IN_A_FIGURE * LEARNING_FIGURES]
    blocks: list = []
    for i in range(0, len(shown), POINTS_IN_A_FIGURE):
        part = shown[i : i + POINTS_IN_A_FIGURE]
        keep = pd.Series([key in part for key in _keys(placed, swept)], placed.index)
        drawn = grid_figures.grid_training_figure(placed[keep], swept, names)
        name = "training" if i == 0 else f"training_{i // POINTS_IN_A_FIGURE + 1}"
        blocks.append(Picture(name, drawn, f"Learning at each grid point: {caption} of that point.{more}", alt))
    if len(shown) < len(points):
        blocks.append(f"Drawn are the first {len(shown)} of {len(points)} grid points.")
    return tuple(blocks)


def _placed(history: pd.DataFrame, frames: Sequence[pd.DataFrame | None], swept: Sequence[str]) -> pd.DataFrame | None:
    """The history with the parameters of its cells; None where they are not known."""
    if set(swept) <= set(history):
        return history
    for frame in frames:
        if "cell" in history and frame is not None and {"cell", *swept} <= set(frame):
            where = frame[["cell", *swept]].drop_duplicates("cell")
            placed = history.drop(columns=[name for name in swept if name in history]).merge(where, on="cell")
            if len(placed) == len(history):
                return placed
    return None


def _keys(frame: pd.DataFrame, swept: Sequence[str]) -> list[tuple]:
    rows = frame[list(swept)].itertuples(index=False, name=None)
    return [tuple(None if pd.isna(value) else value for value in row) for row in rows]


def _computed(material: ReportMaterial) -> tuple:
    blocks: list = []
    if material.cells is not None and len(material.cells):
        blocks.append(cells_table(material.cells, material.declared()))
    if material.settings:
        blocks.append(pairs(material.settings, "Settings", "settings", "Setting", "Value"))
    if material.versions:
        dirty = str(material.versions.get("commit", "")).endswith("+")
        said = ("A plus after the commit: the files had changes that were not committed.",) if dirty else ()
        blocks.append(pairs(material.versions, "Software and machine", "versions", "Item", "Version", said))
    return tuple(blocks)
