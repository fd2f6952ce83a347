import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from dcg_econ._errors import EquilibriumError, InputError
from dcg_econ.mechanisms.cheap_talk import CheapTalk, babbling, most_cells, partition
from dcg_econ.priors import Beta, Normal, Tabulated, TruncatedNormal, Uniform

CLOSED = 1e-12  # Newton's method ends at rounding, and the rule of integration is right to about 1e-13
INDEPENDENT = 1e-10  # what scipy's solver leaves of its own conditions
REGRET = 1e-9  # asked of an equilibrium
SLOPE = 1e-6  # central differences of step 1e-5, of slopes up to 4 and third derivatives up to 1e3
UNIFORM = Uniform(0.0, 1.0)
# Biases, and the largest number of cells: (4) of the module, N = ceil(-1/2 + sqrt(1 + 2/b)/2).
COUNTS = [(0.3, 1), (0.2, 2), (0.1, 2), (0.05, 3), (0.02, 5), (-0.1, 2), (-0.02, 5)]


def closed_edges(b, n):
    i = np.arange(n + 1)
    return i / n - 2 * b * i * (n - i) if b >= 0 else 1 - closed_edges(-b, n)[::-1]


def closed_loss(b, n):
    return 1 / (12 * n**2) + b**2 * (n**2 - 1) / 3


@pytest.mark.slow
@pytest.mark.parametrize(("b", "n"), COUNTS)
def test_the_uniform_closed_form(b, n):
    assert n == np.ceil(-0.5 + 0.5 * np.sqrt(1 + 2 / abs(b)))
    assert most_cells(UNIFORM, b) == n
    found = partition(UNIFORM, b, n)
    edges = closed_edges(b, n)
    np.testing.assert_allclose(found.edges, edges, atol=CLOSED)
    np.testing.assert_allclose(found.actions, 0.5 * (edges[1:] + edges[:-1]), atol=CLOSED)
    np.testing.assert_allclose(found.probabilities, np.diff(edges), atol=CLOSED)
    np.testing.assert_allclose(found.receiver_loss, closed_loss(b, n), atol=CLOSED)
    np.testing.assert_allclose(found.sender_loss, closed_loss(b, n) + b**2, atol=CLOSED)
    assert found.residual < CLOSED


def test_at_the_bias_where_the_last_cell_is_empty_it_does_not_count():
    # 2 b N (N - 1) = 1: the partition of N cells has an empty one.
    assert most_cells(UNIFORM, 0.25) == 1
    assert most_cells(UNIFORM, 1 / 12) == 2
    assert most_cells(UNIFORM, 1 / 12 - 1e-6) == 3


@pytest.mark.slow
def test_every_smaller_number_of_cells_is_an_equilibrium_too_and_informs_less():
    losses = [float(partition(UNIFORM, 0.02, n).receiver_loss) for n in (2, 3, 5)]
    np.testing.assert_allclose(losses, [closed_loss(0.02, n) for n in (2, 3, 5)], atol=CLOSED)
    assert losses[0] > losses[1] > losses[2]


def test_babbling_says_nothing():
    found = babbling(Uniform(1.0, 4.0), -0.4)
    np.testing.assert_allclose(found.actions, [2.5], atol=CLOSED)
    np.testing.assert_allclose([found.receiver_loss, found.sender_loss], [0.75, 0.91], atol=CLOSED)
    np.testing.assert_array_equal(found.edges, [1.0, 4.0])


@pytest.mark.slow
def test_without_bias_any_number_of_cells():
    np.testing.assert_allclose(partition(UNIFORM, 0.0, 5).edges, np.linspace(0, 1, 6), atol=CLOSED)
    with pytest.raises(InputError, match="any number of cells"):
        most_cells(UNIFORM, 0.0)


class Scipys:
    """The same conditions for a Beta prior, from incomplete beta functions and scipy's solvers."""

    def __init__(self, a, b):
        self.lower, self.upper, self.expected = stats.beta(a, b), stats.beta(a + 1, b), a / (a + b)

    def mean(self, x, y):
        return self.expected * (self.upper.cdf(y) - self.upper.cdf(x)) / (self.lower.cdf(y) - self.lower.cdf(x))

    def edges(self, bias, start):
        def conditions(inner):
            t = np.concatenate([[0.0], inner, [1.0]])
            a = [self.mean(x, y) for x, y in itertools.pairwise(t)]
            return [0.5 * (low + high) - edge - bias for low, high, edge in zip(a, a[1:], inner, strict=False)]

        inner = optimize.fsolve(conditions, start, xtol=1e-12)
        assert np.max(np.abs(conditions(inner))) < INDEPENDENT
        return np.concatenate([[0.0], inner, [1.0]])

    def steps(self, bias):
        """How many edges fit after an all but empty first cell."""
        action, edge, n = 0.0, 1e-7, 1
        while 2 * (edge + bias) - action < self.mean(edge, 1.0):
            target = 2 * (edge + bias) - action
            start = edge
            edge = optimize.brentq(lambda y, s=start, a=target: self.mean(s, y) - a, start + 1e-7, 1.0, xtol=1e-13)
            action, n = target, n + 1
        return n


