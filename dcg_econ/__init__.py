"""Differentiable communication games for economics: how much surplus does a richer message buy?

    import dcg_econ as dcg

Names are handed on when first used, so that asking the command line for help, or importing `dcg_econ.analysis`,
does not load JAX.
"""

from importlib import import_module as _import_module
from pathlib import Path as _Path
from typing import Any as _Any

__version__ = "0.1.0"

_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file():  # a checkout: mechanisms/, experiments/ and analysis/ lie beside this folder
    __path__.append(str(_root))

_NAMES = {
    "dcg_econ._errors": ("ClearingError", "EquilibriumError", "InputError"),
    "dcg_econ.priors": ("Beta", "Empirical", "Fixed", "Normal", "Tabulated", "TruncatedNormal", "Uniform"),
    "dcg_econ.mechanism": ("AbstractGame", "AbstractMechanism"),
    "dcg_econ.channels": (
        "AbstractChannel",
        "Chain",
        "GaussianBottleneck",
        "GaussianNoise",
        "Tap",
        "VectorQuantiser",
    ),
    "dcg_econ.messages": (
        "AffineCurve",
        "Chat",
        "Choice",
        "Codes",
        "Constant",
        "Continuous",
        "kernel_basis",
        "KernelCurve",
        "Linear",
        "Matern12",
        "Matern32",
        "Matern52",
        "PiecewiseLinearCurve",
        "Polynomial",
        "SpokenCurve",
        "SquaredExponential",
        "law_of_demand",
        "monotone",
        "standard_error",
        "tune",
    ),
    "dcg_econ.agents": (
        "AffineBids",
        "AffineDemand",
        "AffineMessages",
        "AffineQuantity",
        "BidAgent",
        "BidFunction",
        "Bidders",
        "CurveAgent",
        "Decoded",
        "FixedMessages",
        "GradientAwareTransformer",
        "Layout",
        "NumberAgent",
        "Perceptron",
        "ProportionalDemand",
        "QuantityAgent",
        "SenderReceiver",
        "Separate",
        "Shared",
        "StepBids",
        "Talkers",
        "Transformer",
    ),
    "dcg_econ.equilibrium": (
        "Cubature",
        "Draws",
        "Equilibrium",
        "Regret",
        "Sensitivity",
        "regret",
        "sensitivity",
        "solve",
    ),
    "dcg_econ.experiments": ("Study", "Treatment", "citation"),
    "dcg_econ.learning": (
        "Checkpoint",
        "Enumerated",
        "Episode",
        "Interim",
        "Joint",
        "LearnedBaseline",
        "LeaveOneOut",
        "Mutual",
        "NoBaseline",
        "Opponents",
        "Pathwise",
        "Protocol",
        "Proximal",
        "Relaxed",
        "Retrained",
        "Run",
        "RunningMean",
        "ScoreFunction",
        "Selfish",
        "Shaped",
        "Silence",
        "gradient_samples",
        "message_gradients",
        "play",
        "retrained_regret",
        "talk_regret",
        "train",
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
_FOLDERS = ("analysis", "experiments", "mechanisms")

__all__ = sorted([*_HOME, *_FOLDERS])


def __getattr__(name: str) -> _Any:
    if name in _FOLDERS:
        return _import_module(f"dcg_econ.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'dcg_econ' has no attribute {name!r}")
    value = getattr(_import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
