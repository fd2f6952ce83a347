"""The softened double auction against the auction itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

import dcg_econ as dcg
from dcg_econ.mechanisms import DoubleAuction, SoftAuction
from dcg_econ.mechanisms.bargaining.double_auction import Offers, TradeTypes

CLOSED = 1e-12  # sums and products of a few numbers in x64
K, VALUE = 0.4, 0.8
AUCTION = DoubleAuction(k=K, costs=dcg.Beta(2.0, 4.0))
COSTS = stats.beta(2, 4)
TRUTH = dcg.AffineBids(jnp.zeros(2), jnp.ones(2))
TYPES = TradeTypes(jnp.array([VALUE]), jnp.array([0.3]), jnp.zeros(2))
STEP = 1e-4  # of central differences: errors of about 1e-8 and rounding of 1e-8, of leading terms near 3
HALVED = 0.2  # of four: terms of order width^4 are left beside those of order width^2


@jax.jit
def outcomes(width, bid, ask):
    offers = Offers(bid[None], ask[None], jnp.zeros(2))
    soft = SoftAuction(AUCTION, width)
    return [
        (g.outcome(offers), g.payoffs(TYPES, g.outcome(offers)), g.welfare(TYPES, g.outcome(offers)))
        for g in (AUCTION, soft)
    ]


@pytest.mark.parametrize(("bid", "ask"), [(0.7, 0.4), (0.4, 0.7), (0.55, 0.5), (0.5, 0.55), (0.9, 0.1)])
def test_payoffs_become_the_auctions_as_the_width_falls(bid, ask):
    previous = np.inf
    for width in (0.1, 0.03, 0.01, 1e-3):
        (_, hard, welfare), (_, soft, blurred) = outcomes(jnp.asarray(width), jnp.asarray(bid), jnp.asarray(ask))
        gap = np.abs(soft - hard).max()
        unsold = special.expit(-abs(bid - ask) / width)  # the share that is on the wrong side
        assert gap <= unsold * max(VALUE, 1) + CLOSED and gap <= previous
        assert abs(float(blurred - welfare)) == pytest.approx(unsold * (VALUE - 0.3), abs=CLOSED)
        previous = gap
    assert previous < 1e-12


def test_a_share_is_traded_at_the_auctions_price():
    (hard, _, _), (soft, payoffs, welfare) = outcomes(jnp.asarray(0.2), jnp.asarray(0.7), jnp.asarray(0.4))
    share, price = 1 / (1 + np.exp(-0.3 / 0.2)), K * 0.7 + (1 - K) * 0.4
    assert float(soft.price) == pytest.approx(price, abs=CLOSED) == pytest.approx(float(hard.price), abs=CLOSED)
    np.testing.assert_allclose(payoffs, [share * (VALUE - price), share * (price - 0.3)], atol=CLOSED)
    assert float(welfare) == pytest.approx(float(payoffs.sum()), abs=CLOSED)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(30)


def asks_around(bid, width):
    """Gauss-Legendre panels that resolve the step at the bid."""
    edges = np.sort(
        np.concatenate([[0, 1], np.clip(bid + width * np.arange(-40, 41, 4), 0, 1)])
    )  # empty ones weigh nought
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    asks = (middle[:, None] + half[:, None] * NODES).ravel()
    return asks, (half[:, None] * WEIGHTS).ravel() * COSTS.pdf(asks)


@jax.jit
def game_slope(bid, width, asks, weights):
    game = SoftAuction(AUCTION, width)

    def expected(b):
        def payoff(ask):
            return game.payoffs(TYPES, game.outcome(Offers(b[None], ask[None], jnp.zeros(2))))[0]

        return weights @ jax.vmap(payoff)(asks)

    return jax.grad(expected)(bid)


def soft_slope(bid, width):
    """The derivative of the buyer's expected payoff against truthful asks, through the game's own derivative."""
    return float(game_slope(*map(jnp.asarray, (bid, width, *asks_around(bid, width)))))


@jax.jit
@jax.grad
def interim_slope(bid):
    return AUCTION.interim_payoff(TRUTH, 0, TYPES, bid)


def edge(bid):
    """The slope in the ask of what a trade is worth, times the asks' density, at ask = bid."""

    def gain(ask):
        return (VALUE - K * bid - (1 - K) * ask) * COSTS.pdf(ask)

    return (gain(bid + STEP) - gain(bid - STEP)) / (2 * STEP)


@pytest.mark.slow
@pytest.mark.parametrize("bid", (0.45, 0.6))
def test_the_slope_of_an_expected_payoff_is_the_auctions_but_for_the_square_of_the_width(bid):
    exact = (VALUE - bid) * COSTS.pdf(bid) - K * COSTS.cdf(bid)
    assert float(interim_slope(jnp.asarray(bid))) == pytest.approx(exact, abs=1e-8)  # the auction's own quadrature

    widths = np.array([0.04, 0.02, 0.01])
    errors = np.array([soft_slope(bid, w) for w in widths]) - exact
    assert np.abs(errors[0]) > 1e-3
    ratios = errors[:-1] / errors[1:]
    assert np.all(np.abs(ratios - 4) < HALVED * np.array([4, 1]))
    # Sommerfeld's expansion: the expected payoff is the auction's plus (pi width)^2 / 6 times `edge`.
    leading = np.pi**2 / 6 * (edge(bid + STEP) - edge(bid - STEP)) / (2 * STEP)
    assert errors[-1] / widths[-1] ** 2 == pytest.approx(leading, rel=HALVED / 4)


@pytest.mark.slow
def test_the_quadrature_is_scipys():
    width, bid = 0.05, 0.45
    asks, weights = asks_around(bid, width)
    ours = weights @ (special.expit((bid - asks) / width) * (VALUE - K * bid - (1 - K) * asks))

    def worth(a):
        return COSTS.pdf(a) * special.expit((bid - a) / width) * (VALUE - K * bid - (1 - K) * a)

    assert ours == pytest.approx(integrate.quad(worth, 0, 1, points=[bid], epsabs=1e-11)[0], abs=1e-10)


def test_it_is_the_same_game_but_for_the_rule_of_trade():
    soft, key = SoftAuction(AUCTION), jax.random.key(0)
    types = soft.sample_types(key)
    for one, other in zip(types, AUCTION.sample_types(key), strict=True):
        np.testing.assert_array_equal(one, other)
    assert soft.players == AUCTION.players and soft.continuous and not AUCTION.continuous
    assert float(soft.first_best(types)) == float(AUCTION.first_best(types))


def test_bad_input_is_refused_by_name():
    with pytest.raises(dcg.InputError, match=r"^auction: several"):
        SoftAuction(DoubleAuction(buyers=2))
    for width in (0.0, -0.1):
        with pytest.raises(dcg.InputError, match=r"^width: found"):
            SoftAuction(AUCTION, width)