@pytest.mark.slow
@pytest.mark.parametrize(("bias", "n"), [(0.03, 3), (0.05, 3)])
def test_a_beta_prior_against_scipy(bias, n):
    theirs = Scipys(2.0, 3.5)
    prior = Beta(2.0, 3.5)
    found = partition(prior, bias, n)
    np.testing.assert_allclose(found.edges, theirs.edges(bias, np.asarray(found.edges[1:-1]) + 0.01), atol=INDEPENDENT)
    np.testing.assert_allclose(
        found.actions, [theirs.mean(x, y) for x, y in itertools.pairwise(np.asarray(found.edges))], atol=INDEPENDENT
    )
    assert most_cells(prior, bias) == theirs.steps(bias)


@pytest.mark.slow
def test_a_negative_bias_is_the_mirror_image():
    up, down = partition(Beta(2.0, 3.5), 0.05, 3), partition(Beta(3.5, 2.0), -0.05, 3)
    np.testing.assert_allclose(down.edges, 1 - up.edges[::-1], atol=CLOSED)
    np.testing.assert_allclose(down.receiver_loss, up.receiver_loss, atol=CLOSED)
    assert most_cells(Beta(3.5, 2.0), -0.05) == most_cells(Beta(2.0, 3.5), 0.05)


@pytest.mark.slow
def test_the_units_of_the_type():
    small, large = partition(Beta(2.0, 3.5), 0.05, 3), partition(Beta(2.0, 3.5, 10.0, 210.0), 10.0, 3)
    np.testing.assert_allclose(large.edges, 10 + 200 * small.edges, rtol=CLOSED)
    np.testing.assert_allclose(large.sender_loss, 200**2 * small.sender_loss, rtol=CLOSED)


