import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcg_econ._errors import InputError
from dcg_econ.learning.lookahead import (
    Mutual,
    Opponents,
    Proximal,
    ascend,
    inconsistency,
    own_directions,
    shaped_directions,
)
from dcg_econ.mechanisms.finite_games import (
    IteratedGame,
    MatrixGame,
    NormalForm,
    TandemGame,
    matching_pennies,
    payoffs_of,
    prisoners_dilemma,
)

CLOSED = 1e-12
ETA = 0.3


class Quadratic:
    """V_i = b_i.z + z'M_i z / 2 with z = (x, y), x of two numbers and y of three."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.b = rng.normal(size=(2, 5))
        m = rng.normal(size=(2, 5, 5))
        self.m = 0.5 * (m + m.transpose(0, 2, 1))
        self.z = rng.normal(size=5)

    def values(self, copies):
        z = jnp.concatenate(copies)
        return jnp.asarray(self.b) @ z + 0.5 * jnp.einsum("i,pij,j->p", z, jnp.asarray(self.m), z)

    @property
    def copies(self):
        return jnp.asarray(self.z[:2]), jnp.asarray(self.z[2:])

    def gradient(self, player, z):
        return self.b[player] + self.m[player] @ z


def test_the_correction_of_lola_in_a_quadratic_game():
    game = Quadratic(0)
    found = shaped_directions(game.values, game.copies, Opponents(ETA))
    parts = slice(0, 2), slice(2, 5)
    for me, other in ((0, 1), (1, 0)):
        seen = game.z.copy()
        seen[parts[other]] += ETA * game.gradient(other, game.z)[parts[other]]
        at = game.gradient(me, seen)
        expected = at[parts[me]] + ETA * game.m[other][parts[me], parts[other]] @ at[parts[other]]  # (2) of the module
        np.testing.assert_allclose(found[me], expected, atol=CLOSED)


def test_many_proximal_steps_are_the_proximal_point():
    game = Quadratic(1)
    rate = 0.2
    found = shaped_directions(game.values, game.copies, Proximal(rate, 400, 0.05))
    # y' = (1 / rate - Q)^-1 (y / rate + b + C'x), and so dy' / dx.
    q, c = game.m[1][2:, 2:], game.m[1][2:, :2]
    inverse = np.linalg.inv(np.eye(3) / rate - q)
    seen = np.concatenate([game.z[:2], inverse @ (game.z[2:] / rate + game.b[1, 2:] + c @ game.z[:2])])
    at = game.gradient(0, seen)
    np.testing.assert_allclose(found[0], at[:2] + (inverse @ c).T @ at[2:], atol=1e-10)
    assert np.max(np.abs(np.linalg.eigvalsh(np.eye(3) - 0.05 * (np.eye(3) / rate - q)))) ** 400 < 1e-12


def test_one_step_of_any_kind_is_lola():
    game = Quadratic(2)
    lola = shaped_directions(game.values, game.copies, Opponents(ETA))
    for other in (Proximal(ETA, 1), Mutual(ETA, 1)):
        for mine, theirs in zip(shaped_directions(game.values, game.copies, other), lola, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=CLOSED)


def smooth(copies):
    """Three players, not quadratic, whose parameters are trees."""
    a, b, c = (copies[0]["w"], copies[1]["w"], copies[2]["w"])
    shift = copies[0]["v"]
    return jnp.stack(
        [
            jnp.sin(a[0] * b[0]) + jnp.tanh(c[0] + a[1]) * b[1] - shift**2,
            jnp.cos(a[0] + b[1]) * c[1] + jnp.exp(-(b[0] ** 2)) * shift,
            jnp.sum(a * b * c) + jnp.tanh(c[0] * shift) - c[1] ** 2,
        ]
    )


COPIES = (
    {"w": jnp.array([0.3, -0.5]), "v": jnp.array(0.7)},
    {"w": jnp.array([0.9, 0.2])},
    {"w": jnp.array([-0.4, 0.6])},
)


@pytest.mark.parametrize(
    "lookahead",
    [Opponents(ETA), Proximal(ETA, 3, 0.2), pytest.param(Mutual(ETA, 2), marks=pytest.mark.slow)],
    ids=["lola", "proximal", "mutual"],
)
def test_finite_differences_of_what_a_player_sees(lookahead):
    found = jax.jit(lambda copies: shaped_directions(smooth, copies, lookahead))(COPIES)
    assumed = jax.jit(lambda copies: own_step(copies, lookahead))

    def seen(delta):
        """The first player's payoff if it moves one number by `delta`, the others' answers recomputed."""
        own = {"w": COPIES[0]["w"].at[1].add(delta), "v": COPIES[0]["v"]}
        copies = (own, *COPIES[1:])
        return float(smooth((own, *assumed(copies)[1:]))[0])

    h = 1e-5
    np.testing.assert_allclose(found[0]["w"][1], (seen(h) - seen(-h)) / (2 * h), atol=1e-9)


def own_step(copies, lookahead):
    """The others' answers, written out with plain derivatives for each kind of lookahead."""
    if isinstance(lookahead, Mutual):
        steps = shaped_directions(smooth, copies, Opponents(ETA))
        return tuple(jax.tree.map(lambda x, g: x + ETA * g, x, g) for x, g in zip(copies, steps, strict=True))
    answers = []
    for player in range(3):
        rounds, rate = (3, 0.2) if isinstance(lookahead, Proximal) else (1, ETA)

        def gain(own, player=player):
            near = sum(
                jnp.sum((x - x0) ** 2) for x, x0 in zip(*map(jax.tree.leaves, (own, copies[player])), strict=True)
            )
            return smooth((*copies[:player], own, *copies[player + 1 :]))[player] - near / (2 * ETA)

        own = copies[player]
        for _ in range(rounds):
            own = jax.tree.map(lambda x, g, r=rate: x + r * g, own, jax.grad(gain)(own))
        answers.append(own)
    return tuple(answers)


