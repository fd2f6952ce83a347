"""A sweep of a mechanism's numbers compiles once."""

import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.learning import default_optimiser
from dcg_econ.mechanisms import QuantityMarket
from dcg_econ.priors import AbstractPrior

TRACES = []


class Counted(AbstractPrior):
    """Uniform on [1, 2], and a note of every time that Python is asked for a draw."""

    def sample(self, key, shape):
        TRACES.append(shape)
        return jax.random.uniform(key, shape, minval=1.0, maxval=2.0)

    def mean(self):
        return jnp.asarray(1.5)

    def std(self):
        return jnp.asarray(12**-0.5)

    def quadrature(self):
        return jnp.array([1.5]), jnp.ones(1)


def run(slope, curvature=1.0, steps=6, **settings):
    market = QuantityMarket(curvature=jnp.full(2, curvature), values=Counted(), outside_slope=slope)
    return dcg.train(
        market,
        lambda key: dcg.Shared(dcg.QuantityAgent(key=key, width=4)),
        steps=steps,
        batch=4,
        sessions=2,
        records=2,
        record_draws=8,
        key=jax.random.key(0),
        **settings,
    )


def test_a_sweep_of_numbers_compiles_once():
    TRACES.clear()
    first = run(0.5)
    once = len(TRACES)
    regrets = [run(0.5 + 0.1 * n, curvature=1 + 0.1 * n).regret[0, -1] for n in range(5)]
    assert 0 < once == len(TRACES)
    assert len(np.unique(regrets)) == 5 and regrets[0] == first.regret[0, -1]


def test_a_learning_rate_of_ones_own_compiles_once():
    TRACES.clear()
    run(0.5, optimiser=default_optimiser(6, 3e-3))
    once = len(TRACES)
    run(0.6, optimiser=default_optimiser(6, learning_rate=3e-3))
    assert 0 < once == len(TRACES)
    assert default_optimiser(6, 3e-3) is not default_optimiser(6)
