"""The priors of pools, values and deadlines, and what is refused by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms.bargaining.item_agents import Concede, Demand, Truthful
from dcg_econ.mechanisms.bargaining.item_negotiation import ItemMove, ItemNegotiation, negotiate
from dcg_econ.mechanisms.bargaining.item_priors import (
    Deadline,
    IndependentItems,
    ItemTypes,
    ListedItems,
    totalled_items,
)
from dcg_econ.mechanisms.bargaining.item_summary import summarise

EXACT = 1e-12  # values are whole points: sums of a few products in x64
ERRORS = 5  # standard errors within which a sample of fixed seed must meet an expectation
TALK = ItemNegotiation(silence=jnp.zeros(3))


def instance(pool, values):
    return ItemTypes(jnp.array(pool, jnp.int32), jnp.array(values, float))


@pytest.mark.slow
def test_the_priors_are_those_of_the_papers():
    sample = jax.jit(lambda key: jax.vmap(IndependentItems().sample)(jax.random.split(key, 20_000)))
    types = jax.tree.map(np.asarray, sample(jax.random.key(4)))
    assert types.pool.min() == 0 and types.pool.max() == 5 and types.values.max() == 10
    assert (types.values > 0).any(-1).all()
    np.testing.assert_allclose(types.pool.mean(0), 2.5, atol=ERRORS * 1.71 / np.sqrt(20_000))
    # Ruling out the zero vector lifts the mean of 5 by 1331/1330.
    np.testing.assert_allclose(types.values.mean(0), 5 * 1331 / 1330, atol=ERRORS * 3.17 / np.sqrt(20_000))
    listed = totalled_items()
    pools, values = np.asarray(listed.pools), np.asarray(listed.values)
    assert pools.min() == 1 and set(pools.sum(1).tolist()) == {5, 6, 7} and listed.most == 5
    assert (np.einsum("mk,mjk->mj", pools, values) == 10).all()
    assert (values > 0).any(1).all() and (values > 0).all(1).any(1).all()
    assert len({(*p, *v.ravel()) for p, v in zip(pools.tolist(), values, strict=True)}) == len(pools)
    state = ItemNegotiation(items=listed).start(jax.random.key(0))
    assert jnp.all(state.types.values @ state.types.pool == 10) and not bool(state.over)


def test_the_deadline_is_a_truncated_poisson():
    deadline = Deadline.poisson()
    chances = np.array([0, 0, 0, *(7.0**n / np.prod(np.arange(1.0, n + 1)) for n in range(4, 11))])
    chances /= chances.sum()
    np.testing.assert_allclose(deadline.weights / deadline.weights.sum(), chances, atol=EXACT)
    sample = jax.jit(lambda key: jax.vmap(deadline.sample)(jax.random.split(key, 20_000)))
    drawn = np.bincount(sample(jax.random.key(0)), minlength=11)[1:]
    assert np.all(np.abs(drawn / 20_000 - chances) <= ERRORS * np.sqrt(chances / 20_000))
    hazards = np.asarray(deadline.hazard(jnp.arange(10)))
    np.testing.assert_allclose(hazards, chances / np.cumsum(chances[::-1])[::-1], atol=EXACT)
    assert hazards[9] == 1 and int(deadline.last()) == 10 and int(Deadline.fixed(3, 8).last()) == 3


GOOD = instance([1, 2, 3], [[1, 0, 2], [0, 1, 5]])
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: ItemNegotiation(deadline=0), "turns"),
        (lambda: Deadline.fixed(9, longest=8), "turns"),
        (lambda: Deadline.fixed(jnp.array(2.5)), "turns"),
        (lambda: Deadline(jnp.zeros(3)), "weights"),
        (lambda: Deadline(jnp.array([1.0, -1.0])), "weights"),
        (lambda: Deadline(1.0), "weights"),
        (lambda: Deadline.poisson(fewest=0), "fewest"),
        (lambda: IndependentItems(kinds=0), "kinds"),
        (lambda: IndependentItems(most=-1), "most"),
        (lambda: IndependentItems(highest=0), "highest"),
        (lambda: IndependentItems(kinds=12), "kinds"),
        (lambda: ListedItems([[1, 2]], [[1.0, 2.0]]), "values"),
        (lambda: ListedItems([[1, -2]], [[[1, 2], [1, 2]]]), "pool"),
        (lambda: ListedItems([1, 2], [[1, 2], [1, 2]]), "pools"),
        (lambda: totalled_items(total=1), "total"),
        (lambda: ItemNegotiation(items=3), "items"),
        (lambda: TALK.begin(GOOD, 0), "limit"),
        (lambda: TALK.begin(instance([1, -2, 3], GOOD.values), 4), "pool"),
        (lambda: TALK.begin(instance([1, 2, 9], GOOD.values), 4), "pool"),
        (lambda: TALK.begin(GOOD._replace(pool=jnp.ones(3)), 4), "pool"),
        (lambda: TALK.begin(instance([1, 2, 3], [[0, 0, 0], [1, 1, 1]]), 4), "values"),
        (lambda: TALK.begin(instance([1, 2, 3], [[1, -1, 0], [1, 1, 1]]), 4), "values"),
        (lambda: TALK.begin(instance([1, 2], [[1, 1], [1, 1]]), 4), "pool"),
        (lambda: TALK.bargaining_set(instance([1, 2, 3], [1, 1, 1])), "values"),
        (lambda: Demand(1.5), "share"),
        (lambda: Concede(final=-0.1), "final"),
        (lambda: negotiate(TALK, (Demand(1.0),), KEY), "agents"),
        (lambda: negotiate(ItemNegotiation(), (Truthful(), Truthful()), KEY), "silence"),
        (lambda: TALK.step(TALK.start(KEY), ItemMove(jnp.array(True), jnp.ones(3), jnp.zeros(3))), "kept"),
        (lambda: TALK.step(TALK.start(KEY), ItemMove(jnp.array(True), jnp.ones(3, int), jnp.zeros(2))), "say"),
        (lambda: summarise(TALK, negotiate(TALK, (Demand(1.0), Demand(1.0)), KEY)), "episodes"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(dcg.InputError, match=f"^{name}: .*; "):
        call()
