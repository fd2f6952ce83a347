"""Noise, its price and its capacity; chains of channels and the gradient tap."""

import math
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import dcg_econ as dcg
from dcg_econ.channels.categorical import Categorical
from dcg_econ.diagnostics.null_channels import ConstantMessage, Zeroed
from tests.learning.talking import hotelling

CLOSED = 1e-12  # closed forms of a few dozen operations in x64
QUADRATURE = 1e-7  # scipy's adaptive rule is asked for 1e-10 on densities that are smooth between its break points
LEVEL = 1e-4  # of each statistical test; keys are fixed, so that they pass or fail for good
HUGE = 1e6  # a raw number that no limit or floor tells from infinity
DRAWS = 20_000
KEY = jax.random.key(0)
NOISE = dcg.GaussianNoise(sd=0.3, limit=2.0)
BOTTLENECK = dcg.GaussianBottleneck(limit=3.0, floor=0.2)
MESSAGE = jnp.array([0.4, -1.3, 2.5, 0.1])
many = settings(max_examples=30, deadline=None)
raws = st.lists(st.floats(-HUGE, HUGE), min_size=4, max_size=4).map(lambda x: jnp.asarray(x, float))


@pytest.fixture(scope="module", params=(NOISE, BOTTLENECK), ids=("noise", "bottleneck"))
def channel(request):
    return request.param


def test_the_cost_is_the_divergence_from_the_prior(channel):
    signal, spread = map(np.asarray, channel.law(MESSAGE))
    nats = float(channel(MESSAGE, KEY)[1].nats)
    assert nats == pytest.approx(0.5 * np.sum(signal**2 + spread**2 - 1 - np.log(spread**2)), abs=CLOSED)

    def divergence(x, s):
        law, prior = stats.norm(x, s), stats.norm()
        ends = x - 12 * s, x + 12 * s
        return integrate.quad(lambda y: law.pdf(y) * (law.logpdf(y) - prior.logpdf(y)), *ends, epsabs=1e-10)[0]

    assert nats == pytest.approx(sum(map(divergence, signal, spread)), abs=QUADRATURE)


@pytest.mark.slow
def test_the_cost_is_the_mean_log_ratio_of_draws(channel):
    heard, info = jax.jit(jax.vmap(lambda k: channel(MESSAGE, k)))(jax.random.split(KEY, DRAWS))
    ratios = np.asarray(info.log_prob) - stats.norm.logpdf(heard).sum(axis=1)
    assert hotelling(ratios[:, None], np.asarray(info.nats[:1])) > LEVEL


@pytest.mark.slow
def test_what_is_heard_is_normal_about_the_signal(channel):
    signal, spread = channel.law(MESSAGE)
    heard, _ = jax.jit(jax.vmap(lambda k: channel(MESSAGE, k)))(jax.random.split(KEY, DRAWS))
    z = (np.asarray(heard) - np.asarray(signal)) / np.asarray(spread)
    assert min(stats.kstest(column, "norm").pvalue for column in z.T) > LEVEL
    correlations = np.corrcoef(z.T)[np.triu_indices(z.shape[1], 1)]
    assert np.all(np.abs(correlations) < 4.5 / np.sqrt(DRAWS))  # a chance of less than 1e-5 each


def test_the_log_density_and_the_entropy_are_scipys(channel):
    signal, spread = map(np.asarray, channel.law(MESSAGE))
    heard, info = channel(MESSAGE, KEY)
    law = stats.norm(signal, spread)
    assert float(info.log_prob) == pytest.approx(law.logpdf(heard).sum(), abs=CLOSED)
    assert float(info.entropy) == pytest.approx(law.entropy().sum(), abs=CLOSED)


def test_the_score_holds_fixed_what_was_received():
    """With log_prob of a draw that moves along, the derivative in the signal would cancel to nought."""
    signal, spread = jnp.array([0.4, -1.2, 2.0]), jnp.array([0.5, 0.2, 3.0])
    heard, _ = NOISE.received(signal, spread, KEY)
    slopes = jax.jit(jax.grad(lambda x, s: NOISE.received(x, s, KEY)[1].log_prob, (0, 1)))(signal, spread)
    away = heard - signal
    assert float(jnp.min(jnp.abs(away / spread))) > 1e-3  # else the derivatives would be nought by chance
    np.testing.assert_allclose(slopes[0], away / spread**2, atol=CLOSED)
    np.testing.assert_allclose(slopes[1], away**2 / spread**3 - 1 / spread, atol=CLOSED)
    pathwise = jax.jit(jax.jacfwd(lambda x, s: NOISE.received(x, s, KEY)[0], (0, 1)))(signal, spread)
    np.testing.assert_array_equal(pathwise[0], jnp.eye(3))
    np.testing.assert_allclose(pathwise[1], jnp.diag(away / spread), atol=CLOSED)


