"""Specification, cells, runs, store."""

if __name__ != "dcg_econ.experiments":
    raise ImportError("write `from dcg_econ.experiments import ...`: the folder is installed inside dcg_econ")

from dcg_econ.experiments.specification import Specification as Specification
from dcg_econ.experiments.specification import SpecificationError as SpecificationError
from dcg_econ.experiments.specification import load as load
