import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from dcg_econ._errors import EquilibriumError, InputError
from dcg_econ.diagnostics.rate_distortion import blahut_arimoto
from dcg_econ.mechanisms.inattention import (
    DiscreteChoice,
    GaussianAttention,
    GaussianChoice,
    attention,
    discrete,
    gaussian_distortion,
    gaussian_rate,
)

CLOSED = 1e-12  # Newton's method ends at rounding
PROMISE = 1e-10  # of the conditions of the best attention
SEARCH = 1e-7  # a search for a maximum is right to the root of rounding in the argument
GRID = 2e-5  # the normal on a grid of half a standard deviation over plus and minus five, cut off at 6e-7 of the mass
TOLERANCE = 1e-9  # nats between Blahut's bounds
SLOPE = 1e-7  # central differences of step 1e-5


# The normal variable


@pytest.mark.parametrize(("sd", "price"), [(1.0, 0.5), (2.0, 3.0), (0.5, 0.4), (0.5, 0.7), (1.0, 2.0)])
def test_the_best_variance_is_half_the_price_or_the_priors(sd, price):
    best = GaussianAttention(sd, price)
    np.testing.assert_allclose(best.posterior_variance, min(sd**2, price / 2), rtol=CLOSED)
    np.testing.assert_allclose(best.rate, 0.5 * np.log(sd**2 / min(sd**2, price / 2)), atol=CLOSED)

    def net(log_d):
        return np.exp(log_d) + price * float(gaussian_rate(sd, np.exp(log_d)))

    found = optimize.minimize_scalar(net, bounds=(np.log(sd**2) - 6, np.log(sd**2)), options={"xatol": 1e-9})
    np.testing.assert_allclose(best.value, -found.fun, atol=SEARCH)
    # Seen through that noise, x has that variance left, and the best linear action that response.
    if price < 2 * sd**2:
        np.testing.assert_allclose(1 / (1 / sd**2 + 1 / best.noise_variance), best.posterior_variance, rtol=CLOSED)
        np.testing.assert_allclose(best.response, sd**2 / (sd**2 + best.noise_variance), rtol=CLOSED)
    else:
        assert np.isinf(best.noise_variance) and best.response == 0 and best.rate == 0


def test_the_frontier_and_its_inverse():
    rates = np.linspace(0.0, 3.0, 7)
    np.testing.assert_allclose(gaussian_rate(2.0, gaussian_distortion(2.0, rates)), rates, atol=CLOSED)
    np.testing.assert_array_equal(gaussian_rate(2.0, np.array([4.0, 5.0])), 0.0)
    slope = jax.grad(lambda d: gaussian_rate(1.0, d))(0.3)
    np.testing.assert_allclose(slope, -1 / 0.6, rtol=CLOSED)
    value_slope = jax.grad(lambda price: GaussianAttention(1.0, price).value)(0.5)
    np.testing.assert_allclose(value_slope, -GaussianAttention(1.0, 0.5).rate, rtol=CLOSED)  # the envelope


@pytest.mark.slow
@pytest.mark.parametrize("price", [0.5, 1.0])
def test_blahut_arimoto_nears_the_normal_frontier(price):
    x = np.linspace(-5, 5, 21)
    source = np.exp(-(x**2) / 2)
    source /= source.sum()
    symbols = np.linspace(-5, 5, 41)
    found = blahut_arimoto(source, (x[:, None] - symbols) ** 2, 1 / price, tolerance=1e-5, max_steps=20_000)
    best = GaussianAttention(1.0, price)
    assert float(found.gap) < GRID
    np.testing.assert_allclose(found.distortion, best.posterior_variance, atol=GRID)
    np.testing.assert_allclose(found.rate, best.rate, atol=GRID)


# Blahut and Arimoto


def entropy(p):
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


