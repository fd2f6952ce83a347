"""What stands in the report and in which order: text, tables and figures, each section only if it has material."""

import pandas as pd

from dcg_econ.analysis import figures, learning_figures
from dcg_econ.analysis.benchmarks import FIRST_BEST, NASH
from dcg_econ.analysis.deviations import deviation_blocks
from dcg_econ.analysis.effects import effects_table, treatment_effects
from dcg_econ.analysis.material import Picture, ReportMaterial, Section, pairs
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.panels import market_days, session_flags, sound_days
from dcg_econ.analysis.study_computed import cells_table
from dcg_econ.analysis.study_sections import plan_blocks, study_sections
from dcg_econ.analysis.study_wording import BITS, CAPACITY
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import MISSING, Table
from dcg_econ.analysis.talk import has_talk, talk_frame
from dcg_econ.analysis.talk_words import talk_blocks, talk_sentences
from dcg_econ.analysis.theory import estimation_table, robustness_table, spread_table
from dcg_econ.analysis.units import units_of
from dcg_econ.analysis.welfare import welfare_table
from dcg_econ.analysis.wording import answer, terms

SAMPLING_NOTE = (
    "Standard errors measure the variation over sessions (draws of private values and of training seeds). They take the "
    "market days and the calibration, the estimated demand among it, as given, and more sessions shrink them at will: "
    "stars say that the simulation resolves a difference, not that it is large or that demand is well known."
)


def sections(material: ReportMaterial) -> list[Section]:
    """The sections that have something to show: those of the fish market, or those of any study."""
    return fish_sections(material) if is_fish_market(material) else _with_extras(material, study_sections(material))


def is_fish_market(material: ReportMaterial) -> bool:
    """Whether the panel is one priced market in dollars, not a grid: the study that has its own wording."""
    panel = material.labelled()
    priced = {"price", "competitive_price", "supply"} <= set(panel.columns) and not panel.empty
    if not priced or material.swept() or not units_of(panel.attrs["variable_labels"]).dollars:
        return False
    return not sound_days(market_days(panel)).empty


def _with_extras(material: ReportMaterial, made: list[Section]) -> list[Section]:
    """A study's sections with those of a calibrated market where their material is given."""
    before = [_demand_section(material), _market_section(material), _schedules_section(material)]
    first = next(i for i, section in enumerate(made) if section.anchor not in ("answer", "terms", "design"))
    last = next(i for i, section in enumerate(made) if section.anchor in ("computed", "limits"))
    out = [*made[:first], *before, *made[first:last], _trust_section(material), *made[last:]]
    return [section for section in out if section.blocks]


def _demand_section(material: ReportMaterial) -> Section:
    return Section("demand", "Demand", _demand(material))


def _market_section(material: ReportMaterial) -> Section:
    return Section("market", "The market", _market(material))


def _schedules_section(material: ReportMaterial) -> Section:
    return Section("schedules", "Schedules", _schedules(material))


def _trust_section(material: ReportMaterial) -> Section:
    return Section("sensitivities", "How far the answer can be trusted", _sensitivities(material))


def fish_sections(material: ReportMaterial) -> list[Section]:
    """The sections of the fish market that have something to show, in the report's order."""
    made = [
        Section("answer", "The answer", _answer(material)),
        Section("terms", "Terms", (*terms(material.panel), *((BITS, CAPACITY) if has_talk(material.panel) else ()))),
        _demand_section(material),
        _market_section(material),
        _schedules_section(material),
        Section("prices", "Price and revenue", _prices(material)),
        Section("welfare", "Welfare", _welfare(material)),
        Section("talk", "Talk", talk_blocks(material.labelled())),
        Section("effects", "Treatment effects", _effects(material)),
        Section("plan", "Pre-analysis plan", plan_blocks(material, material.labelled())),
        Section("deviations", "Deviations from the plan", deviation_blocks(material, material.labelled())),
        Section("learning", "Learning", _learning(material)),
        _trust_section(material),
        Section("computed", "How it was computed", _computed(material)),
        Section("limits", "Assumptions and limits", (*material.notes, SAMPLING_NOTE)),
    ]
    return [section for section in made if section.blocks]


def _answer(material: ReportMaterial) -> tuple:
    """What messages are worth where that was varied, then what the poorest and the richest cost; else all treatments."""
    given = material.panel, material.cells, material.estimation
    if not has_talk(material.panel):
        return tuple(answer(*given))
    frame = talk_frame(material.labelled())
    ends = {name for _, own in frame.groupby("group") for name in (own["capacity"].idxmin(), own["capacity"].idxmax())}
    return tuple(answer(*given, opening=talk_sentences(frame), costs_of=ends))


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
    return (pairs(material.calibration, "The market as calibrated", "calibration", "Quantity", "Value"),)


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
    return (" ".join(said), Picture("training", learning_figures.training_figure(material.history), caption, alt))


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
        blocks.append(pairs(material.settings, "Settings", "settings", "Setting", "Value", said))
    if material.versions:
        dirty = str(material.versions.get("commit", "")).endswith("+")
        said = ("A plus after the commit: the files had changes that were not committed.",) if dirty else ()
        blocks.append(pairs(material.versions, "Software and machine", "versions", "Item", "Version", said))
    if material.cells is not None and len(material.cells):
        blocks.append(_cells(material.cells))
    return tuple(blocks)


def _cells(cells: pd.DataFrame) -> Table:
    if "treatment" in cells:
        return cells_table(cells)
    require_columns(cells, ["cell", "status"], "frame of cells")
    frame = cells.set_index("cell").replace("", MISSING)
    frame.index = pd.Index([treatment_label(cell) for cell in frame.index], name="Treatment")
    labels = {column: str(column).capitalize() for column in frame.columns}
    notes = ("Seconds: wall clock, compilation included.",)
    return Table(frame, "Computation by treatment", notes, {"seconds": ",.1f"}, labels, name="cells")
