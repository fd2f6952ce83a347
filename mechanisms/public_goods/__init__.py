"""Public goods: preferences, and the institutions that provide for them."""

from dcg_econ.mechanisms.public_goods.clarke_pivot import ClarkePivot as ClarkePivot
from dcg_econ.mechanisms.public_goods.costs import QuadraticCost as QuadraticCost
from dcg_econ.mechanisms.public_goods.curve_reports import ShadedCurves as ShadedCurves
from dcg_econ.mechanisms.public_goods.groves_ledyard import GrovesLedyard as GrovesLedyard
from dcg_econ.mechanisms.public_goods.intercept_reports import InterceptReports as InterceptReports
from dcg_econ.mechanisms.public_goods.lindahl import Lindahl as Lindahl
from dcg_econ.mechanisms.public_goods.lindahl import lindahl_allocation as lindahl_allocation
from dcg_econ.mechanisms.public_goods.preferences import CobbDouglas as CobbDouglas
from dcg_econ.mechanisms.public_goods.preferences import CurvePreferences as CurvePreferences
from dcg_econ.mechanisms.public_goods.preferences import LinearPreferences as LinearPreferences
from dcg_econ.mechanisms.public_goods.preferences import QuadraticPreferences as QuadraticPreferences
from dcg_econ.mechanisms.public_goods.serial_cost_sharing import SerialCostSharing as SerialCostSharing
from dcg_econ.mechanisms.public_goods.voluntary_contribution import VoluntaryContribution as VoluntaryContribution
from dcg_econ.mechanisms.public_goods.walker import Walker as Walker
