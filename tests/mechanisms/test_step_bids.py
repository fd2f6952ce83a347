import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction
from dcg_econ.mechanisms.bargaining.steps import step_bids
from tests.oracles import double_auction as oracle

CLOSED = 1e-12  # closed forms and payoffs that are sums of a few products
DIFFERENCES = 1e-6  # central differences, steps of 1e-4
DRAWS = 200_000
ERRORS = 4  # standard errors of a mean of draws


@pytest.fixture(scope="module")
def two():
    """Thresholds and surplus at two prices as a function of k and of the lower price, compiled once."""

    def at(k, low):
        auction = DoubleAuction(k=k)
        steps = step_bids(auction, jnp.stack([low, 2 / 3 + 0 * low]))
        return auction.expectations(steps)[1], steps

    return jax.jit(jax.value_and_grad(at, argnums=(0, 1), has_aux=True))


@eqx.filter_jit
def surplus_of(auction, steps):
    return auction.expectations(steps)[1]


@pytest.mark.slow
@pytest.mark.parametrize("k", [0.0, 0.5, 0.9])
def test_a_posted_price_of_one_half_brings_an_eighth(k):
    auction = DoubleAuction(k=k)
    steps = step_bids(auction, 0.5)
    assert steps.prices.tolist() == steps.lowest_values.tolist() == steps.highest_costs.tolist() == [0.5]
    assert float(surplus_of(auction, steps)) == pytest.approx(1 / 8, abs=CLOSED)
    assert float(dcg.regret(auction, steps)) <= CLOSED


@pytest.mark.slow
def test_two_prices_are_the_closed_form(two):
    (surplus, steps), _ = two(0.5, 1 / 3)
    x, y, closed = oracle.two_steps(1 / 3)
    np.testing.assert_allclose(steps.lowest_values, [1 / 3, x], atol=CLOSED)
    np.testing.assert_allclose(steps.highest_costs, [y, 2 / 3], atol=CLOSED)
    assert float(surplus) == pytest.approx(closed, abs=CLOSED) and 1 / 8 < closed < 9 / 64


def test_derivatives_are_central_differences(two):
    h = 1e-4
    for k, low in [(0.5, 0.4), (0.3, 0.45)]:
        _, (in_k, in_low) = two(k, low)
        assert float(in_k) == pytest.approx(
            float(two(k + h, low)[0][0] - two(k - h, low)[0][0]) / (2 * h), abs=DIFFERENCES
        )
        assert float(in_low) == pytest.approx(
            float(two(k, low + h)[0][0] - two(k, low - h)[0][0]) / (2 * h), abs=DIFFERENCES
        )


@pytest.mark.slow
def test_three_prices_between_unlike_types_are_an_equilibrium():
    auction = DoubleAuction(k=0.4, values=dcg.Uniform(0.1, 1.2), costs=dcg.Uniform(0.0, 0.9))
    steps = step_bids(auction, jnp.array([0.3, 0.55, 0.8]))
    found = dcg.regret(auction, steps)
    assert float(found) <= CLOSED and float(found.largest_gain) <= CLOSED
    shifted = dcg.regret(auction, jax.tree.map(lambda x: x + 0.02, steps))
    assert float(shifted) > 1e-4


def test_play_brings_what_is_expected(two):
    (surplus, steps), _ = two(0.5, 1 / 3)
    auction = DoubleAuction()

    def at(key):
        types = auction.sample_types(key)
        return auction.welfare(types, auction.outcome(auction.reports(steps, types)))

    welfare = np.asarray(jax.jit(jax.vmap(at))(jax.random.split(jax.random.key(0), DRAWS)))
    assert abs(welfare.mean() - float(surplus)) < ERRORS * welfare.std() / np.sqrt(DRAWS)


@pytest.mark.parametrize(
    "prices", [jnp.array([0.5, 0.4]), jnp.array([0.4, 0.4]), 0.0, 1.0, jnp.array([0.5, 1.2]), jnp.ones((2, 2))]
)
def test_bad_prices_are_named(prices):
    with pytest.raises(dcg.InputError, match=r"^prices: "):
        step_bids(DoubleAuction(), prices)


def test_several_traders_are_not_covered():
    with pytest.raises(dcg.InputError, match="step functions with ties among several traders are not covered"):
        step_bids(DoubleAuction(buyers=2), 0.5)


def test_prices_that_nobody_would_use_have_no_equilibrium(two):
    with pytest.raises(dcg.EquilibriumError, match="move the prices apart"):
        step_bids(DoubleAuction(), jnp.array([0.1, 0.2]))
    (surplus, _), _ = two(0.0, 1 / 3)  # a seller who names the price would never ask the lower one
    assert np.isnan(surplus)


def test_steps_are_no_start_for_solve():
    with pytest.raises(dcg.InputError, match="use `step_bids` and `regret`"):
        dcg.solve(DoubleAuction(), step_bids(DoubleAuction(), 0.5))
