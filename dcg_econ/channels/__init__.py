"""What saying it costs."""

from dcg_econ.channels.base import AbstractChannel as AbstractChannel
from dcg_econ.channels.base import Chain as Chain
from dcg_econ.channels.base import Info as Info
from dcg_econ.channels.categorical import Categorical as Categorical
from dcg_econ.channels.categorical import Greedy as Greedy
from dcg_econ.channels.categorical import GumbelSoftmax as GumbelSoftmax
from dcg_econ.channels.fisher import effective_rank as effective_rank
from dcg_econ.channels.fisher import fisher_information as fisher_information
from dcg_econ.channels.fisher import gaussian_information as gaussian_information
from dcg_econ.channels.gaussian import GaussianBottleneck as GaussianBottleneck
from dcg_econ.channels.gaussian import GaussianNoise as GaussianNoise
from dcg_econ.channels.quantiser import VectorQuantiser as VectorQuantiser
from dcg_econ.channels.tap import Tap as Tap
