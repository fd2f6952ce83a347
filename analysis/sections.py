"""What stands in the report and in which order: text, tables and figures, each section only if it has material."""

from dataclasses import dataclass

import pandas as pd

from dcg_econ.analysis import figures
from dcg_econ.analysis.demand import InstrumentalVariables
from dcg_econ.analysis.effects import effects_table, treatment_effects
from dcg_econ.analysis.panels import market_days, require_columns, session_flags
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import Table
from dcg_econ.analysis.theory import estimation_table, robustness_table
from dcg_econ.analysis.welfare import FIRST_BEST, NASH, welfare_table
from dcg_econ.analysis.wording import answer

SAMPLING_NOTE = (
    "Standard errors measure the variation over sessions (draws of types and of training seeds). They take the "
    "calibration, the estimated demand among it, as given."
)


@dataclass(frozen=True, eq=False)
class ReportMaterial:
    """What a report is made of; what is None or empty is left out.

    `panel` follows the panel contract. `demand_points`, `demand_curves`, `schedules` and `history` are the frames of
    the figure functions. `calibration` maps a label to its value with units. `sensitivities`: parameter, derivative,
    elasticity. `cells`: cell, status ("ok" is success), seconds, warnings. `notes`: assumptions and limits, a sentence
    each.
    """

    title: str
    question: str
    panel: pd.DataFrame
    demand: InstrumentalVariables | None = None
    demand_points: pd.DataFrame | None = None
    demand_curves: pd.DataFrame | None = None
    schedules: pd.DataFrame | None = None
    history: pd.DataFrame | None = None
    calibration: dict | None = None
    sensitivities: pd.DataFrame | None = None
    sensitivity_of: str = "the equilibrium"
    robustness: pd.DataFrame | None = None
    estimation: pd.DataFrame | None = None
    cells: pd.DataFrame | None = None
    settings: dict | None = None
    versions: dict | None = None
    notes: tuple[str, ...] | list[str] = ()


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure with its file name, caption and the text for who cannot see it."""

    name: str
    figure: object
    caption: str
    alt: str


@dataclass(frozen=True, eq=False)
class Section:
    """A heading with its blocks in order: sentences, tables and pictures."""

    anchor: str
    title: str
    blocks: tuple[str | Table | Picture, ...]


def sections(material: ReportMaterial) -> list[Section]:
    """The sections that have something to show, in the report's order."""
    made = [
        Section("answer", "The answer", tuple(answer(material.panel, material.cells, material.estimation))),
        Section("demand", "Demand", _demand(material)),
        Section("market", "The market", _market(material)),
        Section("schedules", "Schedules", _schedules(material)),
        Section("prices", "Price and revenue", _prices(material)),
        Section("welfare", "Welfare", _welfare(material)),
        Section("effects", "Treatment effects", _effects(material)),
        Section("learning", "Learning", _learning(material)),
        Section("sensitivities", "How far the answer can be trusted", _sensitivities(material)),
        Section("computed", "How it was computed", _computed(material)),
        Section("limits", "Assumptions and limits", (*material.notes, SAMPLING_NOTE)),
    ]
    return [section for section in made if section.blocks]


def _demand(material: ReportMaterial) -> tuple:
    blocks: list = []
    if material.demand_points is not None and material.demand_curves is not None:
        drawn = figures.demand_figure(material.demand_points, material.demand_curves)
        caption = (
            "Demand: market days, two-stage least squares, and the kernel curve with its 95% pointwise band. Dotted: the "
            "nearest curve that falls everywhere, as demand should."
        )
        alt = "Scatter of price against quantity with a falling 2SLS curve, and a dashed kernel curve inside its band."
        blocks.append(Picture("demand", drawn, caption, alt))
    if material.demand is not None:
        blocks.append(material.demand.table())
    return tuple(blocks)


def _market(material: ReportMaterial) -> tuple:
    if not material.calibration:
        return ()
    return (_pairs(material.calibration, "The market as calibrated", "calibration", "Quantity", "Value"),)


def _schedules(material: ReportMaterial) -> tuple:
    if material.schedules is None:
        return ()
    caption = (
        "One buyer's schedule for a low, a mean and a high type: what the buyer would pay in truth, what it bids at "
        "Nash, and what it learned to bid (mean over sessions, band from the 10th to the 90th percentile). Shaded: where "
        "nine of ten prices fall; what a learned schedule says beyond them is hardly ever put to the test."
    )
    alt = "Three panels of falling schedules, price on the vertical axis: true marginal value, Nash and learned."
    return (Picture("schedules", figures.schedules_figure(material.schedules), caption, alt),)