def test_the_binary_source_under_errors():
    slope = 1.7
    d = 1 / (1 + np.exp(slope))
    found = blahut_arimoto(np.array([0.3, 0.7]), 1 - np.eye(2), slope)
    np.testing.assert_allclose(found.distortion, d, atol=1e-6)  # second order at the optimum of a gap of 1e-9
    np.testing.assert_allclose(found.rate, entropy(0.3) - entropy(d), atol=2e-6)  # the same times the slope
    assert float(found.gap) <= TOLERANCE
    rate = np.sum(
        np.array([[0.3], [0.7]])
        * found.conditional
        * np.log(found.conditional / (np.array([0.3, 0.7]) @ np.asarray(found.conditional)))
    )
    np.testing.assert_allclose(found.rate, rate, atol=CLOSED)


def test_the_bounds_hold_long_before_convergence():
    for steps in range(4):
        found = blahut_arimoto(np.array([0.3, 0.7]), 1 - np.eye(2), 1.7, max_steps=steps)
        frontier = entropy(0.3) - entropy(float(found.distortion))
        assert float(found.lower) <= frontier + CLOSED and frontier <= float(found.rate) + CLOSED
        assert float(found.gap) > 1e-4 and int(found.steps) == steps
    # A constant in each state's distortion moves the distortion and nothing else.
    moved = blahut_arimoto(np.array([0.3, 0.7]), 1000.0 - np.eye(2), 1.7, max_steps=3)
    np.testing.assert_allclose([moved.rate, moved.distortion - 999], [found.rate, found.distortion], atol=1e-9)


def test_blahut_arimoto_names_what_it_cannot_use():
    for field, arguments in (
        ("source", (np.array([0.3, 0.3]), np.eye(2), 1.0)),
        ("source", (np.array([0.3, 0.3, 0.4]), np.eye(2), 1.0)),
        ("distortion", (np.array([0.5, 0.5]), np.ones(2), 1.0)),
        ("distortion", (np.array([0.5, 0.5]), np.full((2, 2), np.nan), 1.0)),
        ("slope", (np.array([0.5, 0.5]), np.eye(2), -1.0)),
        ("slope", (np.array([0.5, 0.5]), np.eye(2), np.ones(2))),
    ):
        with pytest.raises(InputError) as caught:
            blahut_arimoto(*arguments)
        assert caught.value.field == field


# Discrete choice


@pytest.mark.parametrize("price", [0.2, 1.0, 5.0])
def test_symmetric_guessing(price):
    n = 4
    found = attention(np.eye(n), np.full(n, 1 / n), price)
    x = np.exp(1 / price)
    right = x / (x + n - 1)
    np.testing.assert_allclose(found.probabilities, 1 / n, atol=CLOSED)
    np.testing.assert_allclose(np.diag(found.conditional), right, atol=CLOSED)
    np.testing.assert_allclose(found.payoff, right, atol=CLOSED)
    np.testing.assert_allclose(found.value, price * np.log((x + n - 1) / n), atol=CLOSED)
    wrong = (1 - right) / (n - 1)
    rate = np.log(n) + right * np.log(right) + (1 - right) * np.log(wrong)
    np.testing.assert_allclose(found.rate, rate, atol=CLOSED / price)
    assert float(found.residual) < CLOSED


def risky(price, safe, bad):
    """The chance of the risky action, which pays 0 with chance `bad` and else 1, beside `safe` for sure: problem 1 of
    Matejka and McKay (2015), derived again from the first-order condition, which is linear in it."""
    x, r = jnp.exp(1 / price), jnp.exp(safe / price)
    return jnp.clip(r * ((1 - bad) * (x - r) - bad * (r - 1)) / ((r - 1) * (x - r)), 0.0, 1.0)


def risky_or_safe(price, safe=0.5, bad=0.5):
    return attention(jnp.stack([jnp.array([0.0, 1.0]), jnp.full(2, safe)], axis=1), jnp.array([bad, 1 - bad]), price)


