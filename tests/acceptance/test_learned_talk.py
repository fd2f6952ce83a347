"""Learned attention and learned cheap talk beside their theory: many sessions, measured by quadrature, printed in full."""

import time

import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import CheapTalk, DiscreteChoice, GaussianChoice
from dcg_econ.mechanisms.cheap_talk import babbling, most_cells, partition
from dcg_econ.mechanisms.inattention import GaussianAttention, attention, gaussian_distortion
from tests.experiments.talk_measures import channel_of, choice_of, learned, row_of, talk_of

SHARE = 0.02  # how far posterior variance, rate and payoffs may be from theory: batches as below leave about 1%
FRONTIER = 0.01  # of s^2: above the least distortion at the learned channel's information
BELOW = 1e-6  # of s^2: what quadrature leaves; no channel is below the frontier
SHUT = 0.01  # nats
ON_THE_EDGE = (
    0.02  # nats: at lam = 2 s^2 the payoff is flat to fourth order, so that noise of gradients moves the signal
)
CHANCE = 0.02  # of choice probabilities: an action left out fades like a logit that has no reason to stop
EXACT = 0.001  # of the receiver's loss: an approximate equilibrium may tell a little more than the exact ones
RECEIVER = 1e-3  # squared units of the type; babbling after full talk would cost 1/12
SENDER = 0.02  # the same; words that nobody says keep actions nobody corrects, and these may tempt

THROUGH = dcg.GaussianBottleneck(limit=30.0)  # far beyond the signals, so that its tanh is linear
TRACES = []


class Counted(GaussianChoice):
    """With a note of every time that Python is asked for a draw."""

    def sample_types(self, key):
        TRACES.append(key)
        return super().sample_types(key)


def attentive(sd, price, **settings):
    protocol = dcg.Protocol(dcg.Continuous(1, 1, price=price, through=THROUGH), private=True)
    settings = {"steps": 2000, "batch": 256} | settings
    return learned(Counted(sd), protocol, sessions=5, **settings).map(lambda p: channel_of(p, THROUGH, sd))


def shown(label, theory, channel):
    print(
        f"{label}: D {theory.posterior_variance:.4f} learned {row_of(channel.error)}; R {theory.rate:.4f} "
        f"charged {row_of(channel.charged)}, information {row_of(channel.information)}, if linear {row_of(channel.linear)}"
    )


def on_the_frontier(sd, channel, theory):
    np.testing.assert_allclose(channel.error, theory.posterior_variance, rtol=SHARE)
    for rate in (channel.charged, channel.information, channel.linear):
        np.testing.assert_allclose(rate, theory.rate, rtol=SHARE)
    assert (channel.information <= channel.charged + BELOW).all()
    above = (channel.error - gaussian_distortion(sd, channel.information)) / sd**2
    assert (above > -BELOW).all() and (above < FRONTIER).all()


@pytest.mark.parametrize(
    ("settings", "points"),
    [
        ({}, ((1.0, 0.1), (1.0, 0.4), (1.0, 0.8))),
        ({"batch": 1024, "learning_rate": 5e-3}, ((1.0, 1.2), (1.0, 1.6), (2.0, 3.2))),  # small rates need less noise
    ],
)
def test_attention_to_a_normal_variable(settings, points):
    TRACES.clear()
    start, once = time.perf_counter(), None
    print(
        f"\n5 sessions, 2000 steps of 256, learning rate .01, but for {settings}; mean, sd, least, largest over sessions"
    )
    for sd, price in points:
        theory, channel = GaussianAttention(sd, price), attentive(sd, price, **settings)
        shown(f"s {sd:g}, lam {price:g}", theory, channel)
        on_the_frontier(sd, channel, theory)
        once = once or len(TRACES)
    shut = attentive(1.0, 2.6, **settings)
    shown("s 1, lam 2.6", GaussianAttention(1.0, 2.6), shut)
    assert (shut.charged < SHUT).all() and (shut.information < SHUT).all()
    assert 0 < once == len(TRACES)  # a sweep of prices and variances is compiled once
    print(f"{time.perf_counter() - start:.0f} s")


def test_attention_just_where_it_stops_paying():
    # At lam = 2 s^2 the best rate is zero, but k of signal costs only k^4: batches are larger, and the claim is weaker.
    edge = attentive(1.0, 2.0, batch=2048)
    print()
    shown("s 1, lam 2, batch 2048", GaussianAttention(1.0, 2.0), edge)
    assert (edge.charged < ON_THE_EDGE).all()
    np.testing.assert_allclose(
        edge.error + 2.0 * edge.charged, 1.0, atol=1e-3
    )  # the payoff, net, is that of no attention


