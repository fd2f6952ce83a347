"""Estimators against the exact gradient: enumerated for chat, by quadrature for noise."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.frozen import split_learned
from dcg_econ.learning import dice, enumerated_payoffs
from dcg_econ.learning.episode import said_and_reported
from dcg_econ.learning.gradient import Game
from dcg_econ.mechanisms import DoubleAuction
from tests.learning.talking import GAME, bargainers, flat, hotelling, projections, sampler

LEVEL = 1e-4  # of each joint test: one of them fails by chance in ten thousand
SAMPLES = 4000
BATCH = 3
CHAT = dcg.Protocol(dcg.Chat(2, 2, price=0.05, length_price=0.1), turns=2, in_turn=True)
NOISY = dcg.Protocol(dcg.Continuous(1, 1, price=0.02, through=dcg.GaussianBottleneck()), speakers=("buyer",))
BASELINES = (dcg.NoBaseline(), dcg.RunningMean(), dcg.LeaveOneOut(), dcg.LearnedBaseline(8))


@pytest.fixture(scope="module")
def exact():
    return sampler(CHAT, dcg.Enumerated(), BATCH)(jax.random.split(jax.random.key(0), 1))[0]


@pytest.mark.slow
def test_the_enumerated_gradient_is_that_of_expected_payoffs(exact):
    population = bargainers(CHAT)
    learned, rest = split_learned(population)
    types = jax.vmap(GAME.sample_types)(jax.random.split(jax.random.key(7), BATCH))

    @jax.jit
    def jacobian(p):
        def mean(p):
            return jnp.mean(jax.vmap(lambda t: enumerated_payoffs(GAME, eqx.combine(p, rest), CHAT, t))(types), axis=0)

        return jax.jacrev(mean)(p)

    both = jacobian(learned)
    buyers = eqx.tree_at(lambda p: p.reporter.seller, both, replace_fn=lambda s: jax.tree.map(jnp.zeros_like, s))
    expected = jax.tree.map(lambda x: x[0], buyers), jax.tree.map(lambda x: x[1], both)
    mine = jax.tree.map(lambda x: x, expected[0].reporter.buyer), expected[1].reporter.seller
    speakers = jax.tree.map(lambda x: jnp.stack([x[0, 0], x[1, 1]]), both.speakers)
    ours = eqx.tree_at(lambda p: (p.reporter.buyer, p.reporter.seller, p.speakers), expected[0], (*mine, speakers))
    np.testing.assert_allclose(exact, flat(ours), atol=1e-12)


@pytest.mark.slow
def test_score_functions_agree_with_enumeration(exact):
    directions = projections(exact.size, 5)
    keys = jax.random.split(jax.random.key(1), SAMPLES)
    columns = [sampler(CHAT, dcg.ScoreFunction(b), BATCH)(keys) @ directions for b in BASELINES]
    joint = np.concatenate(columns, axis=1)
    assert hotelling(joint, np.tile(exact @ directions, len(BASELINES))) > LEVEL
    spread = [column.var(axis=0).sum() for column in columns]
    assert spread[2] < spread[0]  # the others' mean is a better guess than zero


@pytest.mark.slow
@pytest.mark.parametrize("straight_through", (False, True))
def test_relaxations_are_biased(exact, straight_through):
    directions = projections(exact.size, 5)
    keys = jax.random.split(jax.random.key(1), SAMPLES)
    estimator = dcg.Relaxed(1.0, straight_through=straight_through)
    found = sampler(CHAT, estimator, BATCH)(keys)
    assert hotelling(found @ directions, exact @ directions) < LEVEL
    bias = np.linalg.norm(found.mean(0) - exact) / np.linalg.norm(exact)
    print(f"straight-through {straight_through}: bias {bias:.2f} of the gradient's length")
    assert bias > 0.02


@pytest.mark.slow
def test_pathwise_and_score_agree_with_quadrature_on_gaussian_noise():
    population = bargainers(NOISY)
    learned, rest = split_learned(population)
    types = jax.vmap(GAME.sample_types)(jax.random.split(jax.random.key(7), BATCH))
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def expected(p, player):
        profile, language = eqx.combine(p, rest), NOISY.language

        def at(node):
            def hear(turn, raw, keys):
                signal, spread = jax.vmap(language.through.law)(raw)
                _, info = jax.vmap(language)(raw, keys)
                return signal + spread * node, info

            def one(t):
                talk, reports = said_and_reported(GAME, profile, NOISY, t, jax.random.key(0), hear)
                return (GAME.payoffs(t, GAME.outcome(reports)) - talk.charge[0])[player]

            return jnp.mean(jax.vmap(one)(types))

        return jax.vmap(at)(jnp.asarray(nodes)) @ jnp.asarray(weights / weights.sum())

    slopes = [jax.jit(jax.grad(expected), static_argnums=1)(learned, i) for i in (0, 1)]
    speakers = jax.tree.map(lambda x, y: jnp.stack([x[0], y[1]]), slopes[0].speakers, slopes[1].speakers)
    truth = eqx.tree_at(lambda p: (p.reporter.seller, p.speakers), slopes[0], (slopes[1].reporter.seller, speakers))
    exact = np.asarray(flat(truth))
    directions = projections(exact.size, 5)
    keys = jax.random.split(jax.random.key(2), SAMPLES)
    estimators = dcg.Pathwise(), dcg.ScoreFunction()
    found = [sampler(NOISY, e, BATCH)(keys) @ directions for e in estimators]
    assert hotelling(np.concatenate(found, axis=1), np.tile(exact @ directions, 2)) > LEVEL
    assert found[0].var(axis=0).sum() < found[1].var(axis=0).sum()


@pytest.mark.slow
def test_dice_has_unbiased_second_derivatives():
    protocol = dcg.Protocol(dcg.Chat(3), speakers=("seller",))
    population = bargainers(protocol, width=2)
    learned, rest = split_learned(population)
    types = jax.vmap(GAME.sample_types)(jax.random.split(jax.random.key(7), BATCH))
    bump = jax.tree.map(lambda x: jax.random.normal(jax.random.key(1), x.shape), learned)

    def second(function):
        def along(p):
            return jax.jvp(lambda q: jax.grad(lambda r: jnp.sum(function(r)))(q), (p,), (bump,))[1]

        return jax.jit(lambda p: flat(along(p)))

    def exact(p):
        return jnp.mean(jax.vmap(lambda t: enumerated_payoffs(GAME, eqx.combine(p, rest), protocol, t))(types), axis=0)

    truth = np.asarray(second(exact)(learned))

    @jax.jit
    def sample(keys):
        def one(key):
            drawn = jax.random.split(key, BATCH)
            return second(lambda p: dice(GAME, eqx.combine(p, rest), protocol, types, drawn))(learned)

        return jax.lax.map(one, keys, batch_size=256)

    directions = projections(truth.size, 4)
    found = np.asarray(sample(jax.random.split(jax.random.key(3), SAMPLES))) @ directions
    assert hotelling(found, truth @ directions) > LEVEL


def test_selfish_players_learn_from_their_own_payoff_alone_with_talk_both_ways():
    protocol = dcg.Protocol(dcg.Continuous(1, 2, price=0.01), turns=2)
    population = bargainers(protocol)
    learned, rest = split_learned(population)
    game = Game(GAME, protocol, dcg.Pathwise(), dcg.Selfish(), rest)
    key = jax.random.key(4)
    used, _, failed = jax.jit(lambda p: game.gradient(p, None, key, 0, BATCH))(learned)
    assert float(failed) == 0
    draw = game.draw(key, BATCH)

    def own(p, player):
        def one(t, k):
            talk, reports = said_and_reported(GAME, eqx.combine(p, rest), protocol, t, k)
            return GAME.payoffs(t, GAME.outcome(reports))[player] - jnp.sum(talk.charge[:, player])

        return jnp.mean(jax.vmap(one)(draw.types, draw.keys))

    alone = [jax.jit(jax.grad(own), static_argnums=1)(learned, i) for i in (0, 1)]
    for i, side in enumerate(("buyer", "seller")):
        mine, theirs = getattr(used.reporter, side), getattr(alone[i].reporter, side)
        np.testing.assert_allclose(flat(mine), flat(theirs), atol=1e-12)
        assert np.abs(flat(getattr(alone[1 - i].reporter, side))).max() > 1e-6  # a leak would show
        rows = [jax.tree.map(lambda x, i=i: x[i], tree.speakers) for tree in (used, alone[i], alone[1 - i])]
        np.testing.assert_allclose(flat(rows[0]), flat(rows[1]), atol=1e-12)
        assert np.abs(flat(rows[2])).max() > 1e-6


@pytest.mark.slow
def test_message_gradients_equal_central_differences():
    protocol = dcg.Protocol(dcg.Continuous(1, 2), turns=2)
    population, key = bargainers(protocol), jax.random.key(5)
    taps = jax.jit(lambda k: dcg.message_gradients(GAME, population, protocol, key=k))(key)
    assert taps.shape == (2, 2, 2, 2)  # payoff, turn, speaker, number

    @jax.jit
    def payoffs(bump):
        def hear(turn, raw, keys):
            heard, info = jax.vmap(protocol.language)(raw, keys)
            return heard + bump[turn], info

        return dcg.play(GAME, population, protocol, key=key, hear=hear).payoffs

    h = 1e-6
    for place in np.ndindex(2, 2, 2):
        bump = jnp.zeros((2, 2, 2)).at[place].set(h)
        central = (payoffs(bump) - payoffs(-bump)) / (2 * h)
        np.testing.assert_allclose(taps[(slice(None), *place)], central, atol=1e-7)


def test_bad_input_is_refused_with_the_remedy():
    chat, auction = dcg.Protocol(dcg.Chat(3)), DoubleAuction()
    with pytest.raises(dcg.InputError, match=r"estimator: Pathwise has no derivative.*ScoreFunction"):
        dcg.Pathwise().check(GAME, dcg.Selfish(), chat, 2)
    with pytest.raises(dcg.InputError, match=r"estimator: ScoreFunction needs log-probabilities.*Pathwise"):
        curve = dcg.Protocol(dcg.SpokenCurve(jnp.linspace(0, 1, 5)))
        dcg.ScoreFunction().check(GAME, dcg.Selfish(), curve, 2)
    with pytest.raises(dcg.InputError, match="batch: 1; a leave-one-out baseline needs two"):
        dcg.ScoreFunction().check(GAME, dcg.Selfish(), chat, 1)
    with pytest.raises(dcg.InputError, match=r"estimator: Relaxed is for symbols"):
        dcg.Relaxed().check(GAME, dcg.Selfish(), dcg.Protocol(dcg.Continuous()), 2)
    with pytest.raises(dcg.InputError, match=r"courses of talk"):
        dcg.Enumerated().check(GAME, dcg.Selfish(), dcg.Protocol(dcg.Chat(64), turns=2), 2)
    with pytest.raises(dcg.InputError, match=r"softened game, SoftAuction"):
        dcg.ScoreFunction().check(auction, dcg.Selfish(), chat, 2)
    with pytest.raises(dcg.InputError, match=r"speakers: no player `byer`; did you mean `buyer`"):
        dcg.Protocol(dcg.Chat(3), speakers=("byer",)).speaking(GAME.players)
    for bad in (dict(vocabulary=0), dict(length=0), dict(price=-1.0), dict(length_price=-0.1)):
        with pytest.raises(dcg.InputError, match=f"{next(iter(bad))}: "):
            dcg.Chat(**bad)
    for bad in (0.0, -1.0):
        with pytest.raises(dcg.InputError, match="temperature: found"):
            dcg.Relaxed(bad)
    with pytest.raises(dcg.InputError, match="price: found -1"):
        dcg.Continuous(price=-1.0)
    with pytest.raises(dcg.InputError, match="turns: 0"):
        dcg.Protocol(dcg.Chat(3), turns=0)
    with pytest.raises(dcg.InputError, match="does not speak"):
        dcg.play(
            GAME,
            dcg.Bidders(dcg.BidAgent(key=jax.random.key(0)), dcg.BidAgent(key=jax.random.key(1))),
            dcg.Chat(3),
            key=jax.random.key(0),
        )