def _prices(material: ReportMaterial) -> tuple:
    if not {"price", "competitive_price", "supply"} <= set(material.panel.columns):
        return ()
    caption = (
        "Price and revenue against competition on the same days with the same types. Left: mean of 1 - price / "
        "competitive price. Right: mean of (competitive price - price) x catch."
    )
    alt = "Dots with intervals for each treatment: markdown of the price on the left, the seller's loss on the right."
    return (Picture("prices", figures.price_figure(material.panel), caption, alt),)


def _welfare(material: ReportMaterial) -> tuple:
    against = NASH if "nash_welfare" in material.panel else FIRST_BEST
    caption = "Loss of efficiency, 1 - E welfare / E first best, by treatment."
    alt = "For each treatment the sessions' efficiency losses as small dots and their mean with its interval."
    drawn = figures.efficiency_figure(material.panel)
    return (welfare_table(material.panel, against), Picture("efficiency", drawn, caption, alt))


def _effects(material: ReportMaterial) -> tuple:
    days = market_days(material.panel)
    fits, said = [], []
    for outcome in ("markdown", "revenue", "efficiency"):
        if outcome in days:
            try:
                fits.append(treatment_effects(material.panel, outcome))
            except ValueError as error:
                said.append(f"Not estimated for {outcome}: {error}.")
    return (*([effects_table(fits)] if fits else []), *said)


def _learning(material: ReportMaterial) -> tuple:
    if material.history is None:
        return ()
    flags = session_flags(market_days(material.panel))
    trained = [name for name in dict.fromkeys(material.history["treatment"]) if name in flags.index]
    said = [_converged(name, flags.loc[name]) for name in trained]
    caption = (
        "Learning: loss of efficiency beside its Nash benchmark, and regret. Thin lines are sessions, thick lines medians over "
        "sessions."
    )
    alt = "Two panels over training steps, on log scales: loss of efficiency with the Nash level as a line, and regret."
    return (" ".join(said), Picture("training", figures.training_figure(material.history), caption, alt))


def _converged(name: str, row: pd.Series) -> str:
    done = int(row["sessions"] - row["failed"] - row["unconverged"])
    text = f"{treatment_label(name)}: {done} of {int(row['sessions'])} sessions converged"
    return text + (f", {int(row['failed'])} failed." if row["failed"] else ".")


def _sensitivities(material: ReportMaterial) -> tuple:
    tables = [
        estimation_table(material.estimation) if material.estimation is not None else None,
        robustness_table(material.robustness) if material.robustness is not None else None,
        _derivatives(material) if material.sensitivities is not None else None,
    ]
    return tuple(table for table in tables if table is not None)


def _derivatives(material: ReportMaterial) -> Table:
    require_columns(material.sensitivities, ["parameter"], "frame of sensitivities")
    frame = material.sensitivities.set_index("parameter")
    notes = (
        f"Exact derivatives of {material.sensitivity_of}, by implicit differentiation, in units of the day's price and "
        "catch. An elasticity is in per cent per per cent.",
    )
    labels = {column: str(column).replace("_", " ").capitalize() for column in frame.columns}
    frame.index.name = "Parameter"
    return Table(frame, "Sensitivities at Nash", notes, labels=labels, name="sensitivities")


def _computed(material: ReportMaterial) -> tuple:
    blocks: list = []
    if material.settings:
        blocks.append(_pairs(material.settings, "Settings", "settings", "Setting", "Value"))
    if material.versions:
        blocks.append(_pairs(material.versions, "Software", "versions", "Package", "Version"))
    if material.cells is not None and len(material.cells):
        require_columns(material.cells, ["cell", "status"], "frame of cells")
        frame = material.cells.set_index("cell")
        labels = {column: str(column).capitalize() for column in frame.columns}
        frame.index.name = "Cell"
        formats = {"seconds": ",.1f"}
        blocks.append(Table(frame, "Cells of the computation", (), formats, labels, name="cells"))
    return tuple(blocks)


def _pairs(values: dict, title: str, name: str, first: str, second: str) -> Table:
    frame = pd.DataFrame({second: list(values.values())}, index=pd.Index(list(values), name=first), dtype=object)
    return Table(frame, title, name=name)
