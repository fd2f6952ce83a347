"""Panels in, tables and figures out: pandas, statsmodels and matplotlib; never JAX."""

if __name__ != "dcg_econ.analysis":
    raise ImportError(
        "write `from dcg_econ.analysis import ...`: the folder `analysis` is the subpackage dcg_econ.analysis, "
        "so that it never hides a file of yours with the same name"
    )

from dcg_econ.analysis.bid_figures import bid_figure
from dcg_econ.analysis.comparisons import comparisons_table
from dcg_econ.analysis.corrections import Holm, RomanoWolf
from dcg_econ.analysis.covariance import CRV1, CRV3
from dcg_econ.analysis.demand import InstrumentalVariables, fulton_demand, two_stage_least_squares
from dcg_econ.analysis.effect_sizes import DetectableEffect, EffectSize, effect_size, minimum_detectable_effect
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
from dcg_econ.analysis.incentives import incentives_table
from dcg_econ.analysis.information_cost import information_cost_figure, information_cost_table
from dcg_econ.analysis.institutions import institutions_table, payments_table
from dcg_econ.analysis.learning_figures import training_figure
from dcg_econ.analysis.mixed import MixedEffects, mixed_effects
from dcg_econ.analysis.otree import (
    AsExported,
    BargainingApp,
    ByGroup,
    BySession,
    DoubleAuctionApp,
    Exchange,
    Money,
    OTreeApp,
    PublicGoodsApp,
    read_otree,
    to_otree,
)
from dcg_econ.analysis.panels import market_days
from dcg_econ.analysis.permutation import SessionTest, permutation_test, rank_test
from dcg_econ.analysis.plan import plan_table
from dcg_econ.analysis.power_analysis import Power, power
from dcg_econ.analysis.regressions import regression_table
from dcg_econ.analysis.report import ReportMaterial, write_report
from dcg_econ.analysis.response_figure import best_response_figure
from dcg_econ.analysis.session_figures import distribution_figure, session_frame
from dcg_econ.analysis.stack import stack_panels
from dcg_econ.analysis.tables import Table
from dcg_econ.analysis.talk import talk_table
from dcg_econ.analysis.talk_figure import surplus_bits_figure
from dcg_econ.analysis.welfare import shares_table, welfare_table
from dcg_econ.analysis.wild import Rademacher, Webb, WildBootstrap

__all__ = [
    "CRV1",
    "CRV3",
    "AsExported",
    "BargainingApp",
    "ByGroup",
    "BySession",
    "DetectableEffect",
    "DoubleAuctionApp",
    "EffectSize",
    "Exchange",
    "Holm",
    "InstrumentalVariables",
    "MixedEffects",
    "Money",
    "OTreeApp",
    "Power",
    "PublicGoodsApp",
    "Rademacher",
    "ReportMaterial",
    "RomanoWolf",
    "SessionTest",
    "Table",
    "TreatmentEffects",
    "Webb",
    "WildBootstrap",
    "animate_message_field",
    "animation_html",
    "best_response_figure",
    "bid_figure",
    "comparisons_table",
    "demand_figure",
    "distribution_figure",
    "draw_message_field",
    "effect_size",
    "effects_table",
    "efficiency_figure",
    "frontier_figure",
    "fulton_demand",
    "grid_figure",
    "grid_training_figure",
    "incentives_table",
    "information_cost_figure",
    "information_cost_table",
    "institutions_table",
    "market_days",
    "minimum_detectable_effect",
    "mixed_effects",
    "payments_table",
    "permutation_test",
    "plan_table",
    "power",
    "price_figure",
    "rank_test",
    "read_csv",
    "read_otree",
    "regression_table",
    "save_figure",
    "schedules_figure",
    "session_frame",
    "shares_table",
    "spreadsheet_safe",
    "stack_panels",
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
