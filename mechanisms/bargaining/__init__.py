"""Bargaining: sealed offers, offers in turn, whole curves, items, and the cooperative benchmarks."""

from dcg_econ.mechanisms.bargaining.alternating_offers import AlternatingOffers as AlternatingOffers
from dcg_econ.mechanisms.bargaining.cooperative import disagreement_effects as disagreement_effects
from dcg_econ.mechanisms.bargaining.cooperative import egalitarian as egalitarian
from dcg_econ.mechanisms.bargaining.cooperative import kalai_smorodinsky as kalai_smorodinsky
from dcg_econ.mechanisms.bargaining.cooperative import nash_bargaining as nash_bargaining
from dcg_econ.mechanisms.bargaining.cooperative import utilitarian as utilitarian
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction as DoubleAuction
from dcg_econ.mechanisms.bargaining.frontier import BargainingSet as BargainingSet
from dcg_econ.mechanisms.bargaining.frontier import CRRAFrontier as CRRAFrontier
from dcg_econ.mechanisms.bargaining.frontier import FunctionFrontier as FunctionFrontier
from dcg_econ.mechanisms.bargaining.frontier import LinearFrontier as LinearFrontier
from dcg_econ.mechanisms.bargaining.item_agents import Concede as Concede
from dcg_econ.mechanisms.bargaining.item_agents import Demand as Demand
from dcg_econ.mechanisms.bargaining.item_agents import RandomMoves as RandomMoves
from dcg_econ.mechanisms.bargaining.item_agents import Truthful as Truthful
from dcg_econ.mechanisms.bargaining.item_negotiation import ItemNegotiation as ItemNegotiation
from dcg_econ.mechanisms.bargaining.item_negotiation import negotiate as negotiate
from dcg_econ.mechanisms.bargaining.item_priors import Deadline as Deadline
from dcg_econ.mechanisms.bargaining.item_priors import IndependentItems as IndependentItems
from dcg_econ.mechanisms.bargaining.item_priors import ListedItems as ListedItems
from dcg_econ.mechanisms.bargaining.item_priors import totalled_items as totalled_items
from dcg_econ.mechanisms.bargaining.item_summary import summarise as summarise
from dcg_econ.mechanisms.bargaining.second_best import second_best as second_best
from dcg_econ.mechanisms.bargaining.smooth import smooth_bids as smooth_bids
from dcg_econ.mechanisms.bargaining.steps import step_bids as step_bids