@jax.jit
def laws(raw):
    return NOISE.law(raw), BOTTLENECK.law(raw)


@many
@given(raws)
def test_no_raw_number_breaks_the_power_limit_or_the_bounds_of_the_noise(raw):
    (loud, fixed), (signal, chosen) = laws(raw)
    assert np.all(np.abs(loud) <= 2) and np.all(np.abs(signal) <= 3)
    np.testing.assert_array_equal(fixed, 0.3)
    assert np.all(chosen >= 0.2) and np.all(chosen <= 2)


def test_the_limit_and_the_bounds_are_reached_and_small_signals_pass_as_they_are():
    ends = jnp.array([HUGE, -HUGE])
    np.testing.assert_allclose(NOISE.law(ends)[0], [2, -2], atol=CLOSED)
    signal, spread = BOTTLENECK.law(jnp.concatenate([ends, ends]))
    np.testing.assert_allclose(signal, [3, -3], atol=CLOSED)
    np.testing.assert_allclose(spread, [2, 0.2], atol=CLOSED)
    third_order = 1e-9 / (3 * 2**2)  # tanh x = x - x^3/3 ...
    assert float(NOISE.law(jnp.array([1e-3]))[0][0]) == pytest.approx(1e-3, abs=2 * third_order)


def information(signals, spreads):
    """Bits of a fair choice between two normals, by quadrature: h(mixture) - mean h(law)."""
    laws = [stats.norm(x, s) for x, s in zip(signals, spreads, strict=True)]

    def surprise(y):
        density = 0.5 * (laws[0].pdf(y) + laws[1].pdf(y))
        return -density * math.log(density) if density > 0 else 0.0

    points = sorted(x + j * s for x, s in zip(signals, spreads, strict=True) for j in (-9, -3, -1, 0, 1, 3, 9))
    mixture = sum(integrate.quad(surprise, a, b, epsabs=1e-10)[0] for a, b in pairwise(points))
    return (mixture - 0.5 * sum(law.entropy() for law in laws)) / math.log(2)


@pytest.mark.slow
@pytest.mark.parametrize("sd", (0.05, 0.5, 2.0))
@pytest.mark.parametrize("channel", (dcg.GaussianNoise, dcg.GaussianBottleneck))
def test_a_shout_carries_no_more_than_the_capacity(channel, sd):
    if channel is dcg.GaussianNoise:
        channel = dcg.GaussianNoise(sd, limit=1.0)
        raw = jnp.array([[HUGE], [-HUGE]])
    else:
        channel = dcg.GaussianBottleneck(limit=1.0, floor=min(sd, 0.9))
        raw = jnp.array([[HUGE, -HUGE], [-HUGE, -HUGE]])
    signals, spreads = (np.ravel(x) for x in jax.vmap(channel.law)(raw))
    said = information(signals, spreads)
    assert 0.05 < said <= channel.bits(1) + QUADRATURE
    if sd == 0.05:
        assert said == pytest.approx(1, abs=1e-6)  # two points forty spreads apart are one bit


@pytest.mark.slow
def test_the_size_of_the_noise_carries_no_more_than_the_capacity_either():
    """Two messages of no signal, one in the quietest and one in the loudest noise; there are no louder ones."""
    channel = dcg.GaussianBottleneck(limit=0.001, floor=0.001)
    signals, spreads = (np.ravel(x) for x in jax.vmap(channel.law)(jnp.array([[0.0, -HUGE], [0.0, HUGE]])))
    said = information(signals, spreads)
    power_alone = 0.5 * math.log2(1 + 1)  # what the limit and the floor would seem to allow
    assert power_alone < said <= channel.bits(1)


def test_the_bits_are_shannons():
    assert NOISE.bits(3) == pytest.approx(1.5 * math.log2(1 + (2 / 0.3) ** 2), abs=CLOSED)
    assert BOTTLENECK.bits(1) == pytest.approx(0.5 * math.log2((3**2 + 2**2) / 0.2**2), abs=CLOSED)
    quiet, loud = dcg.GaussianNoise(0.5, 1.0), dcg.GaussianNoise(2.0, 1.0)
    assert quiet.bits(1, silent=True) == pytest.approx(0.5 * math.log2((1 + 1) / 0.25), abs=CLOSED)
    assert loud.bits(1, silent=True) == pytest.approx(0.5 * math.log2(1 + 4), abs=CLOSED)
    assert NOISE.bits(0, silent=True) == 0