@pytest.mark.slow
def test_the_binary_example_over_prices_with_both_corners():
    prices = jnp.array([0.1, 0.3, 0.45, 0.7, 1.5, 4.0])
    for safe, bad in ((0.5, 0.6), (0.45, 0.4)):

        def both(price, safe=safe, bad=bad):
            found = risky_or_safe(price, safe, bad)
            return found.probabilities[0], found

        slopes, found = jax.vmap(jax.grad(both, has_aux=True))(prices)
        expected, expected_slopes = jax.vmap(jax.value_and_grad(risky))(prices, jnp.full(6, safe), jnp.full(6, bad))
        np.testing.assert_allclose(found.probabilities[:, 0], expected, atol=PROMISE)
        np.testing.assert_allclose(slopes, expected_slopes, atol=PROMISE)
        assert 0 < expected[0] < 1 and expected[-1] == (0.0 if bad > 0.5 else 1.0)
        assert float(jnp.max(found.residual)) <= PROMISE
        excluded = np.asarray(found.probabilities) == 0
        assert np.array_equal(np.asarray(found.slack) > 1e-6, excluded)


def test_an_action_that_is_never_chosen_and_when_it_is():
    def guess_or_hedge(price, hedge):
        return attention(np.array([[1.0, 0.0, hedge], [0.0, 1.0, hedge]]), np.array([0.5, 0.5]), price)

    # While it is not chosen, 1 - g of the hedge is 1 - exp((hedge - 1/2) / lam) / cosh(1 / (2 lam)).
    out = guess_or_hedge(0.25, 0.6)
    assert float(out.probabilities[2]) == 0.0
    np.testing.assert_allclose(out.slack, [0, 0, 1 - np.exp(0.1 / 0.25) / np.cosh(0.5 / 0.25)], atol=PROMISE)
    np.testing.assert_array_equal(out.conditional[:, 2], 0.0)
    alone = guess_or_hedge(2.0, 0.6)
    np.testing.assert_array_equal(alone.probabilities, [0.0, 0.0, 1.0])
    np.testing.assert_allclose([alone.rate, alone.value], [0.0, 0.6], atol=CLOSED)
    assert float(jnp.min(alone.slack[:2])) > 0.01


def problem(seed=3, states=4, actions=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(states, actions)), rng.dirichlet(np.ones(states)), 0.4


