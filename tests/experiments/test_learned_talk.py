"""The measures of learned talk against closed forms, and short training that already goes where theory says."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import CheapTalk, DiscreteChoice, GaussianChoice
from dcg_econ.mechanisms.cheap_talk import babbling, partition
from dcg_econ.mechanisms.inattention import GaussianAttention, attention
from tests.experiments.talk_measures import TYPES, channel_of, choice_of, learned, talk_of

QUADRATURE = 1e-4  # the signal is cut by tanh at 300: of x up to 7, some 2e-4 at the far end and 1e-5 on average
MIDPOINTS = 2 / TYPES  # a type beside an edge may be counted on its wrong side
SHORT = 0.1  # how near a few hundred steps come, as a share; untrained channels are off by half and more
THROUGH = dcg.GaussianBottleneck(limit=300.0)
PAYOFFS, PRIOR = np.array([[1.0, 0.0, 0.4], [0.0, 1.0, 0.4]]), np.array([0.6, 0.4])


@pytest.mark.slow
@pytest.mark.parametrize(("sd", "price"), [(1.0, 0.4), (2.0, 3.2)])
def test_the_best_channel_measures_as_in_theory(sd, price):
    theory = GaussianAttention(sd, price)
    response, noise = float(theory.response), float(theory.posterior_variance) / sd**2
    share = (np.sqrt(noise) - 0.01) / 1.99  # the spread is .01 + 1.99 sigmoid(scale + ln .99)
    scale = np.log(share / (1 - share)) - np.log(0.99)
    gain = np.sqrt(response)  # what is heard is then N(0, 1), as the prior has it
    best = SimpleNamespace(
        look=lambda x: jnp.concatenate([gain * x / sd, jnp.full(1, scale)]), act=lambda y: sd * gain * y
    )
    found = channel_of(best, THROUGH, sd)
    np.testing.assert_allclose(found.error, theory.posterior_variance, rtol=QUADRATURE)
    for rate in (found.charged, found.information, found.linear):
        np.testing.assert_allclose(rate, theory.rate, rtol=QUADRATURE)


@pytest.mark.slow
def test_a_wrong_prior_is_charged_for_and_tells_no_more():
    loud = SimpleNamespace(look=lambda x: jnp.concatenate([3 * x, jnp.zeros(1)]), act=lambda y: 0.3 * y)
    found = channel_of(loud, THROUGH, 1.0)  # unit noise: I = ln(10)/2, KL = 9/2, error = .1^2 + .3^2
    np.testing.assert_allclose(found.information, 0.5 * np.log(10), rtol=1e-4)  # the cut, and sums over 1401 points
    np.testing.assert_allclose(
        [found.charged, found.error], [4.5, 0.1], rtol=1e-3
    )  # the cut at 300 of signals up to 21


def test_the_best_choice_measures_as_in_theory():
    theory = attention(PAYOFFS, PRIOR, 0.3)
    logs = jnp.log(theory.conditional + 1e-300)
    exact = SimpleNamespace(look=lambda s: jnp.concatenate([s @ logs, jnp.log(theory.probabilities + 1e-300)]))
    found = choice_of(exact, DiscreteChoice(PAYOFFS, PRIOR))
    np.testing.assert_allclose(found.conditional, theory.conditional, atol=1e-12)
    np.testing.assert_allclose([found.information, found.charged], theory.rate, atol=1e-9)
    np.testing.assert_allclose(found.payoff, theory.payoff, atol=1e-12)


@pytest.mark.slow
def test_the_partition_measures_as_an_equilibrium_and_its_neighbour_does_not():
    game = CheapTalk(0.1)
    exact = partition(game.prior, 0.1, 2)
    sender, actions = (lambda row: 1e3 * exact.talk(row)[0]), exact.actions
    for talk in talk_of(SimpleNamespace(sender=sender, receiver=SimpleNamespace(actions=actions)), game):
        assert talk.cells == 2 and talk.sender < MIDPOINTS**2 and talk.receiver < MIDPOINTS**2
        np.testing.assert_allclose(talk.loss, exact.receiver_loss, atol=MIDPOINTS)
    honest, tempting = talk_of(SimpleNamespace(sender=sender, receiver=SimpleNamespace(actions=actions + 0.1)), game)
    np.testing.assert_allclose(honest.receiver, 0.01, atol=MIDPOINTS)
    np.testing.assert_allclose(tempting.loss, exact.receiver_loss + 0.01, atol=MIDPOINTS)


@pytest.mark.slow
def test_attention_is_learned():
    theory = GaussianAttention(1.0, 0.4)
    protocol = dcg.Protocol(dcg.Continuous(1, 1, price=0.4, through=THROUGH), private=True)
    run = learned(GaussianChoice(1.0), protocol, steps=500, batch=256, sessions=2, learning_rate=3e-2)
    found = run.map(lambda p: channel_of(p, THROUGH, 1.0))
    np.testing.assert_allclose(found.error, theory.posterior_variance, rtol=SHORT)
    np.testing.assert_allclose(found.charged, theory.rate, rtol=SHORT)
    assert (found.information <= found.charged + QUADRATURE).all()


@pytest.mark.slow
def test_choice_is_learned():
    theory, game = attention(PAYOFFS, PRIOR, 0.4), DiscreteChoice(PAYOFFS, PRIOR)
    assert theory.probabilities[2] == 0
    protocol = dcg.Protocol(dcg.Choice(3, price=0.4), private=True)
    found = learned(
        game, protocol, estimator=dcg.Enumerated(), steps=500, sessions=2, learning_rate=5e-2, batch=128
    ).map(lambda p: choice_of(p, game))
    np.testing.assert_allclose(found.conditional, np.broadcast_to(theory.conditional, (2, 2, 3)), atol=0.05)
    value = found.payoff - 0.4 * found.charged
    assert (value <= theory.value + 1e-9).all() and (value > theory.value - 0.01).all()


@pytest.mark.slow
def test_talk_is_learned():
    game = CheapTalk(0.1)
    protocol = dcg.Protocol(dcg.Chat(4), speakers=("sender",))
    run = learned(game, protocol, estimator=dcg.Enumerated(), steps=600, sessions=2, learning_rate=2e-2, batch=64)
    soft, _ = run.map(lambda p: talk_of(p, game))
    exact, none = partition(game.prior, 0.1, 2).receiver_loss, babbling(game.prior, 0.1).receiver_loss
    assert (soft.loss < exact + 0.25 * (none - exact)).all() and (soft.loss > exact - 0.005).all()
    assert (soft.receiver < 1e-3).all() and (soft.sender < 0.02).all()
