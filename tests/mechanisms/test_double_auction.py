from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.bids import AffineBids
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction, Offers, TradeTypes
from tests.oracles import double_auction as oracle

CLOSED = 1e-10  # closed forms in x64; Newton stops at 7e-11
REGRET = 1e-8  # of first best, what `solve` accepts
DIFFERENCES = 1e-6  # central differences, steps of 1e-4
SEARCH = 1e-5  # the gain has kinks between the 64 own types at which it is looked at
DRAWS = 200_000
ERRORS = 4  # standard errors of a mean of draws

STEP = 1e-4
UNIT = (0.0, 1.0)
KS = [0.0, 0.25, 0.5, 0.8, 1.0]
# k, values, costs: the unit interval, around k = 0.25, all types in other units, and supports of one length that overlap.
LANES = [(k, UNIT, UNIT) for k in (*KS, 0.25 - STEP, 0.25 + STEP)]
LANES += [(0.3, (2.0, 5.0), (2.0, 5.0)), (0.5, (1.0, 4.0), (0.0, 3.0))]
UNLIKE = AffineBids(jnp.array([0.1, 0.25]), jnp.array([0.7, 0.65]))


@pytest.fixture(scope="module")
def lanes():
    """Equilibria of all lanes and the derivatives of their welfare in k, in one compiled call."""

    def at(k, values, costs):
        eq = dcg.solve(DoubleAuction(k=k, values=dcg.Uniform(*values), costs=dcg.Uniform(*costs)))
        return eq.welfare, eq

    k, values, costs = (jnp.array(column) for column in zip(*LANES, strict=True))
    (_, eqs), slopes = jax.jit(jax.vmap(jax.value_and_grad(at, has_aux=True)))(k, values, costs)
    return eqs, slopes


def lane(eqs, i):
    return jax.tree.map(lambda x: x[i], eqx.filter(eqs, eqx.is_array))


def test_one_half_is_chatterjee_and_samuelson(lanes):
    eq = lane(lanes[0], KS.index(0.5))
    np.testing.assert_allclose(eq.strategies.slope, [2 / 3, 2 / 3], atol=CLOSED)
    np.testing.assert_allclose(eq.strategies.intercept, [1 / 12, 1 / 4], atol=CLOSED)
    assert float(eq.welfare) == pytest.approx(9 / 64, abs=CLOSED)
    assert float(eq.first_best) == pytest.approx(1 / 6, abs=CLOSED)
    assert float(eq.efficiency) == pytest.approx(27 / 32, abs=CLOSED)
    # Trade where v - c >= 1/4: the chance that a seller of the uniform cost meets a higher bid.
    costs, weights = np.polynomial.legendre.leggauss(8)
    chances = 0.5 * weights @ np.asarray(1 - eq.strategies.type_at(0, eq.strategies.report(1, 0.375 * (1 + costs))))
    assert 0.75 * chances == pytest.approx(9 / 32, abs=CLOSED)


def test_every_k_has_its_linear_equilibrium(lanes):
    eqs, _ = lanes
    assert eqs.converged.all() and float(eqs.regret.max()) <= REGRET
    assert float(jnp.nanmax(jnp.abs(eqs.residual))) <= CLOSED
    for i, (k, values, _) in enumerate(LANES[:-1]):
        unit, low = values[1] - values[0], values[0]
        intercept, slope = oracle.linear(k)
        np.testing.assert_allclose(eqs.strategies.slope[i], slope, atol=CLOSED)
        np.testing.assert_allclose(eqs.strategies.intercept[i], low + unit * intercept - slope * low, atol=CLOSED)
        assert float(eqs.welfare[i]) == pytest.approx(unit * oracle.linear_surplus(k), abs=CLOSED)
        assert float(eqs.welfare[i]) <= unit * 9 / 64 + CLOSED  # Myerson and Satterthwaite (1983)