@pytest.mark.slow
def test_three_roads_to_one_optimum():
    u, mu, price = problem()
    found = attention(u, mu, price)
    assert float(found.residual) <= PROMISE
    chosen = np.asarray(found.probabilities) > 0
    assert 1 < chosen.sum() < 5 and np.all(np.asarray(found.slack)[~chosen] > 1e-3)
    np.testing.assert_allclose(mu @ np.asarray(found.conditional), found.probabilities, atol=CLOSED)
    np.testing.assert_allclose(found.payoff - price * found.rate, found.value, atol=CLOSED)

    iterated = blahut_arimoto(mu, -u, 1 / price)
    value = -iterated.distortion - price * iterated.rate
    np.testing.assert_allclose(value, found.value, atol=price * TOLERANCE)
    np.testing.assert_allclose(iterated.symbols, found.probabilities, atol=1e-4)  # the root of 1e-9, about

    def cost(flat):
        q = flat.reshape(u.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            nats = np.where(q > 0, q * np.log(q / (mu @ q)), 0.0)
        return -np.sum(mu[:, None] * (q * u - price * nats))

    sums = {"type": "eq", "fun": lambda flat: flat.reshape(u.shape).sum(axis=1) - 1}
    searched = optimize.minimize(
        cost,
        np.full(u.size, 1 / u.shape[1]),
        method="SLSQP",
        bounds=[(1e-12, 1)] * u.size,
        constraints=[sums],
        options={"ftol": 1e-13, "maxiter": 500},
    )
    np.testing.assert_allclose(-searched.fun, found.value, atol=1e-6)  # finite differences, and no zeros for SLSQP
    assert -searched.fun <= float(found.value) + 1e-9
    np.testing.assert_allclose(
        searched.x.reshape(u.shape), found.conditional, atol=5e-3
    )  # the root of 1e-6, times some


@pytest.mark.slow
def test_derivatives_in_payoffs_and_price():
    u, mu, price = map(jnp.asarray, problem())
    found = attention(u, mu, price)
    in_u, in_price = jax.grad(lambda u, lam: attention(u, mu, lam).value, argnums=(0, 1))(u, price)
    np.testing.assert_allclose(in_u, mu[:, None] * found.conditional, atol=PROMISE)  # the envelope
    np.testing.assert_allclose(in_price, -found.rate, atol=PROMISE)

    def index(u, lam):
        found = attention(u, mu, lam)
        return jnp.sum(found.probabilities * jnp.arange(5.0)) + found.rate

    in_u, in_price = jax.grad(index, argnums=(0, 1))(u, price)
    direction = jnp.asarray(np.random.default_rng(1).normal(size=u.shape))
    step = 1e-5
    along_u = (index(u + step * direction, price) - index(u - step * direction, price)) / (2 * step)
    np.testing.assert_allclose(jnp.sum(in_u * direction), along_u, atol=SLOPE)
    along_price = (index(u, price + step) - index(u, price - step)) / (2 * step)
    np.testing.assert_allclose(in_price, along_price, atol=SLOPE)


@pytest.mark.slow
def test_many_random_problems_at_once():
    rng = np.random.default_rng(5)
    n, states, actions = 300, 3, 6
    u = rng.normal(size=(n, states, actions))
    mu, prices = (
        rng.dirichlet(np.ones(states), size=n),
        np.append(rng.uniform(0.05, 1.5, size=n - 50), np.geomspace(1.5, 100, 50)),
    )
    found = jax.vmap(attention)(u, mu, prices)
    assert float(jnp.max(found.residual)) <= PROMISE
    # The conditions, written once more without the module's.
    z = np.exp((u - u.max(axis=2, keepdims=True)) / prices[:, None, None])
    p = np.asarray(found.probabilities)
    g = np.einsum("ns,nsa->na", mu / np.einsum("nsa,na->ns", z, p), z)
    assert np.all(p >= 0) and np.max(g) <= 1 + PROMISE and np.max(np.abs(p * (1 - g))) <= PROMISE
    assert np.mean(p == 0) > 0.3
    # Dear attention is not paid: the last few take the action that is best unseen.
    np.testing.assert_array_equal(np.argmax(p[-20:], axis=1), np.argmax(np.einsum("ns,nsa->na", mu, u)[-20:], axis=1))


def test_two_actions_that_are_the_same():
    single = risky_or_safe(0.4)
    u = np.array([[0.0, 0.5, 0.5], [1.0, 0.5, 0.5]])
    double = attention(u, np.array([0.5, 0.5]), 0.4)
    np.testing.assert_allclose(double.value, single.value, atol=CLOSED)
    np.testing.assert_allclose(double.probabilities[1:].sum(), single.probabilities[1], atol=PROMISE)


def test_a_price_near_zero_chooses_the_best_in_every_state():
    found = attention(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.3, 0.7]), 1e-4)
    np.testing.assert_allclose(found.conditional, np.eye(2), atol=CLOSED)
    np.testing.assert_allclose(found.rate, entropy(0.3), atol=1e-9)  # a difference of numbers near one, over 1e-4


