"""Priors: what is commonly known about a private type before it is drawn."""

from dcg_econ.priors.base import AbstractBoundedPrior as AbstractBoundedPrior
from dcg_econ.priors.base import AbstractPrior as AbstractPrior
from dcg_econ.priors.base import as_number as as_number
from dcg_econ.priors.base import number as number
from dcg_econ.priors.beta import Beta as Beta
from dcg_econ.priors.bounded import Tabulated as Tabulated
from dcg_econ.priors.bounded import Uniform as Uniform
from dcg_econ.priors.simple import Empirical as Empirical
from dcg_econ.priors.simple import Fixed as Fixed
from dcg_econ.priors.simple import Normal as Normal
from dcg_econ.priors.simple import prior as prior
from dcg_econ.priors.truncated import TruncatedNormal as TruncatedNormal