TANDEM = payoffs_of(TandemGame())
START = jnp.array([0.4]), jnp.array([-0.1])


def tandem_step(order, rate):
    """a, b of the step a + b (x + y) that players of an order make in the tandem game, by hand."""
    a, b = 0.0, 0.0
    for _ in range(order + 1):
        a, b = 2 * rate * (1 - a * (1 + b)), -2 * rate * (1 + b) ** 2
    return a, b


@pytest.mark.parametrize("order", [0, 1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_where_the_tandem_game_ends(order):
    rate = 0.1

    def directions(copies):
        if order == 0:
            return own_directions(TANDEM, copies)
        return shaped_directions(TANDEM, copies, Mutual(rate, order))

    end = jax.jit(lambda c: ascend(directions, c, rate, 400))(START)
    a, b = tandem_step(order, rate)
    np.testing.assert_allclose(sum(end), -a / b, atol=1e-10)
    np.testing.assert_allclose(end[0] - end[1], START[0] - START[1], atol=CLOSED)  # both make the same steps
    # Plain learners stay on x + y = 1; players who look ahead both go further, to their own loss.
    assert (abs(float(sum(end)[0]) - 1) < 1e-10) if order == 0 else float(sum(end)[0]) > 1.1


def test_consistent_steps_in_the_tandem_game():
    rate = 0.1
    b = (-(4 * rate + 1) + np.sqrt(8 * rate + 1)) / (4 * rate)  # of b = -2 rate (1 + b)^2, the limit of all orders
    np.testing.assert_allclose(tandem_step(60, rate)[1], b, atol=CLOSED)
    np.testing.assert_allclose(-tandem_step(60, rate)[0] / b, 1 / (1 + b), atol=CLOSED)  # 1.17, not 1
    gaps = {}
    for order in (1, 2):
        gap = jax.jit(lambda rate, order=order: inconsistency(TANDEM, START, Mutual(rate, order))[0])
        for rate in (0.1, 1.0):
            (a0, b0), (a1, b1) = tandem_step(order - 1, rate), tandem_step(order, rate)
            gaps[rate, order] = float(gap(rate))
            np.testing.assert_allclose(gaps[rate, order], abs((a1 - a0) + (b1 - b0) * 0.3), atol=CLOSED)
    assert gaps[0.1, 2] < 0.5 * gaps[0.1, 1]
    assert gaps[1.0, 2] > gaps[1.0, 1]  # with a large rate there is no limit: assumptions get worse with the order


def test_lola_calms_matching_pennies():
    values = payoffs_of(MatrixGame(NormalForm(matching_pennies())))
    start = jnp.array([0.6, 0.0]), jnp.array([-0.3, 0.0])

    def away(directions):
        end = jax.jit(lambda c: ascend(directions, c, 1.0, 300))(start)
        return float(jnp.max(jnp.abs(jax.nn.softmax(jnp.stack(end))[:, 0] - 0.5)))

    at_first = float(jnp.max(jnp.abs(jax.nn.softmax(jnp.stack(start))[:, 0] - 0.5)))
    assert away(lambda c: own_directions(values, c)) > 2 * at_first
    assert away(lambda c: shaped_directions(values, c, Opponents(1.0))) < 1e-6


def test_two_lola_learners_cooperate_in_the_dilemma_and_plain_ones_do_not():
    game = IteratedGame(prisoners_dilemma(), 0.96)
    values = payoffs_of(game)
    keys = jax.random.split(jax.random.key(0), 4)

    def a_round(directions):
        def session(key):
            copies = tuple(0.1 * jax.random.normal(key, (2, 5)))
            return game.per_round * values(ascend(directions, copies, 1.0, 1000))

        return jax.jit(jax.vmap(session))(keys)

    assert float(jnp.max(a_round(lambda c: own_directions(values, c)))) < -1.99
    assert float(jnp.min(a_round(lambda c: shaped_directions(values, c, Opponents(1.0))))) > -1.1


def test_errors_name_the_field():
    one = jnp.zeros(1)
    for field, call in (
        ("rate", lambda: Opponents(0.0)),
        ("rate", lambda: Opponents([0.1, 0.2])),
        ("rate", lambda: Proximal(-1.0, 3)),
        ("inner_rate", lambda: Proximal(1.0, 3, 0.0)),
        ("steps", lambda: Proximal(1.0, 0)),
        ("rate", lambda: Mutual(np.nan, 2)),
        ("orders", lambda: Mutual(1.0, 0)),
        ("rate", lambda: ascend(lambda c: c, (one, one), 0.0, 3)),
        ("steps", lambda: ascend(lambda c: c, (one, one), 1.0, 0)),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.field == field
