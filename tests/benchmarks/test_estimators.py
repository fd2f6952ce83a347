"""A step of learning on the referential game, twenty sessions side by side: each way against the pathwise one.

Settings are those of the study `referential`: GRU of width 64, 3 attributes of 5 values, batch 512; a step draws objects,
plays, takes the gradient and updates both nets. A published toolkit needed 20 to 36 ms a step with symbols and 1.5 to 6 ms with
continuous messages, on one core of another machine: for scale, not for a ratio.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import dcg_econ as dcg
from dcg_econ.agents import Placebo, Plain, Predicted, Running, Transformer
from dcg_econ.agents.frozen import split_learned
from dcg_econ.experiments.referential import Entry, nets, protocol_of
from dcg_econ.learning import default_optimiser
from dcg_econ.learning.gradient import Game
from dcg_econ.learning.steps import advance, begin
from dcg_econ.mechanisms import Reconstruction
from tests.benchmarks.ratios import against, compare

GAME, STEPS, BATCH = Reconstruction(), 4, 512
PATHWISE = Entry("pathwise", dcg.Continuous(1, 32, through=dcg.GaussianNoise(0.3)), dcg.Pathwise(), 2e-2)
CHAT = dcg.Chat(8, 4)
SYMBOLS = (
    Entry("score function", CHAT, dcg.ScoreFunction(dcg.LeaveOneOut(), 0.6), 2e-2),
    Entry("straight-through", CHAT, dcg.Relaxed(4.0, straight_through=True), 1e-2),
    Entry("relaxed", CHAT, dcg.Relaxed(1.0), 1e-2),
)


def steps_of(entry, sessions, kind=None):
    """A function that takes STEPS steps of learning, from the same start each time; with nets of a `kind`, else GRUs."""
    keys = jax.random.split(jax.random.key(0), sessions)
    learned, rest = split_learned(eqx.filter_vmap(nets(GAME, entry.language, 32 if kind else 64, kind))(keys))
    game = Game(GAME, protocol_of(entry.language), entry.estimator, dcg.Joint(), rest)
    optimiser = default_optimiser(780, entry.learning_rate)
    state = jax.vmap(optimiser.init)(learned), begin(game, learned, keys, BATCH)
    return lambda: advance(game, optimiser, learned, state, keys, jnp.asarray(0), STEPS, BATCH, None)[2]


@pytest.mark.parametrize("sessions", [20])
@pytest.mark.parametrize("entry", SYMBOLS, ids=lambda entry: entry.name)
def test_a_step_of_learning(put, entry, sessions):
    ours, pathwise = steps_of(entry, sessions), steps_of(PATHWISE, sessions)
    found = compare(ours, pathwise, rounds=3)
    work = f"{STEPS} steps of the referential game, {sessions} session{'s' * (sessions > 1)}, {entry.name}"
    put(against(work, "the same, pathwise", found))
    assert not jnp.any(ours())  # nothing failed


@pytest.mark.parametrize(
    "awareness", [Running(), Predicted(), Placebo()], ids=lambda awareness: type(awareness).__name__
)
def test_what_awareness_costs(put, awareness):
    """Transformers of two layers of width 32, told how much their tokens matter, against the same told nothing."""
    aware, plain = (steps_of(PATHWISE, 1, Transformer(awareness=kind)) for kind in (awareness, Plain()))
    found = compare(aware, plain, rounds=3)
    work = f"{STEPS} steps with {type(awareness).__name__.lower()} norms in attention"
    put(against(work, "the same, plain attention", found))
    assert not jnp.any(aware())
