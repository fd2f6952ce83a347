"""Auctions with a closed form: error in bids against seconds.

Published solvers of the two-bidder uniform first-price auction: a neural one needed 179 s for an L2 error of .013, one that
discretises .65 s for .008, on machines of their own. Here the error is the root mean square over 1,001 values.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy.integrate import solve_ivp

import dcg_econ as dcg
from dcg_econ.mechanisms import DoubleAuction, FirstPriceAuction
from tests.benchmarks.ratios import Row, against, compare, warm
from tests.oracles import double_auction, first_price

PUBLISHED = {"a neural solver, published": (179.0, 0.013), "a discretising solver, published": (0.65, 0.008)}
NODES = jnp.linspace(0, 1, 1001)
solved = eqx.filter_jit(lambda auction: dcg.solve(auction))
bidding = eqx.filter_jit(lambda auction: dcg.solve(auction).strategies)  # what is not asked for is not computed


def root_mean_square(misses):
    return float(np.sqrt(np.mean(misses**2)))


def test_first_price(put):
    auction = FirstPriceAuction()
    here, cold = warm(lambda: bidding(auction))
    error = root_mean_square(bidding(auction).bid(NODES) - NODES / 2)
    for peer, (there, theirs) in PUBLISHED.items():
        note = f"L2 error {error:.0e} here, where Newton starts from the uniform prior's bids, {theirs:g} there"
        put(Row("first-price auction, 2 bidders, uniform", here, cold, peer, there, there / here, note=note))
    put(Row("the same, with its regret and welfare", *warm(lambda: solved(auction))))
    assert error < 1e-8


def test_first_price_of_another_prior(put):
    """Bids that are no start of Newton's."""
    auction = FirstPriceAuction(values=dcg.Beta(2.0, 3.0))
    here, cold = warm(lambda: bidding(auction))
    values = np.linspace(0.05, 1, 20)
    exact = first_price.bid_table(values, scipy.stats.beta(2, 3).cdf, 0.0, 2, 0.0)
    error = root_mean_square(bidding(auction).bid(jnp.asarray(values)) - np.asarray(exact))
    put(Row("first-price auction, 2 bidders, Beta(2, 3)", here, cold, note=f"L2 error {error:.0e}"))
    assert error < 1e-8


def test_first_price_with_reserve_and_risk(put):
    """The same equation by scipy's integrator, from just above the reserve price on."""
    auction = FirstPriceAuction(bidders=5, reserve=0.3, risk=0.5)
    rivals = 4 / 0.5

    def theirs():
        rate = lambda v, b: rivals * (v - b) / v  # noqa: E731
        return solve_ivp(rate, (0.3, 1), [0.3], method="DOP853", rtol=1e-11, atol=1e-13).y[0, -1]

    found = compare(lambda: bidding(auction), theirs)
    exact = first_price.bid(1.0, lambda t: t, 0.3, 5, 0.5)
    error = abs(float(bidding(auction).bid(jnp.asarray(1.0))) - exact)
    note = f"error at the top {error:.0e} here, {abs(theirs() - exact):.0e} there"
    put(against("first-price auction, 5 bidders, reserve, risk", "scipy's DOP853", found, note))
    put(Row("the same, with its regret and welfare", *warm(lambda: solved(auction))))
    assert error < 1e-8


@pytest.mark.parametrize("auctions", [1, 1000])
def test_double_auction(put, auctions):
    ks = jnp.linspace(0.1, 0.9, auctions)
    batch = eqx.filter_jit(eqx.filter_vmap(lambda k: dcg.solve(DoubleAuction(k=k))))
    here, cold = warm(lambda: batch(ks))
    found, error = batch(ks).strategies, 0.0
    for i in range(0, auctions, 100):
        intercept, slope = double_auction.linear(float(ks[i]))
        misses = found.intercept[i] - np.asarray(intercept), found.slope[i] - np.asarray(slope)
        error = max(error, float(np.abs(misses).max()))
    put(
        Row(
            f"k-double auctions, uniform, {auctions:,} at once, with regret",
            here,
            cold,
            note=f"largest error {error:.0e}",
        )
    )
    assert error < 1e-8
