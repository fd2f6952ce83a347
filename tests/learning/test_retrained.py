"""Retrained best replies, against best replies in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents import AbstractTalkers
from dcg_econ.agents.bids import Sides
from dcg_econ.learning import Retrained, retrained_regret
from dcg_econ.mechanisms import DoubleAuction, SoftAuction

AUCTION = DoubleAuction(k=0.5)
RULE = Retrained(steps=300, batch=256, learning_rate=0.02)
PROTOCOL = dcg.Protocol(dcg.Continuous(width=1, through=dcg.GaussianNoise(sd=0.1)))
# The softened rule moves best replies by terms of order width^2 = 4e-4, and Adam stops that close; in shares of first best.
NEAR = 0.005


class LinearTalkers(AbstractTalkers):
    """Says `spoken * type`, and reports `intercept + slope * type`, moved by what the other said."""

    intercept: jax.Array
    slope: jax.Array
    credulity: jax.Array
    spoken: jax.Array

    def raw(self, known, heard, turn):
        return (self.spoken * self._types(known))[:, None]

    def numbers(self, known, heard=None):
        return (self.intercept + self.slope * self._types(known) + self.credulity * heard[:, 1])[:, None]

    def assemble(self, numbers):
        return Sides(numbers[:1, 0], numbers[1:, 0])

    def _types(self, known):
        return jnp.concatenate([known.buyers, known.sellers])


def talkers(intercept, slope, credulity=(0.0, 0.0), spoken=(0.0, 0.0)):
    return LinearTalkers(*(jnp.array(x, float) for x in (intercept, slope, credulity, spoken)))


@jax.jit
def found(population):
    form = SoftAuction(AUCTION, width=0.02)
    return retrained_regret(AUCTION, population, PROTOCOL, rule=RULE, learning_form=form, key=jax.random.key(1))


def test_the_reply_to_truth_gains_what_it_does_in_closed_form():
    # Against an ask c ~ U[0, 1] the bid b earns v b - 3 b^2 / 4, so 2v/3 is best and gains v^2/12 over b = v: 1/36 on average.
    regret = found(talkers([0, 0], [1, 1]))
    assert np.asarray(regret.by_player) == pytest.approx([1 / 36, 1 / 36], abs=NEAR / 6)
    assert float(regret) == pytest.approx(1 / 6, abs=NEAR)
    silent = float(dcg.regret(AUCTION, dcg.AffineBids([0.0, 0.0], [1.0, 1.0])))
    assert float(regret) <= silent + NEAR


def test_nobody_gains_at_the_linear_equilibrium():
    regret = found(talkers([1 / 12, 1 / 4], [2 / 3, 2 / 3]))
    assert 0 <= float(regret) < NEAR


@pytest.mark.slow
def test_a_partner_who_believes_what_it_hears_is_talked_down():
    # This seller asks .3 m less for a message m: a buyer who learns to say much trades at will, which costs nobody else.
    honest = talkers([1 / 12, 1 / 4], [2 / 3, 2 / 3])
    naive = talkers([1 / 12, 1 / 4], [2 / 3, 2 / 3], credulity=[0, -0.3])
    fooled = found(naive)
    assert float(fooled.by_player[0]) > 0.05 > 10 * float(fooled.by_player[1])
    assert float(found(honest).by_player[0]) < 0.1 * float(fooled.by_player[0])


@pytest.mark.slow
def test_the_regret_of_a_profile_without_payoffs_is_not_known():
    lost = found(talkers([jnp.nan, 0.25], [2 / 3, 2 / 3]))
    assert np.isnan(float(lost))


def test_a_rule_that_trains_nobody_is_refused():
    with pytest.raises(dcg.InputError, match="steps"):
        Retrained(steps=0)
    with pytest.raises(dcg.InputError, match="learning_rate"):
        Retrained(learning_rate=0.0)
