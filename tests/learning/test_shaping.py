"""Learning with a lookahead at the others' learning, inside `train`'s own gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ._errors import InputError
from dcg_econ.agents.frozen import split_learned
from dcg_econ.learning import gradient_ascent
from dcg_econ.learning.gradient import Game
from dcg_econ.learning.lookahead import shaped_directions
from dcg_econ.mechanisms import IteratedGame
from dcg_econ.mechanisms.finite_games import Tables, payoffs_of, prisoners_dilemma
from tests.learning.talking import GAME, bargainers, flat

LOLA = dcg.Shaped(dcg.Opponents(1.0))


def test_a_step_of_training_is_the_exact_step():
    game = IteratedGame(prisoners_dilemma(), 0.96)
    with jax.enable_x64(True):
        run = dcg.train(
            game,
            lambda key: Tables(key=key, spread=1.0),
            objective=LOLA,
            optimiser=gradient_ascent(1.0),
            steps=1,
            batch=1,
            sessions=2,
            records=1,
            key=jax.random.key(0),
        )
        for session in range(2):
            start = Tables(key=jax.random.fold_in(jax.random.key(0), session), spread=1.0).rows
            steps = shaped_directions(payoffs_of(game), tuple(start), LOLA.lookahead)
            np.testing.assert_allclose(run.session(session).rows, start + jnp.stack(steps), rtol=1e-6, atol=1e-9)


NOISY = dcg.Protocol(dcg.Continuous(1, 2, through=dcg.GaussianNoise(0.3)))


@eqx.filter_jit
def directions(objective):
    learned, rest = split_learned(bargainers(NOISY))
    game = Game(GAME, NOISY, dcg.Pathwise(), objective, rest)
    return flat(game.gradient(learned, None, jax.random.key(2), jnp.asarray(0), 32)[0])


@pytest.mark.slow
def test_without_a_step_ahead_it_is_plain_learning():
    plain, near = directions(dcg.Selfish()), directions(dcg.Shaped(dcg.Opponents(1e-6)))
    np.testing.assert_allclose(near, plain, rtol=1e-3, atol=1e-5)
    far = directions(dcg.Shaped(dcg.Opponents(3.0)))
    assert float(jnp.linalg.norm(far - plain)) > 1e-2 * float(jnp.linalg.norm(plain))


@pytest.mark.parametrize("estimator", [dcg.ScoreFunction(), dcg.Enumerated()])
def test_a_lookahead_needs_a_channel_with_derivatives(estimator):
    protocol = dcg.Protocol(dcg.Chat(2))
    with pytest.raises(InputError, match=r"objective.*looks ahead"):
        dcg.train(
            GAME,
            lambda key: bargainers(protocol),
            protocol,
            estimator=estimator,
            objective=LOLA,
            steps=1,
            batch=4,
            key=jax.random.key(0),
        )
    assert eqx.tree_equal(LOLA.weights(2), dcg.Selfish().weights(2))
