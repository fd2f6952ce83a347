"""Minimum detectable effects: published and simulated values, not the formula again."""

import numpy as np
import pytest
from scipy import stats

from dcg_econ.analysis.planned_power import MANY, detectable, planned_power

DRAWS = 40_000
NOISE = 4 * np.sqrt(0.8 * 0.2 / DRAWS)  # four standard errors of a simulated share of 0.8
PLAN = [
    {"name": "a", "family": "primary", "alternative": "greater", "margin": None},
    {"name": "b", "family": "primary", "alternative": "two-sided", "margin": None},
    {"name": "c", "family": "equality", "alternative": "two-sided", "margin": 0.01},
]


def rejections(sessions, effect, one_tail):
    """The share of simulated paired t tests that reject at the 5 per cent level."""
    draws = np.random.default_rng(5).standard_normal((DRAWS, sessions)) + effect
    t = np.sqrt(sessions) * draws.mean(1) / draws.std(1, ddof=1)
    p = stats.t.sf(t, sessions - 1) if one_tail else 2 * stats.t.sf(abs(t), sessions - 1)
    return (p < 0.05).mean()


@pytest.mark.parametrize("sessions, one_tail", [(3, True), (10, False), (10, True), (40, False)])
def test_the_effect_is_found_with_the_power_it_is_for(sessions, one_tail):
    assert rejections(sessions, detectable(sessions, 0.05, 0.8, one_tail), one_tail) == pytest.approx(0.8, abs=NOISE)


def test_thirty_four_pairs_for_half_a_standard_deviation():
    # The textbook number of pairs for d = .5, two-sided 5 per cent, power .8 (Cohen 1988): 34, and 33 are too few.
    assert detectable(34, 0.05, 0.8, False) < 0.5 < detectable(33, 0.05, 0.8, False)


def test_the_margin_is_enough_for_two_one_sided_tests():
    frame = planned_power(PLAN, 12).to_frame()
    margin = frame.loc["c", "effect"]
    draws = np.random.default_rng(6).standard_normal((DRAWS, 12))
    mean, error = draws.mean(1), draws.std(1, ddof=1) / np.sqrt(12)
    largest = np.maximum(stats.t.sf((mean + margin) / error, 11), stats.t.sf((margin - mean) / error, 11))
    share = (largest < 0.05).mean()
    assert 0.8 - NOISE < share < 0.85


def test_a_family_costs_power_and_a_lone_hypothesis_nothing():
    frame = planned_power(PLAN, 10).to_frame()
    assert list(frame["declared"]) == [2, 2, 1] and set(frame["df"]) == {9}
    assert (frame.loc[["a", "b"], "effect_strictest"] > frame.loc[["a", "b"], "effect"]).all()
    assert frame.loc["c", "effect_strictest"] == frame.loc["c", "effect"]
    assert frame.loc["b", "effect"] == frame.loc["a", "effect_strictest"]  # both tails at 5 per cent, one at 2.5


def test_one_session_shows_nothing_and_many_join_the_normal_distribution():
    table = planned_power(PLAN, 1)
    assert table.to_frame()["effect"].isna().all() and "–" in table.to_markdown()
    before, after = detectable(MANY, 0.05, 0.8, False), detectable(MANY + 1, 0.05, 0.8, False)
    assert before == pytest.approx(after, rel=2e-3) and before > after
    assert planned_power([], 10).to_frame().empty
