"""oTree exports in and out."""

from dcg_econ.analysis.otree.apps import BargainingApp, DoubleAuctionApp, OTreeApp, PublicGoodsApp
from dcg_econ.analysis.otree.money import AsExported, Exchange, Money
from dcg_econ.analysis.otree.read import read_otree
from dcg_econ.analysis.otree.units import ByGroup, BySession
from dcg_econ.analysis.otree.write import to_otree

__all__ = [
    "AsExported",
    "BargainingApp",
    "ByGroup",
    "BySession",
    "DoubleAuctionApp",
    "Exchange",
    "Money",
    "OTreeApp",
    "PublicGoodsApp",
    "read_otree",
    "to_otree",
]
