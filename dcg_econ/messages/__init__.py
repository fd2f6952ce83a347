"""What can be said."""

from dcg_econ.messages.basis import AbstractBasis as AbstractBasis
from dcg_econ.messages.basis import DualBasis as DualBasis
from dcg_econ.messages.basis import FeatureBasis as FeatureBasis
from dcg_econ.messages.curve import AbstractCurve as AbstractCurve
from dcg_econ.messages.curve import AffineCurve as AffineCurve
from dcg_econ.messages.curve import KernelCurve as KernelCurve
from dcg_econ.messages.curve import PiecewiseLinearCurve as PiecewiseLinearCurve
from dcg_econ.messages.curve import kernel_basis as kernel_basis
from dcg_econ.messages.inference import law_of_demand as law_of_demand
from dcg_econ.messages.inference import monotone as monotone
from dcg_econ.messages.inference import standard_error as standard_error
from dcg_econ.messages.inference import tune as tune
from dcg_econ.messages.kernels import AbstractKernel as AbstractKernel
from dcg_econ.messages.kernels import Constant as Constant
from dcg_econ.messages.kernels import Linear as Linear
from dcg_econ.messages.kernels import Matern12 as Matern12
from dcg_econ.messages.kernels import Matern32 as Matern32
from dcg_econ.messages.kernels import Matern52 as Matern52
from dcg_econ.messages.kernels import Polynomial as Polynomial
from dcg_econ.messages.kernels import SquaredExponential as SquaredExponential
from dcg_econ.messages.markov import MarkovBasis as MarkovBasis
