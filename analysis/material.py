"""What a report is made of, and the pieces that stand in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dcg_econ.analysis.benchmarks import REFERENCE
from dcg_econ.analysis.corrections import HOLM, AbstractCorrection
from dcg_econ.analysis.demand import InstrumentalVariables
from dcg_econ.analysis.points import varied
from dcg_econ.analysis.tables import Table


@dataclass(frozen=True, eq=False)
class ReportMaterial:
    """What a report is made of; what is None or empty is left out.

    `panel` follows the panel contract and may be empty. `demand_points`, `demand_curves`, `schedules` and `history` are
    the frames of the figure functions, `field` rows of `field_frame` with cell and treatment. `calibration` maps a label
    to its value with units. `sensitivities`: parameter, derivative, elasticity. `cells`: cell, status ("ok" | "failed" |
    "missing"), seconds, warnings, and for a study on a grid treatment, sessions, unconverged, error and the parameters.
    `notes`: assumptions and limits, a sentence each.

    `parameters` are the swept columns (default: `panel.attrs["parameters"]`). `hypotheses` and `correction`: the
    pre-analysis plan, as `plan_table` takes them. `outcomes`: the declared primary outcomes (columns of a market day;
    "payoff" is the mean over participants). `sessions_planned`: sessions a cell was to have. `labels` replaces
    `panel.attrs["variable_labels"]`. `registered`: the plan as it was registered before the data, `specification`: that of
    the run, as plain values.
    """

    title: str
    question: str
    panel: pd.DataFrame
    demand: InstrumentalVariables | None = None
    demand_points: pd.DataFrame | None = None
    demand_curves: pd.DataFrame | None = None
    schedules: pd.DataFrame | None = None
    history: pd.DataFrame | None = None
    field: pd.DataFrame | None = None
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
    parameters: Sequence[str] | None = None
    hypotheses: Sequence[Mapping] = ()
    correction: AbstractCorrection = HOLM
    outcomes: Sequence[str] = ()
    sessions_planned: int | None = None
    labels: Mapping[str, str] | None = None
    registered: Mapping | None = None
    specification: Mapping | None = None

    def declared(self) -> tuple[str, ...]:
        """The parameters of the design, varied or not."""
        given = self.panel.attrs.get("parameters") if self.parameters is None else self.parameters
        return tuple(given or ())

    def swept(self) -> tuple[str, ...]:
        """The parameters that take more than one value over the panel and the planned cells."""
        return varied([self.panel if len(self.panel) else None, self.cells], self.declared())

    def labelled(self) -> pd.DataFrame:
        """The panel with the report's labels, parameters and mechanism in its `attrs`; the caller's panel stays as it is."""
        panel = self.panel.copy(deep=False)
        labels = self.panel.attrs.get("variable_labels", {}) if self.labels is None else self.labels
        panel.attrs = {**self.panel.attrs, "variable_labels": dict(labels), "parameters": self.declared()}
        if kind := (self.settings or {}).get("mechanism.kind"):
            panel.attrs[REFERENCE] = str(kind)
        return panel


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure with its file name, caption and the text for who cannot see it."""

    name: str
    figure: object
    caption: str
    alt: str


@dataclass(frozen=True, eq=False)
class Animation:
    """Message fields over training, (step, field) pairs, to be played in the page, with caption and words as a picture has."""

    name: str
    frames: Sequence[tuple[int, object]]
    caption: str
    alt: str


@dataclass(frozen=True, eq=False)
class Section:
    """A heading with its blocks in order: sentences, tables and pictures."""

    anchor: str
    title: str
    blocks: tuple[str | Table | Picture | Animation, ...]


def pairs(values: dict, title: str, name: str, first: str, second: str, notes: tuple[str, ...] = ()) -> Table:
    """A table of two columns from a mapping."""
    frame = pd.DataFrame({second: list(values.values())}, index=pd.Index(list(values), name=first), dtype=object)
    return Table(frame, title, notes, name=name, text=(second,))
