"""Institution x message: efficiency, budget surplus and rounds to convergence, and the figure in build/."""

from pathlib import Path

import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ import analysis
from dcg_econ.experiments.frontier import CHAT, CURVE, NUMBER, cases, frontier
from dcg_econ.experiments.specification import Training
from dcg_econ.mechanisms import public_goods

BUILD = Path(__file__).resolve().parents[2] / "build"
BALANCED = 1e-9  # of the possible gains


@pytest.fixture(scope="module")
def frame():
    preferences = public_goods.QuadraticPreferences(dcg.Uniform(4.0, 8.0), dcg.Uniform(0.5, 1.5), players=5)
    listed = cases(preferences, public_goods.QuadraticCost(5.0, 1.0), endowment=20.0, gamma=10.0)
    found = frontier(listed, Training(steps=1000, batch=64, learning_rate=3e-3), sessions=10, words=8)
    print(f"\n{found.to_string(float_format='%.5f')}")
    BUILD.mkdir(exist_ok=True)
    figure = analysis.frontier_figure(found, of="possible gains")
    figure.savefig(BUILD / "public_goods_frontier.png", dpi=150)
    return found.set_index(["institution", "message"])


def test_budgets_balance_where_they_should_and_are_in_surplus_elsewhere(frame):
    surplus = frame["budget_surplus"]
    for name in ("Voluntary contributions", "Groves-Ledyard", "Walker", "Serial cost sharing"):
        assert np.all(np.abs(surplus.loc[name]) <= BALANCED)
    assert np.all(surplus.loc["Clarke pivot"] > 0)


def test_curves_under_the_pivot_mechanism_lose_nothing_and_words_a_little(frame):
    clarke = frame.loc["Clarke pivot", "efficiency"]
    assert clarke[CURVE] > 0.999 and clarke[CHAT] < clarke[NUMBER]
    assert frame.loc[("Lindahl, reported", CURVE), "efficiency"] < 0.7


def test_best_replies_come_back_under_some_institutions_only(frame):
    rounds = frame["rounds_to_converge"]
    assert np.isfinite(rounds[("Groves-Ledyard", NUMBER)]) and np.isfinite(rounds[("Clarke pivot", CURVE)])
    for never in (("Walker", NUMBER), ("Lindahl, reported", CURVE), ("Voluntary contributions", NUMBER)):
        assert np.isinf(rounds[never])
