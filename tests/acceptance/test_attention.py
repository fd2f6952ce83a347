"""Gradient-aware attention against plain attention and a placebo: the study `attention`, kept in build/attention.

About twenty minutes on one core; it goes on where it stopped. What it found is negative, and stands here as such.
"""

import pandas as pd
import pytest

import dcg_econ as dcg
from dcg_econ.experiments.referential import arrivals, gaps
from tests.house.tree import ROOT

BATCH, TARGET = 256, 0.9  # of the best score, which is one
PAIRS = (("running", "plain"), ("predicted", "plain"), ("placebo", "plain"), ("running", "placebo"))


@pytest.fixture(scope="module")
def history():
    study = dcg.Study.load("attention", ROOT / "build" / "attention")
    study.run()
    return pd.concat(study.results().frames("history"), ignore_index=True)


@pytest.fixture(scope="module")
def race(history):
    found = arrivals(history, BATCH, TARGET).set_index("treatment")
    print("\n", found.to_string(float_format="{:.4g}".format))
    return found


@pytest.fixture(scope="module")
def differences(history):
    """Episodes to the target, paired by session (the same objects and seeds), with Holm's correction over four pairs."""
    found = gaps(history, PAIRS, BATCH, TARGET)
    print("\n", found.to_string(float_format="{:.4g}".format))
    return found.set_index(["one", "other"])


def test_plain_attention_learns_the_game(race):
    assert (race.sessions == 20).all() and (race.budget == 76_800).all()
    assert race.arrived["plain"] == 1 and race.discretised["plain"] > 0.99


def test_no_variant_is_faster_than_plain_attention(differences):
    slower = differences.loc[[("running", "plain"), ("predicted", "plain"), ("placebo", "plain")]]
    assert (slower["more"] > 0).all()  # each is slower in the mean
    assert differences.loc[("running", "plain"), "p_holm"] < 0.05  # and running norms are so beyond chance
