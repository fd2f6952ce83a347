"""Talk before items are divided, learned: it leaves the equilibrium of selfish players as it is, and joint players use it."""

import jax
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.experiments.specification import Training
from dcg_econ.experiments.talkers import learning_form, players_for
from dcg_econ.learning import Retrained, as_protocol, default_optimiser, play, retrained_regret
from dcg_econ.mechanisms import PlannedNegotiation

GAME = PlannedNegotiation(deadline=3)
SESSIONS, STEPS, RATE = 8, 600, 0.01
TRAINING = Training(steps=STEPS, batch=64, softness=0.05, learning_rate=RATE, width=32)
CONTINUOUS = as_protocol(dcg.Continuous(width=3, through=dcg.GaussianNoise(sd=0.1)))
ONE_WORD = as_protocol(dcg.Chat(1))
SOFT = dcg.Relaxed(straight_through=True, temperature=1.0, rate=0.002, floor=0.2)
# Learned fractions of at most five items round to all of them above .9; the rest is the error of 4,000 plays, .3 points.
NEAR = 0.01
KEY = jax.random.key(0)


def learned(protocol, objective, estimator=None):
    form = learning_form(GAME, protocol, TRAINING)
    run = dcg.train(
        form,
        players_for(GAME, protocol, TRAINING),
        protocol,
        estimator=estimator,
        objective=objective,
        optimiser=default_optimiser(STEPS, RATE),
        steps=STEPS,
        batch=TRAINING.batch,
        sessions=SESSIONS,
        records=5,
        key=KEY,
    )

    def shares(agents):
        """Payoffs as shares of first best, on plays of whole items."""
        plays = jax.vmap(lambda k: play(GAME, agents, protocol.sharp(), key=k))(jax.random.split(KEY, 4000))
        return plays.payoffs.mean(axis=0) / plays.first_best.mean()

    return run, np.asarray(run.map(shares))


def last_proposer_takes_all():
    types = jax.vmap(GAME.sample_types)(jax.random.split(KEY, 4000))
    return float((types.pool * types.values[:, 1]).sum() / GAME.first_best(types).sum())


@pytest.mark.parametrize(("protocol", "estimator"), [(ONE_WORD, SOFT), (CONTINUOUS, None)], ids=("silence", "talk"))
def test_the_last_proposer_takes_all_whatever_was_said(protocol, estimator):
    run, shares = learned(protocol, dcg.Selfish(), estimator)
    exact = last_proposer_takes_all()
    print(f"payoffs {shares.mean(axis=0)} of first best; the last proposer's in theory {exact:.4f}")
    assert int(GAME.last_proposer()) == 1
    np.testing.assert_allclose(shares[:, 1], exact, atol=NEAR)
    assert shares[:, 0].max() < NEAR
    rule = Retrained(steps=100, batch=64, learning_rate=RATE, draws=4096)
    form = learning_form(GAME, protocol, TRAINING)
    regret = retrained_regret(
        GAME, run.session(0), protocol, rule=rule, learning_form=form, estimator=estimator, begin=STEPS, key=KEY
    )
    print(f"retrained regret of the first session {float(regret):.5f}")
    assert float(regret) < NEAR


def test_joint_players_gain_from_talk():
    _, silent = learned(ONE_WORD, dcg.Joint(), SOFT)
    _, talking = learned(CONTINUOUS, dcg.Joint())
    gains = talking.sum(axis=1) - silent.sum(axis=1)
    error = gains.std(ddof=1) / np.sqrt(SESSIONS)
    print(
        f"silence {silent.sum(axis=1).mean():.4f}, talk {talking.sum(axis=1).mean():.4f}, gain {gains.mean():.4f} ({error:.4f})"
    )
    assert gains.mean() > 3 * error
