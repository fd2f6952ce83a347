"""Rational inattention: the closed form for a normal variable, discrete choice, and both as games."""

from dcg_econ.mechanisms.inattention.discrete import Attention as Attention
from dcg_econ.mechanisms.inattention.discrete import attention as attention
from dcg_econ.mechanisms.inattention.games import DiscreteChoice as DiscreteChoice
from dcg_econ.mechanisms.inattention.games import GaussianChoice as GaussianChoice
from dcg_econ.mechanisms.inattention.gaussian import GaussianAttention as GaussianAttention
from dcg_econ.mechanisms.inattention.gaussian import gaussian_distortion as gaussian_distortion
from dcg_econ.mechanisms.inattention.gaussian import gaussian_rate as gaussian_rate
