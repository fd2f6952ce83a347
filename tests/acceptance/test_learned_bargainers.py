"""Bargainers who learn to bid: many sessions, what they find, and that none of them beats the second best."""

import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import dcg_econ as dcg
from dcg_econ.analysis.bid_figures import bid_figure
from dcg_econ.mechanisms import DoubleAuction
from dcg_econ.mechanisms.bargaining import second_best, smooth_bids

NEAR = 0.03  # money: how far the reports of types that trade may lie from the affine ones
FIGURE = Path("build/learned_bargainers.png")
GRID = jnp.linspace(0.0, 1.0, 101)


def make(auction):
    ends = auction.values.support(), auction.costs.support()

    def population(key):
        buyer, seller = jax.random.split(key)
        return dcg.Bidders(dcg.BidAgent(*ends[0], key=buyer), dcg.BidAgent(*ends[1], key=seller), buyers=auction.buyers)

    return population


def trained(auction, sessions=20, steps=3000):
    start = time.perf_counter()
    run = dcg.train(auction, make(auction), steps=steps, batch=128, sessions=sessions, records=3, key=jax.random.key(1))

    def measure(population):
        reports = jax.vmap(population.buyer.numbers)(GRID)[:, 0], jax.vmap(population.seller.numbers)(GRID)[:, 0]
        found = dcg.regret(auction, population, dcg.Cubature())
        return auction.expectations(population)[1], found.epsilon, found.largest_gain, *reports

    return [np.asarray(x) for x in run.map(measure)], time.perf_counter() - start


def test_twenty_sessions_with_uniform_types():
    auction = DoubleAuction()
    (surplus, regret, largest, bids, asks), seconds = trained(auction)
    affine = dcg.solve(auction).strategies
    nash_bids, nash_asks = np.asarray(affine.report(0, GRID)), np.asarray(affine.report(1, GRID))
    # Only types that trade with a fair chance: the others' reports hardly touch any payoff.
    trading_values, trading_costs = np.asarray(GRID) >= 0.35, np.asarray(GRID) <= 0.65
    distance = np.maximum(
        abs(bids - nash_bids)[:, trading_values].max(1), abs(asks - nash_asks)[:, trading_costs].max(1)
    )
    near, bound = distance <= NEAR, float(second_best(auction.values, auction.costs).surplus)
    print(
        f"\nU[0,1], k=1/2: 20 sessions in {seconds:.0f} s; surplus mean {surplus.mean():.6f} (sd {surplus.std():.6f}, "
        f"{surplus.min():.6f} to {surplus.max():.6f}; affine equilibrium and second best .140625); regret mean "
        f"{regret.mean():.2g}, largest {regret.max():.2g}, largest interim gain {largest.max():.2g}; near the affine bids "
        f"(within {NEAR}): {near.sum()} of 20, distances {np.sort(distance).round(3).tolist()}"
    )
    _draw(bids, asks, nash_bids, nash_asks, surplus, regret, near, bound)
    assert regret.max() <= 1e-3
    assert (surplus <= bound + 0.5 * np.sqrt(regret / 6)).all()  # regret in money: the first best is 1/6


def test_twenty_sessions_with_beta_types():
    auction = DoubleAuction(values=dcg.Beta(2.0, 3.0), costs=dcg.Beta(3.0, 2.0))
    (surplus, regret, largest, *_), seconds = trained(auction)
    bound = second_best(auction.values, auction.costs)
    regular = dcg.solve(auction, strategies=smooth_bids(auction))
    print(
        f"\nBeta(2,3) and Beta(3,2), k=1/2: 20 sessions in {seconds:.0f} s; surplus mean {surplus.mean():.6f} "
        f"(sd {surplus.std():.6f}, {surplus.min():.6f} to {surplus.max():.6f}; regular equilibrium "
        f"{float(regular.welfare):.6f}, second best {float(bound.surplus):.6f}); regret mean {regret.mean():.2g}, largest "
        f"{regret.max():.2g}, largest interim gain {largest.max():.2g}"
    )
    assert (surplus <= float(bound.surplus) + 0.5 * np.sqrt(regret * float(bound.first_best))).all()


def _draw(bids, asks, nash_bids, nash_asks, surplus, regret, near, bound):
    types = np.asarray(GRID)
    frames = [
        pd.DataFrame({"session": s, "role": role, "type": types, "report": reports[s], "nash_report": nash})
        for role, reports, nash in (("buyer", bids, nash_bids), ("seller", asks, nash_asks))
        for s in range(len(reports))
    ]
    sessions = pd.DataFrame({"surplus": surplus, "regret": regret, "near_linear": near})
    FIGURE.parent.mkdir(exist_ok=True)
    bid_figure(pd.concat(frames), sessions, nash=9 / 64, second_best=bound).savefig(FIGURE, dpi=150)
    print(f"figure: {FIGURE}")