def test_supports_of_unlike_place_are_the_same_equation_over_the_prices_of_trade(lanes):
    eqs, _ = lanes
    intercept, slope = oracle.linear(0.5)
    np.testing.assert_allclose(eqs.strategies.slope[-1], slope, atol=CLOSED)
    np.testing.assert_allclose(eqs.strategies.intercept[-1], 4 * intercept, atol=CLOSED)
    # 3 times E (v' - c')+ with v' = c' + 1/3 where they would be alike; trade where v - c >= 1.
    v, c = np.meshgrid(np.linspace(1, 4, 3001)[:-1] + 5e-4, np.linspace(0, 3, 3001)[:-1] + 5e-4)
    assert float(eqs.welfare[-1]) == pytest.approx(np.mean((v - c) * (v - c >= 1)), abs=1e-3)


def test_derivatives_in_k_are_the_closed_form_and_central_differences(lanes):
    eqs, slopes = lanes
    np.testing.assert_allclose(slopes[: len(KS)], (1 - 2 * np.array(KS)) / 16, atol=1e-9)
    below, above = eqs.welfare[len(KS)], eqs.welfare[len(KS) + 1]
    assert float(slopes[KS.index(0.25)]) == pytest.approx(float(above - below) / (2 * STEP), abs=DIFFERENCES)


@pytest.mark.slow
def test_regret_of_other_bids_is_brute_force():
    auction = DoubleAuction(k=0.5)
    for profile in (UNLIKE, AffineBids(jnp.array([0.0, 0.0]), jnp.array([1.0, 1.0]))):
        found = dcg.regret(auction, profile)
        gains = oracle.affine_regret(0.5, np.asarray(profile.intercept), np.asarray(profile.slope))
        np.testing.assert_allclose(found.by_player, gains, atol=SEARCH)
        assert float(found) == pytest.approx(6 * gains.max(), abs=6 * SEARCH) and float(found) > 1e-3


@pytest.mark.parametrize("m, n", [(1, 1), (2, 3), (3, 2), (4, 1)])
def test_outcomes_are_brute_force(m, n):
    auction, rng = DoubleAuction(k=0.3, buyers=m, sellers=n), np.random.default_rng(m + 10 * n)
    # Offers in fifths: ties of every kind.
    bids, asks = rng.integers(0, 6, (60, m)) / 5, rng.integers(0, 6, (60, n)) / 5
    lots, values, costs = rng.uniform(size=(60, m + n)), rng.uniform(size=(60, m)), rng.uniform(size=(60, n))
    clear = jax.jit(jax.vmap(auction.outcome))
    outcomes = clear(Offers(*map(jnp.asarray, (bids, asks, lots))))
    types = TradeTypes(*map(jnp.asarray, (values, costs, lots)))
    payoffs = jax.vmap(auction.payoffs)(types, outcomes)
    for i in range(60):
        price, bought, sold = oracle.clear(0.3, bids[i], asks[i], lots[i])
        assert float(outcomes.price[i]) == pytest.approx(price, abs=CLOSED)
        np.testing.assert_array_equal(outcomes.bought[i], bought)
        np.testing.assert_array_equal(outcomes.sold[i], sold)
        assert bought.sum() == sold.sum() == min(bought.sum(), m, n)
        assert (bids[i][bought] >= price - CLOSED).all() and (asks[i][sold] <= price + CLOSED).all()
    # The price is paid by buyers and received by sellers: payoffs add to the gains from trade.
    np.testing.assert_allclose(payoffs.sum(1), jax.vmap(auction.welfare)(types, outcomes), atol=CLOSED)
    truthful = clear(Offers(types.values, types.costs, types.lots))
    np.testing.assert_allclose(
        jax.vmap(auction.welfare)(types, truthful), jax.jit(jax.vmap(auction.first_best))(types), atol=CLOSED
    )