@pytest.mark.parametrize("price", [0.2, 0.4, 0.7])
def test_attention_to_finitely_many_actions(price):
    payoffs = np.array([[1.0, 0.0, 0.0, 0.4], [0.0, 1.0, 0.0, 0.4], [0.0, 0.0, 1.0, 0.4]])
    prior = np.array([0.5, 0.3, 0.2])
    theory, game = attention(payoffs, prior, price), DiscreteChoice(payoffs, prior)
    assert theory.probabilities[3] == 0 and theory.slack[3] > 0.1  # the safe action is never chosen
    start = time.perf_counter()
    protocol = dcg.Protocol(dcg.Choice(4, price=price), private=True)
    steps = {"steps": 3000, "learning_rate": 3e-2, "sessions": 5}
    run = learned(game, protocol, estimator=dcg.Enumerated(), **steps)
    found = run.map(lambda p: choice_of(p, game))
    value = found.payoff - price * found.charged
    largest = np.abs(found.conditional - theory.conditional).max(axis=(1, 2))
    print(
        f"\nlam {price}: chances off by at most {row_of(largest)}; information {float(theory.rate):.4f} learned "
        f"{row_of(found.information)}, charged {row_of(found.charged)}; payoff {float(theory.payoff):.4f} "
        f"{row_of(found.payoff)}; value {float(theory.value):.4f} {row_of(value)}; "
        f"the action never chosen {row_of((prior @ found.conditional)[:, 3])}; {time.perf_counter() - start:.0f} s"
    )
    assert (largest < CHANCE).all()
    for learnt, exact in (
        (found.information, theory.rate),
        (found.charged, theory.rate),
        (found.payoff, theory.payoff),
        (value, theory.value),
    ):
        np.testing.assert_allclose(learnt, exact, rtol=SHARE)
    assert (value <= theory.value + 1e-9).all()  # no attention is worth more than the best


def talked(bias, estimator, **settings):
    """Twenty sessions of learned cheap talk, printed beside the exact equilibria: (soft, greedy)."""
    game = CheapTalk(bias)
    cells = most_cells(game.prior, bias)
    best, none = partition(game.prior, bias, cells), babbling(game.prior, bias)
    start = time.perf_counter()
    protocol = dcg.Protocol(dcg.Chat(cells + 3), speakers=("sender",))
    settings = {"steps": 2000, "batch": 64, "sessions": 20} | settings
    run = learned(game, protocol, estimator=estimator, **settings)
    found = run.map(lambda p: talk_of(p, game))
    print(
        f"\nbias {bias:g}, {type(estimator).__name__}, {cells + 3} words, {settings}: {time.perf_counter() - start:.0f} s; "
        f"at most {cells} cells, exact loss {float(best.receiver_loss):.5f}, babbling {float(none.receiver_loss):.5f}"
    )
    for name, talk in zip(("soft", "greedy"), found, strict=True):
        for field, values in talk._asdict().items():
            print(f"  {name:6s} {field:9s} {row_of(values)}")
        print(f"  {name:6s} sessions by cells {dict(zip(*np.unique(talk.cells, return_counts=True), strict=True))}")
    for talk in found:
        assert (talk.loss > best.receiver_loss - EXACT).all() and (talk.loss < none.receiver_loss).all()
        assert (talk.receiver < RECEIVER).all() and (talk.sender < SENDER).all()
        assert (talk.sender > -1e-12).all() and (talk.receiver >= 0).all()
    return game, best, found


@pytest.mark.parametrize("bias", [0.2, 0.1, 0.05, 0.02])
def test_cheap_talk_by_all_words(bias):
    _, best, (soft, greedy) = talked(bias, dcg.Enumerated())
    assert np.mean(soft.loss) < best.receiver_loss + 0.1 * (1 / 12 - best.receiver_loss)
    assert (greedy.cells >= 2).all()


def test_cheap_talk_by_the_score_function():
    _, best, (soft, _) = talked(0.1, dcg.ScoreFunction(dcg.LeaveOneOut()), batch=128)
    assert jnp.mean(soft.loss) < best.receiver_loss + 0.25 * (1 / 12 - best.receiver_loss)
