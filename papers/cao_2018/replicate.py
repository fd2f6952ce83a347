"""Cao et al. (2018): what talk is worth to selfish and to prosocial players who divide a pool of items."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.agents import DivisionAgent, Separate, SeparateSpeakers
from dcg_econ.learning import default_optimiser
from dcg_econ.mechanisms import PlannedNegotiation, SoftNegotiation
from dcg_econ.mechanisms.bargaining import Plans

GAME, PLAYS, STEPS = PlannedNegotiation(deadline=3), 20_000, 600
SILENCE, SYMBOLS = dcg.Chat(1), dcg.Chat(vocabulary=8, length=3)  # one word, which says nothing; up to three symbols
NUMBERS = dcg.Continuous(width=3, through=dcg.GaussianNoise(sd=0.1))
RELAXED = dcg.Relaxed(straight_through=True, temperature=1.0, rate=0.002, floor=0.2)

jax.config.update("jax_enable_x64", True)


def learned(language, objective):
    """Payoffs of both players (S, 2), shares of first best, in 16 sessions: whole items, the likeliest symbols."""
    protocol, heard = dcg.Protocol(language), 2 * language.heard
    how = {"objective": objective, "estimator": None if language is NUMBERS else RELAXED, "sessions": 16, "records": 1}
    how |= {"optimiser": default_optimiser(STEPS, 0.01), "steps": STEPS, "batch": 64, "key": jax.random.key(0)}

    def players(key):
        first, second = jax.random.split(key)
        plans = Separate(lambda k: DivisionAgent(3, GAME.own_turns, 5, Plans, key=k, heard=heard), 2, key=first)
        speak = SeparateSpeakers(lambda k: eqx.nn.MLP(6 + heard, language.raw, 32, 2, key=k), 2, key=second)
        return dcg.Talkers(plans, speak)

    def shares(agents):
        keys = jax.random.split(jax.random.key(1), PLAYS)
        plays = jax.vmap(lambda key: dcg.play(GAME, agents, protocol.sharp(), key=key))(keys)
        return plays.payoffs.mean(axis=0) / plays.first_best.mean()

    return dcg.train(SoftNegotiation(GAME, width=0.05), players, protocol, **how).map(shares)


def replicate():
    selfish, talking = (learned(language, dcg.Selfish()) for language in (SILENCE, SYMBOLS))
    silent, symbols, numbers = (learned(x, dcg.Joint()).sum(axis=1) for x in (SILENCE, SYMBOLS, NUMBERS))
    types = jax.vmap(GAME.sample_types)(jax.random.split(jax.random.key(2), PLAYS))
    kept = jnp.broadcast_to(types.values[:, :1, None] > 5, (PLAYS, 2, GAME.own_turns, 3))
    reports = jax.vmap(GAME.handed_in)(Plans(kept, jnp.zeros(kept.shape[:3])), types)  # what is proposed is accepted
    welfare = jax.vmap(GAME.welfare)(types, jax.vmap(GAME.outcome)(reports))
    return {
        "selfish_silent": jnp.mean(selfish[:, 1]),
        "selfish_symbols": jnp.mean(talking[:, 1]),
        "selfish_gain": jnp.mean(talking.sum(axis=1) - selfish.sum(axis=1)),
        "joint_symbols": jnp.sign(jnp.mean(symbols - silent)),
        "joint_numbers": jnp.sign(jnp.mean(numbers - silent)),
        "one_sided": jnp.sum(welfare) / jnp.sum(jax.vmap(GAME.first_best)(types)),
        "failed": jnp.sum(~(jnp.stack([selfish, talking])[..., 0] < 0.01)),
    }


def independent():
    """By enumeration of all values, 0 to 10 for each of three kinds and not all zero; pools are independent of them."""
    values = np.indices((11, 11, 11)).reshape(3, -1).T[1:]
    best = np.mean([np.maximum(row, values).sum(axis=1).mean() for row in values])
    last, one_sided = (np.maximum(values, floor).sum(axis=1).mean() / best for floor in (0, values.mean(axis=0)))
    return {"selfish_silent": last, "selfish_symbols": last, "one_sided": one_sided, "failed": 0}


if __name__ == "__main__":
    print({name: float(number) for name, number in replicate().items()})