@pytest.mark.slow
@pytest.mark.parametrize("m, n", [(1, 1), (2, 3)])
def test_expectations_and_interim_payoffs_are_means_of_play(m, n):
    auction = DoubleAuction(k=0.3, buyers=m, sellers=n)
    players, own_types, own_reports = (0, m), (0.8, 0.35), (0.55, 0.5)

    @jax.jit
    @partial(jax.vmap, in_axes=(0, None))
    def play(key, buys):
        drawn = auction.sample_types(key)
        reports = auction.reports(UNLIKE, drawn)
        value, bid = drawn.values.at[0].set(own_types[0]), reports.bids.at[0].set(own_reports[0])
        cost, ask = drawn.costs.at[0].set(own_types[1]), reports.asks.at[0].set(own_reports[1])
        buying = drawn._replace(values=value), reports._replace(bids=bid)
        selling = drawn._replace(costs=cost), reports._replace(asks=ask)
        types, given = jax.tree.map(partial(jnp.where, buys), buying, selling)
        mine = auction.payoffs(types, auction.outcome(given))[jnp.where(buys, *players)]
        return mine, auction.payoffs(drawn, auction.outcome(reports)), auction.first_best(drawn)

    payoffs, welfare = eqx.filter_jit(lambda: auction.expectations(UNLIKE))()
    interim_payoff = jax.jit(lambda *given: auction.interim_payoff(UNLIKE, *given))
    first_best = jax.jit(lambda: auction.expected_first_best())()
    assert float(welfare) == pytest.approx(float(payoffs.sum()), abs=CLOSED)
    types = TradeTypes(jnp.full(m, own_types[0]), jnp.full(n, own_types[1]), jnp.zeros(m + n))
    for player, report in zip(players, own_reports, strict=True):
        mine, everyone, best = play(jax.random.split(jax.random.key(player), DRAWS), player == 0)
        interim = interim_payoff(jnp.asarray(player), types, jnp.asarray(report))
        for expected, draws in ((interim, mine), (first_best, best)):
            assert abs(float(expected) - np.mean(draws)) < ERRORS * np.std(draws) / np.sqrt(DRAWS)
        off = np.abs(np.asarray(payoffs) - np.mean(everyone, axis=0))
        assert (off < ERRORS * np.std(everyone, axis=0) / np.sqrt(DRAWS)).all()


def test_names_and_tables():
    assert DoubleAuction().players == ("buyer", "seller")
    assert DoubleAuction(buyers=2).players == ("buyer 1", "buyer 2", "seller 1")


@pytest.mark.parametrize(
    "fields, name",
    [
        ({"k": 1.2}, "k"),
        ({"k": -0.1}, "k"),
        ({"k": jnp.array([0.2, 0.5])}, "k"),
        ({"values": dcg.Uniform(jnp.zeros(2), jnp.ones(2))}, "values"),
        ({"buyers": 0}, "buyers"),
        ({"sellers": -1}, "sellers"),
        ({"values": dcg.Uniform(0.0, 1.0), "costs": dcg.Uniform(1.0, 2.0)}, "values"),
    ],
)
def test_bad_fields_are_named(fields, name):
    with pytest.raises(dcg.InputError, match=rf"^{name}: "):
        DoubleAuction(**fields)


@pytest.mark.parametrize("name, given", [("values", dcg.Normal(0.0, 1.0)), ("costs", 0.3), ("buyers", 1.5)])
def test_fields_of_the_wrong_kind_are_named(name, given):
    # A user sees the InputError; the checker of types that watches the tests may be the first to see the field.
    with pytest.raises(Exception, match=name):
        DoubleAuction(**{name: given})


def test_starts_of_another_kind_are_refused():
    with pytest.raises(dcg.InputError, match=r"^strategies: "):
        dcg.solve(DoubleAuction(), dcg.ProportionalDemand(0.5))
    with pytest.raises(dcg.InputError, match=r"^slope: "):
        AffineBids(jnp.zeros(2), jnp.ones(3))
