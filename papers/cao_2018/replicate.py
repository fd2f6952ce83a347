"""Cao et al. (2018): two players divide a pool of items, selfish or prosocial, with and without cheap talk."""

import tempfile

import jax
import numpy as np

import dcg_econ as dcg
from dcg_econ.mechanisms import PlannedNegotiation

SESSIONS, DRAWS = 6, 20_000

jax.config.update("jax_enable_x64", True)


def joint_rewards(game):
    """The sum of payoffs as a share of first best, by session and treatment."""
    talk = dcg.Protocol(dcg.Continuous(width=3, through=dcg.GaussianNoise(sd=0.1)))
    word = dcg.Protocol(dcg.Chat(1))  # that says nothing
    soft = dcg.Relaxed(straight_through=True, temperature=1.0, rate=0.002, floor=0.2)
    treatments = {
        "silence": dcg.Treatment(protocol=word, estimator=soft),
        "talk": dcg.Treatment(protocol=talk),
        "silence_prosocial": dcg.Treatment(protocol=word, estimator=soft, objective=dcg.Joint()),
        "talk_prosocial": dcg.Treatment(protocol=talk, objective=dcg.Joint()),
    }
    how = {"steps": 600, "batch": 64, "learning_rate": 0.01, "softness": 0.05, "records": 1}
    brief = {"kind": "retrained", "steps": 1, "batch": 8, "draws": 64}  # regret is no outcome here
    study = dcg.Study(
        game, treatments, sessions=SESSIONS, rounds=400, seed=1, regret=brief, folder=tempfile.mkdtemp(), **how
    )
    sums = study.run().groupby(["session", "treatment"])[["welfare", "first_best"]].mean()
    return (sums["welfare"] / sums["first_best"]).unstack()


def replicate():
    game = PlannedNegotiation(deadline=3)
    types = jax.vmap(game.sample_types)(jax.random.split(jax.random.key(1), DRAWS))
    reward = joint_rewards(game)
    gain = reward["talk_prosocial"] - reward["silence_prosocial"]
    moved = reward["talk"].mean() - reward["silence"].mean()
    return {
        "last_takes_all": (types.pool * types.values[:, 1]).sum() / jax.vmap(game.first_best)(types).sum(),
        "selfish_silent": reward["silence"].mean(),
        "selfish_talk": reward["talk"].mean(),
        "talk_does_not_help_selfish": float(abs(moved) < 0.01),
        "talk_helps_prosocial": float(gain.mean() > 2 * gain.std() / np.sqrt(SESSIONS)),
        "prosocial_above_selfish": float(
            min(
                reward["silence_prosocial"].min() - reward["silence"].max(),
                reward["talk_prosocial"].min() - reward["talk"].max(),
            )
            > 0
        ),
    }


def independent():
    """Pools and values drawn by numpy; at first best each item goes to whom it is worth more."""
    rng = np.random.default_rng(0)
    pool, values = rng.integers(6, size=(200_000, 3)), rng.integers(11, size=(200_000, 2, 3))
    kept = np.all(values.sum(axis=2) > 0, axis=1) & (pool.sum(axis=1) > 0)
    pool, values = pool[kept], values[kept]
    share = np.sum(pool * values[:, 1]) / np.sum(pool * values.max(axis=1))
    return dict.fromkeys(("last_takes_all", "selfish_silent", "selfish_talk"), share)


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