@pytest.mark.parametrize("floor", (0.01, 0.5, 0.99))
def test_a_bottleneck_at_zero_costs_nothing_and_says_nothing(floor):
    channel = dcg.GaussianBottleneck(floor=floor)
    signal, spread = channel.law(jnp.zeros(6))
    np.testing.assert_array_equal(signal, 0)
    np.testing.assert_allclose(spread, 1, atol=CLOSED)
    nats, slope = jax.jit(jax.value_and_grad(lambda m: channel(m, KEY)[1].nats))(jnp.zeros(6))
    assert float(nats) == pytest.approx(0, abs=CLOSED)
    np.testing.assert_allclose(slope, 0, atol=CLOSED)  # nothing is the cheapest thing to say
    assert channel.raw(3) == 6 and NOISE.raw(3) == 3


@pytest.mark.parametrize(
    ("kind", "given"),
    [(dcg.GaussianNoise, {field: bad}) for field in ("sd", "limit") for bad in (0.0, -1.0, math.nan, [1.0, 2.0])]
    + [(dcg.GaussianBottleneck, {f: bad}) for f in ("floor", "limit") for bad in (0.0, -1.0, math.inf, [0.1, 0.2])]
    + [(dcg.GaussianBottleneck, {"floor": 1.0})],
)
def test_bad_input_is_refused_by_name(kind, given):
    with pytest.raises(dcg.InputError, match=f"^{next(iter(given))}: "):
        kind(**given)


def test_a_chain_adds_costs_and_hands_on_what_came_through():
    chain = dcg.Chain(NOISE, BOTTLENECK)
    received, info = chain(MESSAGE, KEY)
    middle, first = NOISE(MESSAGE, jax.random.fold_in(KEY, 0))
    last, second = BOTTLENECK(middle, jax.random.fold_in(KEY, 1))
    np.testing.assert_array_equal(received, last)
    for name in ("nats", "log_prob", "entropy", "penalty"):
        both = float(getattr(first, name)) + float(getattr(second, name))
        assert float(getattr(info, name)) == pytest.approx(both, abs=CLOSED)
    assert float(info.length) == 1
    assert chain.pathwise and chain.likely
    assert not dcg.Chain(NOISE, Categorical()).pathwise


@pytest.mark.parametrize("null", (Zeroed(), ConstantMessage(1.0), dcg.Tap(jnp.zeros(6))))
def test_the_length_of_a_chain_is_that_of_its_last_channel_that_has_one(null):
    chat = dcg.Continuous(3, 2)
    raw = jnp.arange(float(chat.raw))
    said = chat(raw, jax.random.fold_in(KEY, 0))[1].length
    assert float(said) > 1
    assert float(dcg.Chain(chat, null)(raw, KEY)[1].length) == float(said)
    assert float(dcg.Chain(chat, NOISE, null)(raw, KEY)[1].length) == 1
    assert float(dcg.Chain(null, null)(jnp.zeros(6), KEY)[1].length) == 0
    assert float(dcg.Chain()(raw, KEY)[1].length) == 0


def test_a_tap_changes_nothing_and_its_probe_has_the_derivative_in_the_message():
    target = jnp.array([1.0, -2.0, 0.5, 3.0])

    def payoff(probe, message):
        received, _ = dcg.Chain(NOISE, dcg.Tap(probe))(message, KEY)
        return jnp.sum(jnp.sin(received) * target)

    probe = jnp.zeros(4)
    plain, facts = dcg.Chain(NOISE)(MESSAGE, KEY)
    tapped, info = dcg.Chain(NOISE, dcg.Tap(probe))(MESSAGE, KEY)
    np.testing.assert_array_equal(tapped, plain)
    assert float(info.nats) == float(facts.nats) and float(info.length) == float(facts.length)
    assert info.log_prob is None and not dcg.Chain(NOISE, dcg.Tap(probe)).likely
    to_probe, to_message = jax.grad(payoff, (0, 1))(probe, MESSAGE)
    np.testing.assert_allclose(to_probe, jnp.cos(plain) * target, atol=CLOSED)
    through_tanh = 1 - jnp.tanh(MESSAGE / 2) ** 2
    np.testing.assert_allclose(to_message, to_probe * through_tanh, atol=CLOSED)


def test_limits_are_not_checked_while_they_are_traced():
    slope = jax.grad(lambda a: dcg.GaussianNoise(0.3, a).law(MESSAGE)[0].sum())(2.0)
    central = (_sum(2 + 1e-6) - _sum(2 - 1e-6)) / 2e-6
    assert float(slope) == pytest.approx(float(central), abs=1e-8)  # rounding 1e-15 over a step of 1e-6


def _sum(limit):
    return eqx.tree_at(lambda c: c.limit, NOISE, jnp.asarray(limit)).law(MESSAGE)[0].sum()
