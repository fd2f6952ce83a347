"""One file a mechanism."""

if __name__ != "dcg_econ.mechanisms":
    raise ImportError("write `from dcg_econ.mechanisms import ...`: the folder is installed inside dcg_econ")

from dcg_econ.mechanisms.curve_market import CurveMarket as CurveMarket
from dcg_econ.mechanisms.quantity_market import QuantityMarket as QuantityMarket