PRIORS = [
    (UNIFORM, 0.02, 5),
    (Beta(2.0, 3.5), 0.05, 3),
    pytest.param(TruncatedNormal(0.3, 0.05, 0.0, 1.0), 0.01, 3, marks=pytest.mark.slow),
    pytest.param(
        Tabulated([0.0, 0.3, 0.6, 1.0], np.array([0.2, 2.0, 0.1, 1.5]) / 0.965), 0.03, 3, marks=pytest.mark.slow
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("prior", "bias", "n"), PRIORS)
def test_nobody_gains_by_deviating(prior, bias, n):
    found = partition(prior, bias, n)
    types, weights = fine_cells(prior, found.edges)
    result = CheapTalk(bias, prior).regret_of(types, weights, found.talk(types), found.actions)
    assert float(jnp.max(result.sender_at)) <= REGRET
    assert float(result.receiver) <= REGRET
    assert int(result.cells) == n
    loss = weights @ (types - found.talk(types) @ found.actions) ** 2
    np.testing.assert_allclose(found.receiver_loss, loss, atol=1e-8)  # of Simpson's rule below


def fine_cells(prior, edges):
    """Types and weights of Simpson's rule between all kinks and edges, just inside them."""
    cuts = np.unique(np.concatenate([np.asarray(edges), np.asarray(prior.knots())]))
    nodes, weights = [], []
    for x, y in itertools.pairwise(cuts):
        t = np.linspace(x, y, 401)
        w = np.where(np.arange(401) % 2, 4.0, 2.0)
        w[[0, -1]] = 1.0
        nodes.append(np.clip(t, x + 1e-14, y - 1e-14))
        weights.append(w * (y - x) / 1200 * np.asarray(prior.density(jnp.asarray(nodes[-1]))))
    weights = np.concatenate(weights)
    return jnp.asarray(np.concatenate(nodes)), jnp.asarray(weights / weights.sum())


@pytest.mark.slow
def test_derivatives_in_the_bias_and_in_the_prior():
    forward = jax.jacfwd(lambda b: partition(UNIFORM, b, 3).edges)(jnp.array(0.05))
    np.testing.assert_allclose(forward, [0.0, -4.0, -4.0, 0.0], atol=CLOSED)  # -2 i (n - i)

    def both(at):
        found = partition(Beta(at[1], 3.5), at[0], 3)
        return jnp.stack([found.sender_loss, *found.edges[1:3]])

    at, step = jnp.array([0.05, 2.0]), jnp.array([1e-5, 2e-5])
    _, slopes = jax.jvp(both, (at,), (step / 1e-5,))
    difference = (both(at + step) - both(at - step)) / 2e-5
    np.testing.assert_allclose(slopes, difference, atol=SLOPE)


@pytest.mark.slow
def test_lanes_without_an_equilibrium_carry_nan_and_harm_nobody():
    def loss(b, high):
        return partition(Uniform(0.0, high), b, 3).receiver_loss

    both = jax.vmap(jax.value_and_grad(loss, argnums=(0, 1)), in_axes=(0, None))
    values, (slopes, in_high) = both(jnp.array([0.05, 0.2, 0.0]), jnp.array(1.0))
    np.testing.assert_array_equal(np.isnan(values), [False, True, False])
    np.testing.assert_allclose(values[::2], [closed_loss(0.05, 3), closed_loss(0.0, 3)], atol=CLOSED)
    np.testing.assert_allclose(slopes[::2], 2 * np.array([0.05, 0.0]) * 8 / 3, atol=CLOSED)  # no kink at zero
    np.testing.assert_allclose(in_high[::2], 2 / (12 * 3**2), atol=CLOSED)  # of high^2 / (12 n^2), the rest stays


def test_errors_name_the_field_and_the_remedy():
    with pytest.raises(EquilibriumError, match="at most 2 here; ask for fewer cells"):
        partition(UNIFORM, 0.2, 3)
    with pytest.raises(EquilibriumError, match=r"cells with bias -0\.2: at most 2 here"):
        partition(UNIFORM, -0.2, 3)
    for field, call in (
        ("prior", lambda: partition(Normal(0.0, 1.0), 0.1, 2)),
        ("prior", lambda: partition(Uniform(1.0, 1.0), 0.1, 2)),
        ("prior", lambda: most_cells(Uniform(jnp.zeros(2), jnp.ones(2)), 0.1)),
        ("bias", lambda: partition(UNIFORM, np.nan, 2)),
        ("bias", lambda: partition(UNIFORM, np.array([0.1, 0.2]), 2)),
        ("bias", lambda: CheapTalk([0.1, 0.2])),
        ("prior", lambda: CheapTalk(0.1, Normal(0.0, 1.0))),
        ("cells", lambda: partition(UNIFORM, 0.1, 0)),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.field == field


def test_the_game_pays_quadratic_losses():
    game = CheapTalk(0.2)
    assert game.players == ("sender", "receiver") and game.continuous
    t = jnp.array(0.7)
    np.testing.assert_allclose(game.known(t), [[0.7], [0.5]])
    outcome = game.outcome(game.reports(lambda known: known[:, 0] + jnp.array([9.0, 0.1]), t))
    np.testing.assert_allclose(outcome, 0.6)  # the receiver's, not the sender's
    np.testing.assert_allclose(game.payoffs(t, outcome), [-(0.3**2), -(0.1**2)], atol=CLOSED)
    np.testing.assert_allclose(game.welfare(t, outcome), -0.1, atol=CLOSED)
    grid = jax.vmap(lambda a: game.welfare(t, a))(jnp.linspace(0, 1, 1001))
    np.testing.assert_allclose(game.first_best(t), jnp.max(grid), atol=CLOSED)  # 0.8 is on the grid
    assert bool(game.settled(outcome)) and not bool(game.settled(jnp.nan * t))
    draws = jax.vmap(game.sample_types)(jax.random.split(jax.random.key(0), 2000))
    assert abs(float(jnp.mean(draws)) - 0.5) < 5 * np.sqrt(1 / 12 / 2000)  # five standard errors


def test_regret_of_a_table_by_hand():
    # Two types, truth told in the words 0 and 1, and a third word that nobody says.
    types, weights = jnp.array([0.0, 1.0]), jnp.array([0.25, 0.75])
    told = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    game = CheapTalk(0.2)
    honest = game.regret_of(types, weights, told, jnp.array([0.0, 1.0, 0.0]))
    assert float(honest.receiver) == 0.0 and int(honest.cells) == 2
    np.testing.assert_allclose(honest.sender_at, 0.0, atol=CLOSED)  # 0.2 is nearer to 0 than to 1
    tempting = game.regret_of(types, weights, told, jnp.array([0.0, 1.0, 0.3]))
    np.testing.assert_allclose(tempting.sender_at, [0.2**2 - 0.1**2, 0.0], atol=CLOSED)
    np.testing.assert_allclose(tempting.sender, 0.25 * 0.03, atol=CLOSED)
    assert int(tempting.cells) == 2
    wrong = game.regret_of(types, weights, told, jnp.array([0.1, 0.8, 0.0]))
    np.testing.assert_allclose(wrong.receiver, 0.25 * 0.1**2 + 0.75 * 0.2**2, atol=CLOSED)
    # Words that mean the same are one cell; a word said too seldom is none.
    mixed = jnp.array([[0.5, 0.0, 0.5], [0.0, 1.0 - 1e-5, 1e-5]])
    assert int(game.regret_of(types, weights, mixed, jnp.array([0.0, 1.0, 1e-9])).cells) == 2
    assert int(game.regret_of(types, weights, mixed, jnp.array([0.5, 1.0, 0.0])).cells) == 3
    jitted = eqx.filter_jit(game.regret_of)(types, weights, mixed, jnp.array([0.5, 1.0, 0.0]))
    assert int(jitted.cells) == 3
    with pytest.raises(InputError, match="probabilities: they do not add up to one"):
        game.regret_of(types, weights, 0.9 * told, jnp.zeros(3))
    with pytest.raises(InputError, match="weights"):
        game.regret_of(types, -weights, told, jnp.zeros(3))
