"""Foerster et al. (2018): LOLA in the iterated prisoner's dilemma and in matching pennies, by exact gradients."""

import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.learning import gradient_ascent
from dcg_econ.mechanisms import IteratedGame
from dcg_econ.mechanisms.finite_games import Tables, matching_pennies, payoffs_of, prisoners_dilemma

STEPS, DISCOUNT, LOLA = 200, 0.96, dcg.Shaped(dcg.Opponents(1.0))

jax.config.update("jax_enable_x64", True)


def learned(game, objective):
    """Payoffs a round (S, 2) and chances of the first action (S, 2, 5) of 1,000 pairs, at rate 1 from N(0, 1) logits."""
    how = {"optimiser": gradient_ascent(1.0), "batch": 1, "records": 1, "record_draws": 1, "key": jax.random.key(0)}
    make = lambda key: Tables(key=key, spread=1.0)  # noqa: E731
    rows = dcg.train(game, make, objective=objective, steps=STEPS, sessions=1000, **how).agents.rows
    return game.per_round * jax.vmap(lambda pair: payoffs_of(game)(tuple(pair)))(rows), jax.nn.sigmoid(rows)


def replicate():
    games = dilemma, _ = IteratedGame(prisoners_dilemma(), DISCOUNT), IteratedGame(matching_pennies(), 0.9)
    pay, chances = zip(*(learned(game, how) for game in games for how in (dcg.Selfish(), LOLA)), strict=True)
    at_half = [jnp.mean(jnp.all(jnp.abs(found - 0.5) < 0.05, axis=(1, 2))) for found in chances]
    _, cc, cd, dc, dd = jnp.mean(chances[1], axis=(0, 1))
    values, zero = payoffs_of(dilemma), jnp.zeros(5)
    step = jax.grad(lambda x: values((x, LOLA.lookahead.assumed(values, (x, zero))[1]))[0])(zero)
    return {
        "plain_reward": jnp.mean(pay[0]),
        "lola_reward": jnp.mean(pay[1]),
        "repays": float(min(cc, dc) > 0.5 > max(cd, dd)),
        "pennies_plain": at_half[2],
        "pennies_lola": at_half[3],
        "step_cooperated": step[1],
        "step_defected": step[2],
        "failed": jnp.sum(~jnp.isfinite(jnp.concatenate(pay, axis=1))),
    }


def independent():
    """By numpy and differences: LOLA's step where all chances are 1/2, and 400 pairs with the article's first-order update."""

    def value(own, other):  # of the first of two players; the second's is value(other, own)
        p, q = 1 / (1 + np.exp(-own)), 1 / (1 + np.exp(-other[..., [0, 1, 3, 2, 4]]))
        chances = np.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], axis=-1)
        system = np.eye(4) - DISCOUNT * np.swapaxes(chances[..., 1:, :], -1, -2)
        return np.linalg.solve(system, chances[..., 0, :, None])[..., 0] @ [-1, -3, 0, -2]

    def slope(f, x, h=1e-4):
        return np.stack([f(x + h * e) - f(x - h * e) for e in np.eye(5)], axis=-1) / (2 * h)

    def moved(own, other, h=1e-4):
        pull = h * slope(lambda y: value(own, y), other)  # h times what the other's parameters are worth to me
        felt = slope(lambda x: value(other + pull, x) - value(other - pull, x), own) / (2 * h)
        return own + slope(lambda x: value(x, other), own) + felt

    pair = np.random.default_rng(0).normal(size=(2, 400, 5))
    for _ in range(STEPS):
        pair = np.stack([moved(*pair), moved(*pair[::-1])])
    pay = (1 - DISCOUNT) * np.stack([value(*pair), value(*pair[::-1])])
    step, lost = slope(lambda x: value(x, slope(lambda y: value(y, x), 0 * x)), np.zeros(5)), np.isnan(pay).sum()
    return {"lola_reward": pay.mean(), "step_cooperated": step[1], "step_defected": step[2], "failed": lost}


if __name__ == "__main__":
    print({name: float(number) for name, number in replicate().items()})
