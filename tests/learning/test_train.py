import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.learning import default_optimiser
from dcg_econ.mechanisms import CurveMarket

MARKET = CurveMarket(curvature=jnp.ones(3), outside_slope=0.5, price_bounds=(-1.5, 1.5))


def make(key):
    return dcg.Shared(dcg.CurveAgent(jnp.linspace(-1.5, 1.5, 8), key=key, width=8))


def run(sessions, steps=60, records=3, market=MARKET, agents=make, **settings):
    sizes = {"steps": steps, "batch": 32, "sessions": sessions, "records": records, "record_draws": 64}
    return dcg.train(market, agents, key=jax.random.key(3), **sizes, **settings)


@pytest.fixture(scope="module")
def two():
    return run(2)


def test_learning_reduces_regret_towards_nash(two):
    assert two.efficiency.shape == two.regret.shape == two.failed.shape == (2, 4)
    assert two.steps.tolist() == [0, 20, 40, 60]
    assert np.all(two.regret[:, -1] < 0.1 * two.regret[:, 0])
    assert not np.allclose(two.efficiency[0, 0], two.efficiency[1, 0])  # sessions start apart


@pytest.mark.slow
def test_a_session_does_not_depend_on_how_many_run_beside_it(two):
    alone = run(1)
    np.testing.assert_allclose(alone.regret[0], two.regret[0], rtol=1e-6)


def test_training_again_gives_the_same_numbers(two):
    again = run(2)
    np.testing.assert_array_equal(again.efficiency, two.efficiency)
    np.testing.assert_array_equal(again.regret, two.regret)


def test_a_session_is_a_profile_like_any_other(two):
    draws = dcg.Draws(64, jax.random.key(0))
    alone = float(dcg.regret(MARKET, two.session(1), draws))
    both = two.map(lambda p: dcg.regret(MARKET, p, draws).epsilon)
    assert alone < 0.05 and float(both[1]) == pytest.approx(alone, rel=1e-6)


def test_history_is_a_tidy_frame(two):
    frame = two.to_frame()
    assert list(frame.columns) == ["session", "step", "efficiency", "soft", "regret", "nats", "length", "failed"]
    assert len(frame) == 8 and frame["session"].nunique() == 2 and frame["step"].max() == 60


@pytest.mark.slow
def test_progress_is_reported():
    seen = []
    run(1, progress=lambda done, total, text: seen.append((done, total, text)))
    assert [(d, t) for d, t, _ in seen] == [(20, 60), (40, 60), (60, 60)]
    assert all("efficiency" in text and "regret" in text for _, _, text in seen)


def broken(key):
    """The same agents, but where the key says so one number of the net is not finite."""
    population = make(key)
    lost = jax.random.uniform(jax.random.fold_in(key, 9)) < 0.7  # the first of two sessions
    return eqx.tree_at(
        lambda p: p.agent.net.layers[-1].bias,
        population,
        replace_fn=lambda bias: bias.at[0].set(jnp.where(lost, jnp.inf, bias[0])),
    )


def test_a_lost_session_says_so_and_leaves_the_others_whole(two):
    mixed = run(2, agents=broken)
    assert np.all(np.isnan(mixed.efficiency[0])) and np.all(np.isnan(mixed.regret[0]))
    assert mixed.failed[0].tolist() == [0, 1, 1, 1]  # nothing is played before the first record
    for name in ("efficiency", "regret", "failed"):
        np.testing.assert_array_equal(getattr(mixed, name)[1], getattr(two, name)[1])
    for mine, theirs in zip(jax.tree.leaves(mixed.session(1)), jax.tree.leaves(two.session(1)), strict=True):
        assert not eqx.is_array(mine) or np.array_equal(mine, theirs)


@pytest.mark.slow
def test_training_that_diverges_comes_back(two):
    lost = run(2, optimiser=default_optimiser(60, 1e300))
    np.testing.assert_array_equal(lost.regret[:, 0], two.regret[:, 0])
    assert np.all(np.isnan(lost.regret[:, -1]) | (lost.regret[:, -1] > two.regret[:, 0]))
    assert np.all(np.isnan(lost.efficiency[:, 1:])) and np.all(lost.failed[:, -1] == 1)


def test_markets_of_extreme_numbers_come_back():
    extreme = run(2, market=eqx.tree_at(lambda m: m.curvature, MARKET, jnp.full(3, 1e300, float)))
    assert not np.any(np.abs(extreme.efficiency) <= 1)
    with pytest.raises(dcg.InputError, match="curvature is not a number"):
        run(2, market=eqx.tree_at(lambda m: m.curvature, MARKET, jnp.full(3, jnp.nan, float)))


@pytest.mark.parametrize("field", ["steps", "batch", "sessions", "records"])
def test_bad_settings_are_named(field):
    settings = {"steps": 2, "batch": 2, "sessions": 1, "records": 1} | {field: 0}
    with pytest.raises(dcg.InputError, match=field):
        dcg.train(MARKET, make, key=jax.random.key(0), **settings)
