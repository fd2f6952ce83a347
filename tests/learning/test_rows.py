import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.learning.rows import own_rows

N, KNOTS = 3, jnp.linspace(-1.0, 1.0, 5)
CURVES = dcg.Shared(dcg.CurveAgent(KNOTS, key=jax.random.key(0), width=4))
NUMBERS = jax.random.normal(jax.random.key(1), (N, 5))


def test_rows_make_the_reports_that_numbers_make():
    for population in (CURVES, dcg.Shared(dcg.QuantityAgent(key=jax.random.key(0), width=4))):
        rows, reports = own_rows(population, NUMBERS)
        assert all(leaf.shape[0] == N for leaf in jax.tree.leaves(rows))
        assert eqx.tree_equal(reports(rows), population.assemble(NUMBERS))


def test_own_derivatives_pass_through_rows_unchanged():
    # Payoffs of each player that read everybody's curves at a price, and what was asked for at the knots.
    def payoffs(curves):
        total = jnp.sum(curves(jnp.asarray(0.3)))
        return curves(jnp.asarray(-0.2)) * total - jnp.sum(curves.values**2, axis=1) + jnp.sum(curves.values) ** 2

    direct = jnp.einsum("iik->ik", jax.jacrev(lambda x: payoffs(CURVES.assemble(x)))(NUMBERS))
    rows, reports = own_rows(CURVES, NUMBERS)
    at_rows = jax.tree.map(lambda x: jnp.einsum("ii...->i...", x), jax.jacrev(lambda r: payoffs(reports(r)))(rows))
    _, back = jax.vjp(lambda x: own_rows(CURVES, x)[0], NUMBERS)
    np.testing.assert_allclose(back(at_rows)[0], direct, atol=1e-12)
