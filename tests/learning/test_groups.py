"""Sessions learn in groups that fit a processor's caches; nothing about a session depends on its group."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents import Predicted, Transformer
from dcg_econ.experiments.referential import Entry, nets
from dcg_econ.learning.steps import together
from dcg_econ.mechanisms import CurveMarket, Reconstruction

ROUNDING = 1e-12  # after a few steps; groups of another size add up in another order


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="on accelerators all sessions go side by side")
def test_groups_are_of_one_size_and_play_about_256_episodes():
    assert [together(*x) for x in ((16, 32), (12, 32), (7, 64), (20, 512), (3, 8))] == [8, 6, 1, 1, 3]


def market(sessions):
    knots = jnp.linspace(-1.5, 1.5, 4)
    return dcg.train(
        CurveMarket(curvature=jnp.ones(3), outside_slope=0.5),
        lambda key: dcg.Shared(dcg.CurveAgent(knots, key=key, width=4, depth=1)),
        steps=3,
        batch=128,
        records=1,
        record_draws=8,
        sessions=sessions,
        key=jax.random.key(0),
    )


def talk(sessions):
    """Transformers that keep some arrays of no length."""
    game, language = Reconstruction(), dcg.Continuous(1, 4, through=dcg.GaussianNoise(0.3))
    entry = Entry("pathwise", language, dcg.Pathwise(), 1e-2)
    make = nets(game, entry.language, 8, Transformer(awareness=Predicted()))
    return dcg.train(
        game, make, language, steps=2, batch=256, records=1, record_draws=8, sessions=sessions, key=jax.random.key(0)
    )


@pytest.mark.parametrize("run", [market, talk])
def test_a_session_is_the_same_alone_and_in_groups(run):
    alone, grouped = run(1), run(4)
    first = (eqx.filter(run.session(0), eqx.is_inexact_array) for run in (alone, grouped))
    for mine, theirs in zip(*map(jax.tree.leaves, first), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=ROUNDING)
