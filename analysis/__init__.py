"""Panels in, tables and figures out: pandas, statsmodels and matplotlib; never JAX."""

if __name__ != "dcg_econ.analysis":
    raise ImportError(
        "write `from dcg_econ.analysis import ...`: the folder `analysis` is the subpackage dcg_econ.analysis, "
        "so that it never hides a file of yours with the same name"
    )

from dcg_econ.analysis.bid_figures import bid_figure
from dcg_econ.analysis.demand import InstrumentalVariables, fulton_demand, two_stage_least_squares
from dcg_econ.analysis.effects import TreatmentEffects, effects_table, treatment_effects
from dcg_econ.analysis.export import read_csv, spreadsheet_safe, write_csv, write_stata
from dcg_econ.analysis.field_figure import animate_message_field, animation_html, draw_message_field
from dcg_econ.analysis.figures import (
    demand_figure,
    efficiency_figure,
    price_figure,
    save_figure,
    schedules_figure,
)
from dcg_econ.analysis.frontier import frontier_figure
from dcg_econ.analysis.grid_figures import grid_figure, grid_training_figure
from dcg_econ.analysis.institutions import institutions_table, payments_table
from dcg_econ.analysis.learning_figures import training_figure
from dcg_econ.analysis.otree import to_otree
from dcg_econ.analysis.panels import market_days
from dcg_econ.analysis.plan import plan_table
from dcg_econ.analysis.regressions import regression_table
from dcg_econ.analysis.report import ReportMaterial, write_report
from dcg_econ.analysis.response_figure import best_response_figure
from dcg_econ.analysis.session_figures import distribution_figure, session_frame
from dcg_econ.analysis.tables import Table
from dcg_econ.analysis.talk import talk_table
from dcg_econ.analysis.talk_figure import surplus_bits_figure
from dcg_econ.analysis.welfare import welfare_table

__all__ = [
    "InstrumentalVariables",
    "ReportMaterial",
    "Table",
    "TreatmentEffects",
    "animate_message_field",
    "animation_html",
    "best_response_figure",
    "bid_figure",
    "demand_figure",
    "distribution_figure",
    "draw_message_field",
    "effects_table",
    "efficiency_figure",
    "frontier_figure",
    "fulton_demand",
    "grid_figure",
    "grid_training_figure",
    "institutions_table",
    "market_days",
    "payments_table",
    "plan_table",
    "price_figure",
    "read_csv",
    "regression_table",
    "save_figure",
    "schedules_figure",
    "session_frame",
    "spreadsheet_safe",
    "surplus_bits_figure",
    "talk_table",
    "to_otree",
    "training_figure",
    "treatment_effects",
    "two_stage_least_squares",
    "welfare_table",
    "write_csv",
    "write_report",
    "write_stata",
]
