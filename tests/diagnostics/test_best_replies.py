"""Best replies in closed form: Cournot, matching pennies, linear public goods, and the linear double auction."""

import numpy as np
import pytest

from dcg_econ._errors import InputError
from dcg_econ.diagnostics import best_reply_field, mixed_payoffs

EXACT = 1e-9  # the parabola through three points of a parabola, but for rounding
AUCTION = (
    2e-3  # payoffs are cubic in the slope, so the parabola's top is off by the square of the grid's distance, 0.05
)


def test_quadratic_payoffs_have_exact_replies_off_the_grid():
    uneven = np.array([0.0, 1.0, 2.5, 4.0, 5.0, 7.0, 11.0])
    frame = best_reply_field(lambda a, b: np.stack([a * (11 - a - b), b * (11 - a - b)], 1), uneven, uneven)
    inside = frame["second"] < 8
    np.testing.assert_allclose(frame.loc[inside, "best_first"], (11 - frame.loc[inside, "second"]) / 2, atol=EXACT)
    np.testing.assert_allclose(frame["d_first"], frame["best_first"] - frame["first"])
    assert frame["payoff_second"][1] == 1.0 * 10.0 and len(frame) == 49


def test_matching_pennies_turns_and_rests_at_one_half():
    pennies = np.array([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    chances = np.arange(11) / 10
    frame = best_reply_field(mixed_payoffs(pennies), chances, chances).set_index(["first", "second"])
    assert frame.loc[(0.5, 0.5), ["d_first", "d_second"]].tolist() == [0.0, 0.0]
    assert frame.loc[(0.0, 1.0), ["best_first", "best_second"]].tolist() == [1.0, 1.0]
    assert frame.loc[(1.0, 1.0), ["best_first", "best_second"]].tolist() == [1.0, 0.0]
    rest = frame[(frame["d_first"] == 0) & (frame["d_second"] == 0)]
    assert list(rest.index) == [(0.5, 0.5)] and frame.loc[(0.3, 0.8), "payoff_first"] == pytest.approx(-0.4 * 0.6)


def test_linear_public_goods_pull_to_nothing_or_to_everything():
    given = np.linspace(0, 20, 5)
    for mpcr, want in ((0.6, 0.0), (1.2, 20.0)):
        frame = best_reply_field(lambda a, b, m=mpcr: np.stack([m * (a + b) - a, m * (a + b) - b], 1), given, given)
        assert (frame[["best_first", "best_second"]] == want).all(axis=None)


def test_where_all_is_as_good_nobody_moves():
    frame = best_reply_field(lambda a, b: np.zeros((len(a), 2)), [0.0, 1.0], [0.0, 1.0, 2.0], ("x (units)", ""))
    assert (frame[["d_first", "d_second"]] == 0).all(axis=None)
    assert frame.attrs["variable_labels"] == {"first": "x (units)"}


@pytest.mark.slow
def test_bids_in_the_linear_double_auction():
    """Chatterjee and Samuelson (1983): with k = 1/2 and uniform types both slopes are 2/3 in the linear equilibrium."""
    import jax
    import jax.numpy as jnp

    from dcg_econ.agents.bids import AffineBids
    from dcg_econ.mechanisms import DoubleAuction

    auction = DoubleAuction(k=0.5)
    start = auction.initial_profile().intercept
    payoffs = jax.jit(jax.vmap(lambda a, b: auction.expectations(AffineBids(start, jnp.stack([a, b])))[0]))
    slopes = np.linspace(2 / 3 - 0.25, 2 / 3 + 0.25, 41)
    frame = best_reply_field(payoffs, slopes, slopes)
    middle = frame[np.isclose(frame["first"], 2 / 3) & np.isclose(frame["second"], 2 / 3)].iloc[0]
    np.testing.assert_allclose(middle[["best_first", "best_second"]], 2 / 3, atol=AUCTION)


@pytest.mark.parametrize(
    ("first", "payoffs", "field"),
    [
        ([0.0], lambda a, b: np.zeros((len(a), 2)), "first"),
        ([1.0, 0.0], lambda a, b: np.zeros((len(a), 2)), "first"),
        ([0.0, 1.0], lambda a, b: np.zeros(len(a)), "payoffs"),
        ([0.0, 1.0], lambda a, b: np.full((len(a), 2), np.nan), "payoffs"),
    ],
)
def test_errors_name_the_field(first, payoffs, field):
    with pytest.raises(InputError, match=field):
        best_reply_field(payoffs, first, [0.0, 1.0])


def test_a_game_of_other_size_is_refused():
    with pytest.raises(InputError, match="player, row, column"):
        mixed_payoffs(np.zeros((2, 3, 2)))
