"""One file a mechanism."""

if __name__ != "dcg_econ.mechanisms":
    raise ImportError("write `from dcg_econ.mechanisms import ...`: the folder is installed inside dcg_econ")

from dcg_econ.mechanisms.bargaining.alternating_offers import AlternatingOffers as AlternatingOffers
from dcg_econ.mechanisms.bargaining.curve_bargaining import CurveBargaining as CurveBargaining
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction as DoubleAuction
from dcg_econ.mechanisms.bargaining.item_negotiation import ItemNegotiation as ItemNegotiation
from dcg_econ.mechanisms.bargaining.planned_negotiation import PlannedNegotiation as PlannedNegotiation
from dcg_econ.mechanisms.bargaining.planned_negotiation import SoftNegotiation as SoftNegotiation
from dcg_econ.mechanisms.bargaining.soft_auction import SoftAuction as SoftAuction
from dcg_econ.mechanisms.cheap_talk.game import CheapTalk as CheapTalk
from dcg_econ.mechanisms.curve_market import CurveMarket as CurveMarket
from dcg_econ.mechanisms.finite_games.iterated import IteratedGame as IteratedGame
from dcg_econ.mechanisms.finite_games.one_shot import TandemGame as TandemGame
from dcg_econ.mechanisms.first_price_auction import FirstPriceAuction as FirstPriceAuction
from dcg_econ.mechanisms.inattention.games import DiscreteChoice as DiscreteChoice
from dcg_econ.mechanisms.inattention.games import GaussianChoice as GaussianChoice
from dcg_econ.mechanisms.public_goods.clarke_pivot import ClarkePivot as ClarkePivot
from dcg_econ.mechanisms.public_goods.groves_ledyard import GrovesLedyard as GrovesLedyard
from dcg_econ.mechanisms.public_goods.intercept_reports import InterceptReports as InterceptReports
from dcg_econ.mechanisms.public_goods.lindahl import Lindahl as Lindahl
from dcg_econ.mechanisms.public_goods.provision_point import ProvisionPoint as ProvisionPoint
from dcg_econ.mechanisms.public_goods.serial_cost_sharing import SerialCostSharing as SerialCostSharing
from dcg_econ.mechanisms.public_goods.voluntary_contribution import VoluntaryContribution as VoluntaryContribution
from dcg_econ.mechanisms.public_goods.walker import Walker as Walker
from dcg_econ.mechanisms.quantity_market import QuantityMarket as QuantityMarket
from dcg_econ.mechanisms.referential import Discrimination as Discrimination
from dcg_econ.mechanisms.referential import Reconstruction as Reconstruction
