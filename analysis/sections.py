"""What stands in the report and in which order: text, tables and figures, each section only if it has material."""

from dataclasses import dataclass

import pandas as pd

from dcg_econ.analysis import figures
from dcg_econ.analysis.demand import InstrumentalVariables
from dcg_econ.analysis.effects import effects_table, treatment_effects
from dcg_econ.analysis.panels import market_days, require_columns, session_flags
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import MISSING, Table
from dcg_econ.analysis.theory import estimation_table, robustness_table, spread_table
from dcg_econ.analysis.welfare import FIRST_BEST, NASH, welfare_table
from dcg_econ.analysis.wording import answer, terms

SAMPLING_NOTE = (
    "Standard errors measure the variation over sessions (draws of private values and of training seeds). They take the "
    "market days and the calibration, the estimated demand among it, as given, and more sessions shrink them at will: "
    "stars say that the simulation resolves a difference, not that it is large or that demand is well known."
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
    spread: pd.DataFrame | None = None
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
        Section("terms", "Terms", tuple(terms(material.panel))),
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
            "Demand: market days, two-stage least squares (2SLS), on which the study rests, and for comparison a kernel "
            "regression, not instrumented, with its 95% pointwise band. Dotted: the nearest curve to it that falls "
            "everywhere, as demand should."
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
        "One buyer's schedule on a day of average price and catch, for the lowest, the mean and the highest private value "
        "(the type: what the first pound is worth to the buyer, $/lb): true marginal value, Nash, and learned (mean over "
        "sessions, band from the 10th to the 90th percentile). Shaded: where nine of ten prices fall; what a learned "
        "schedule says beyond them is hardly ever put to the test."
    )
    alt = "Three panels of falling schedules, price on the vertical axis: true marginal value, Nash and learned."
    return (Picture("schedules", figures.schedules_figure(material.schedules), caption, alt),)


def _prices(material: ReportMaterial) -> tuple:
    if not {"price", "competitive_price", "supply"} <= set(material.panel.columns):
        return ()
    caption = (
        "Price and revenue against competition on the same days with the same private values. Left: mean of 1 − price / "
        "competitive price. Right: mean of (competitive price − price) × catch."
    )
    alt = "Dots with intervals for each treatment: markdown of the price on the left, the seller's loss on the right."
    return (Picture("prices", figures.price_figure(material.panel), caption, alt),)


def _welfare(material: ReportMaterial) -> tuple:
    against = NASH if "nash_welfare" in material.panel else FIRST_BEST
    caption = "Loss of efficiency, 1 − E welfare / E first best, by treatment."
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
        spread_table(material.spread) if material.spread is not None else None,
        _derivatives(material.sensitivities, material.sensitivity_of) if material.sensitivities is not None else None,
    ]
    return tuple(table for table in tables if table is not None)


def _derivatives(sensitivities: pd.DataFrame, of: str) -> Table:
    require_columns(sensitivities, ["parameter"], "frame of sensitivities")
    frame = sensitivities.set_index("parameter")
    notes = (
        f"Exact derivatives of {of}, by implicit differentiation, in units of the day's price and "
        "catch, one parameter at a time, the others held. An elasticity is in per cent per per cent.",
    )
    formats = {"derivative": ".3g", "elasticity": ".2f"}
    labels = {column: str(column).replace("_", " ").capitalize() for column in frame.columns}
    frame.index.name = "Parameter"
    return Table(frame, "Sensitivities at Nash", notes, formats, labels, name="sensitivities")


def _computed(material: ReportMaterial) -> tuple:
    blocks: list = []
    if material.settings:
        said: tuple[str, ...] = (
            "Names are those of the specification file. Regret tolerance: share of first best. Seconds: wall clock.",
        )
        blocks.append(_pairs(material.settings, "Settings", "settings", "Setting", "Value", said))
    if material.versions:
        dirty = str(material.versions.get("commit", "")).endswith("+")
        said = ("A plus after the commit: the files had changes that were not committed.",) if dirty else ()
        blocks.append(_pairs(material.versions, "Software and machine", "versions", "Item", "Version", said))
    if material.cells is not None and len(material.cells):
        require_columns(material.cells, ["cell", "status"], "frame of cells")
        frame = material.cells.set_index("cell").replace("", MISSING)
        frame.index = pd.Index([treatment_label(cell) for cell in frame.index], name="Treatment")
        labels = {column: str(column).capitalize() for column in frame.columns}
        notes = ("Seconds: wall clock, compilation included.",)
        blocks.append(Table(frame, "Computation by treatment", notes, {"seconds": ",.1f"}, labels, name="cells"))
    return tuple(blocks)


def _pairs(values: dict, title: str, name: str, first: str, second: str, notes: tuple[str, ...] = ()) -> Table:
    frame = pd.DataFrame({second: list(values.values())}, index=pd.Index(list(values), name=first), dtype=object)
    return Table(frame, title, notes, name=name)
