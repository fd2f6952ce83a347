"""The transformer that is told how much its tokens matter, and what it is told."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ._errors import InputError
from dcg_econ.agents import Bottleneck, Layout, Placebo, Plain, Predicted, Running, Transformer
from dcg_econ.agents.frozen import split_learned
from dcg_econ.agents.inner import noisy
from dcg_econ.agents.sensitivity import (
    FLOOR,
    NoNorms,
    PredictedNorms,
    RunningNorms,
    ShuffledNorms,
    log_ratios,
    notice,
    quiet,
)
from dcg_econ.agents.transformer import Attention, GradientAwareTransformer, listening

LAYOUT = Layout(6, heard=8, size=4, says=3, types=2)  # seven tokens
SMALL = {"width": 8, "layers": 2, "heads": 2}
INPUTS = jnp.linspace(-1.0, 1.0, LAYOUT.inputs)


def net(norms=None, **kwargs):
    return GradientAwareTransformer(LAYOUT, 6, key=jax.random.key(0), norms=norms, **SMALL | kwargs)


def told(norms):
    """Norms by hand, in a net's place for running ones."""
    return RunningNorms(len(norms)).with_norms(jnp.asarray(norms))


say = eqx.filter_jit(lambda model, inputs: model(inputs))
UNEQUAL = told([0.1, 3.0, 0.5, 2.0, 0.0, 1.0, 0.4])


def test_at_beta_zero_attention_is_plain_to_the_last_bit():
    plain, aware = net(beta=0.0), net(UNEQUAL, beta=0.0)
    assert np.array_equal(say(plain, INPUTS), say(aware, INPUTS))
    assert not np.array_equal(say(plain, INPUTS), say(net(UNEQUAL, beta=0.5), INPUTS))


def test_a_beta_below_zero_is_zero_and_its_derivative_lives():
    attention = Attention(8, 2, 0.0, key=jax.random.key(1))
    tokens, bias = jax.random.normal(jax.random.key(2), (5, 8)), jnp.arange(5.0)
    below = eqx.tree_at(lambda a: a.beta, attention, jnp.array([-0.3, -2.0]))
    assert np.array_equal(below(tokens, bias), attention(tokens, bias))
    slope = jax.grad(lambda beta: jnp.sum(eqx.tree_at(lambda a: a.beta, below, beta)(tokens, bias) ** 2))(below.beta)
    assert np.all(slope != 0)


def test_attention_is_the_softmax_that_it_says_it_is():
    attention = Attention(4, 1, 0.7, key=jax.random.key(3))
    tokens, bias = jax.random.normal(jax.random.key(4), (3, 4)), jnp.array([0.3, -1.0, 2.0])
    query, key, value = (tokens @ layer.weight.T for layer in (attention.query, attention.key, attention.value))
    weights = jax.nn.softmax(query @ key.T / 2 + 0.7 * bias, axis=1)
    np.testing.assert_allclose(attention(tokens, bias), weights @ value @ attention.out.weight.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [jnp.zeros(4), jnp.array([1.0, jnp.nan, 1, 1]), jnp.array([1.0, jnp.inf, 1, 1])])
def test_norms_of_nothing_weigh_all_tokens_alike(bad):
    assert np.array_equal(log_ratios(bad), np.zeros(4))


def test_log_ratios_do_not_mind_the_unit():
    norms = jnp.array([1.0, 2.0, 0.0, 5.0])
    np.testing.assert_allclose(log_ratios(1e3 * norms), log_ratios(norms), rtol=1e-6)
    np.testing.assert_allclose(log_ratios(norms), np.log(np.array([0.5, 1.0, 0.0, 2.5]) + FLOOR), rtol=1e-6)


def loss(model, inputs):
    return jnp.sum(jnp.sin(model(inputs)))


def tapped_sizes(model, inputs):
    """Sizes of the derivatives in the tokens, by a probe on the places, for one episode."""
    slope = jax.grad(lambda places: loss(eqx.tree_at(lambda n: n.places, model, places), inputs))(model.places)
    return jnp.linalg.norm(slope, axis=1)


def test_running_norms_are_the_mean_sizes_of_the_tokens_derivatives():
    model = net(RunningNorms(LAYOUT.tokens), beta=0.0)
    rows = jax.random.normal(jax.random.key(5), (16, LAYOUT.inputs))

    @eqx.filter_jit
    @eqx.filter_grad
    def slope(model):
        return jnp.mean(jax.vmap(lambda row: loss(model, row))(rows))

    direction = slope(listening(model))
    # A token's tap is where its place is added, so the probe sees the same derivative.
    expected = jnp.mean(eqx.filter_jit(jax.vmap(lambda row: tapped_sizes(model, row)))(rows), axis=0)
    np.testing.assert_allclose(direction.norms.norms, expected, rtol=1e-4)
    moved = notice(model, direction)
    np.testing.assert_allclose(moved.norms.norms, 0.9 + 0.1 * expected, rtol=1e-5)
    assert not np.any(quiet(direction).norms.norms)
    silent = slope(model)  # nobody listens: nothing is noticed
    assert not np.any(silent.norms.norms)
    assert np.array_equal(notice(model, silent).norms.norms, np.ones(LAYOUT.tokens))


