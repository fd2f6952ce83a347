"""Specification, cells, runs, store. Names are handed on when first used: the command line's help needs none of them."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if __name__ != "dcg_econ.experiments":
    raise ImportError("write `from dcg_econ.experiments import ...`: the folder is installed inside dcg_econ")

if TYPE_CHECKING:
    from dcg_econ.experiments.citations import citation as citation
    from dcg_econ.experiments.specification import Specification as Specification
    from dcg_econ.experiments.specification import SpecificationError as SpecificationError
    from dcg_econ.experiments.specification import load as load
    from dcg_econ.experiments.study import Study as Study
    from dcg_econ.experiments.study import Treatment as Treatment

_HOME = {"Specification": "specification", "SpecificationError": "specification", "load": "specification"}
_HOME |= {"citation": "citations", "Study": "study", "Treatment": "study"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'dcg_econ.experiments' has no attribute {name!r}")
    return getattr(_import_module(f"dcg_econ.experiments.{_HOME[name]}"), name)
