"""One file a mechanism."""

if __name__ != "dcg_econ.mechanisms":
    raise ImportError("write `from dcg_econ.mechanisms import ...`: the folder is installed inside dcg_econ")

from dcg_econ.mechanisms.bargaining.alternating_offers import AlternatingOffers as AlternatingOffers
from dcg_econ.mechanisms.bargaining.curve_bargaining import CurveBargaining as CurveBargaining
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction as DoubleAuction
from dcg_econ.mechanisms.bargaining.item_negotiation import ItemNegotiation as ItemNegotiation
from dcg_econ.mechanisms.curve_market import CurveMarket as CurveMarket
from dcg_econ.mechanisms.quantity_market import QuantityMarket as QuantityMarket