def test_predicted_norms_learn_what_is_tapped():
    """A head fitted by its pseudo-derivative comes to the tokens' own log ratios, for the same episodes."""
    model = net(PredictedNorms(8, key=jax.random.key(6)), beta=0.0)
    tokens = jax.random.normal(jax.random.key(7), (LAYOUT.tokens, 8))
    scale = jnp.exp(tokens @ jnp.array([0.5, -0.3, 0, 0, 0, 0, 0, 0.2]))
    norms = model.norms

    @jax.jit
    def step(head):
        def objective(head):
            return jnp.sum(eqx.tree_at(lambda n: n.head, norms, head).tapped(tokens)[:, 0] * scale)

        found = eqx.filter_grad(objective)(head)
        return eqx.apply_updates(head, jax.tree.map(lambda g: 500.0 * g, found))

    head = norms.head
    for _ in range(400):
        head = step(head)
    fitted = eqx.tree_at(lambda n: n.head, norms, head)
    np.testing.assert_allclose(fitted.bias(tokens), log_ratios(scale), atol=0.05)


def test_norms_are_detached():
    model = net(PredictedNorms(8, key=jax.random.key(6)), beta=1.0)
    slope = eqx.filter_jit(eqx.filter_grad(loss))
    direction = slope(model, INPUTS)
    assert not np.any(direction.norms.head.weight) and not np.any(direction.norms.head.bias)
    assert not np.any(slope(net(UNEQUAL), INPUTS).norms.norms)


def test_the_placebo_gives_every_token_another_ones_norm():
    placebo = ShuffledNorms(UNEQUAL, LAYOUT.tokens)
    tokens = jnp.zeros((LAYOUT.tokens, 8))
    given, true = np.asarray(placebo.bias(tokens)), np.asarray(UNEQUAL.bias(tokens))
    assert sorted(given) == sorted(true)
    assert all(own != place for place, own in enumerate(placebo.order))
    with pytest.raises(InputError, match="norms"):
        ShuffledNorms(RunningNorms(1), 1)


@pytest.mark.parametrize("awareness", [Plain(), Running(), Predicted(), Placebo()])
def test_variants_start_from_the_same_nets(awareness):
    one = Transformer(8, 2, 2, awareness=awareness).make(LAYOUT, 6, jax.random.key(0))
    plain = Transformer(8, 2, 2, awareness=Plain()).make(LAYOUT, 6, jax.random.key(0))
    np.testing.assert_allclose(say(one, INPUTS), say(plain, INPUTS), rtol=1e-5, atol=1e-6)
    count = lambda n: sum(x.size for x in jax.tree.leaves(split_learned(n)[0]))  # noqa: E731
    assert count(one) - count(plain) in (0, LAYOUT.tokens, 8 + 1)  # norms by position, or a head: what is not matched


def test_a_message_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"inputs.*shape"):
        net()(jnp.zeros(LAYOUT.inputs + 1))
    for bad in (dict(known=5, types=2), dict(known=2, heard=6, size=4)):
        with pytest.raises(InputError, match="divide"):
            Layout(**bad)
    for field, bad in (("heads", {"heads": 3}), ("beta", {"beta": -1.0}), ("layers", {"layers": 0})):
        with pytest.raises(InputError, match=field):
            net(**bad)
    with pytest.raises(InputError, match="out"):
        GradientAwareTransformer(LAYOUT, 7, key=jax.random.key(0), **SMALL)


@pytest.mark.slow
def test_training_keeps_running_norms_and_evaluation_uses_them():
    game = dcg.mechanisms.Reconstruction(2, 2)
    language = dcg.Continuous(1, 4, through=dcg.GaussianNoise(0.3))
    from dcg_econ.experiments.referential import nets, protocol_of

    run = dcg.train(
        game,
        nets(game, language, 8, Transformer(8, 1, 2, awareness=Running())),
        protocol_of(language),
        objective=dcg.Joint(),
        steps=20,
        batch=16,
        sessions=2,
        records=1,
        record_draws=16,
        key=jax.random.key(0),
    )
    writer, reader = run.session(0).sender, run.session(1).receiver.reader
    for norms in (writer.norms.norms, reader.norms.norms):
        assert np.all(np.isfinite(norms)) and np.ptp(norms) > 0 and not np.any(norms == 1)
    assert np.all(np.asarray(run.failed) == 0)


def test_a_bottleneck_counts_and_charges_its_nats():
    layer = Bottleneck(8, 2, price=0.3, key=jax.random.key(8))
    tokens, key = jax.random.normal(jax.random.key(9), (5, 8)), jax.random.key(10)
    heard, info = noisy(layer, key).passage(tokens)
    raw = jax.vmap(layer.squeeze)(tokens)
    signals, spreads = jax.vmap(layer.frozen.value[0].law)(raw)
    nats = 0.5 * jnp.sum(signals**2 + spreads**2 - 1 - 2 * jnp.log(spreads))
    np.testing.assert_allclose(info.nats, nats, rtol=1e-5)
    assert not np.array_equal(heard, layer.passage(tokens)[0])  # without a key the signal passes alone

    def objective(model, price):
        came, facts = model.passage(tokens)
        return jnp.sum(came**2) - price * facts.nats

    charged = eqx.filter_jit(eqx.filter_grad(lambda m: jnp.sum(m(tokens) ** 2)))(noisy(layer, key, weight=1.0))
    exact = eqx.filter_jit(eqx.filter_grad(objective))(noisy(layer, key), 0.3)
    np.testing.assert_allclose(charged.squeeze.weight, exact.squeeze.weight, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="price"):
        Bottleneck(8, 2, price=-1.0, key=jax.random.key(0))


def test_plain_nets_have_no_norms():
    assert isinstance(net().norms, NoNorms)