def test_errors_name_the_field(monkeypatch):
    u, mu = np.eye(2), np.array([0.5, 0.5])
    for field, call in (
        ("price", lambda: attention(u, mu, 0.0)),
        ("price", lambda: attention(u, mu, np.ones(2))),
        ("payoffs", lambda: attention(u[0], mu, 1.0)),
        ("payoffs", lambda: attention(np.nan * u, mu, 1.0)),
        ("prior", lambda: attention(u, mu / 2, 1.0)),
        ("prior", lambda: attention(u, np.ones(3) / 3, 1.0)),
        ("prior", lambda: DiscreteChoice(u, np.array([1.5, -0.5]))),
        ("sd", lambda: GaussianChoice(0.0)),
        ("sd", lambda: GaussianChoice(np.ones(2))),
        ("price", lambda: GaussianAttention(1.0, 0.0)),
        ("distortion", lambda: gaussian_rate(1.0, 0.0)),
        ("rate", lambda: gaussian_distortion(1.0, -1.0)),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.field == field
    found = attention(u, mu, 1.0)
    monkeypatch.setattr(discrete, "_solve", lambda *_: jax.tree.map(lambda x: x * jnp.nan, found))
    with pytest.raises(EquilibriumError, match="raise the price"):
        attention(u, mu, 1.0)


# The games


def test_the_normal_choice_pays_the_squared_error():
    game = GaussianChoice(2.0)
    assert game.players == ("chooser",) and game.continuous
    draws = jax.vmap(game.sample_types)(jax.random.split(jax.random.key(0), 4000))
    assert draws.shape == (4000, 1)
    assert abs(float(jnp.std(draws)) - 2) < 5 * 2 / np.sqrt(2 * 4000)  # five standard errors
    x = jnp.array([1.5])
    np.testing.assert_array_equal(game.known(x), [[1.5]])
    outcome = game.outcome(game.reports(lambda known: 0.5 * known[:, 0], x))
    np.testing.assert_allclose(game.payoffs(x, outcome), [-(0.75**2)], rtol=CLOSED)
    np.testing.assert_allclose(game.welfare(x, outcome), -(0.75**2), rtol=CLOSED)
    assert float(game.first_best(x)) == 0.0 and bool(game.settled(outcome)) and not bool(game.settled(x * jnp.nan))
    # Played through the best noise at a price, it pays minus the posterior variance.
    best = GaussianAttention(2.0, 3.0)
    noise = jnp.sqrt(best.noise_variance) * jax.random.normal(jax.random.key(1), (4000, 1))
    payoffs = jax.vmap(game.payoffs)(draws, best.response * (draws + noise))
    spread = 5 * np.sqrt(2 / 4000) * 1.5  # five standard errors of a mean of squares
    assert abs(float(jnp.mean(payoffs)) + float(best.posterior_variance)) < spread


def test_the_discrete_choice_pays_the_weights():
    u, mu = np.array([[1.0, 0.2, 0.4], [0.0, 0.9, 0.4]]), np.array([0.3, 0.7])
    game = DiscreteChoice(u, mu)
    assert game.players == ("chooser",) and game.continuous
    states = jax.vmap(game.sample_types)(jax.random.split(jax.random.key(0), 4000))
    assert abs(float(jnp.mean(states)) - 0.7) < 5 * np.sqrt(0.21 / 4000)  # five standard errors
    np.testing.assert_array_equal(game.known(jnp.array(1)), [[0.0, 1.0]])
    weights = jnp.array([[0.5, 0.25, 0.25]])
    outcome = game.outcome(game.reports(lambda known: weights, jnp.array(0)))
    np.testing.assert_allclose(game.payoffs(jnp.array(0), outcome), [0.65], rtol=CLOSED)
    np.testing.assert_allclose(game.welfare(jnp.array(0), outcome), 0.65, rtol=CLOSED)
    np.testing.assert_allclose(jax.vmap(game.first_best)(jnp.arange(2)), [1.0, 0.9], rtol=CLOSED)
    assert bool(game.settled(outcome)) and not bool(game.settled(outcome * jnp.nan))
    # The best channel, played: its expected payoff.
    best = attention(u, mu, 0.5)
    played = jax.vmap(lambda s: game.payoffs(s, game.known(s) @ best.conditional)[0])(jnp.arange(2))
    np.testing.assert_allclose(mu @ np.asarray(played), best.payoff, rtol=CLOSED)
