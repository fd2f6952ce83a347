"""Playing and learning."""

from dcg_econ.learning.checkpoint import Checkpoint as Checkpoint
from dcg_econ.learning.episode import Episode as Episode
from dcg_econ.learning.episode import Silence as Silence
from dcg_econ.learning.episode import play as play
from dcg_econ.learning.estimators import AbstractEstimator as AbstractEstimator
from dcg_econ.learning.estimators import Interim as Interim
from dcg_econ.learning.estimators import Pathwise as Pathwise
from dcg_econ.learning.estimators import default_estimator as default_estimator
from dcg_econ.learning.objectives import AbstractObjective as AbstractObjective
from dcg_econ.learning.objectives import Joint as Joint
from dcg_econ.learning.objectives import Selfish as Selfish
from dcg_econ.learning.optimiser import default_optimiser as default_optimiser
from dcg_econ.learning.train import Run as Run
from dcg_econ.learning.train import train as train
