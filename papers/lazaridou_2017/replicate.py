"""Lazaridou, Peysakhovich and Baroni (2017), in symbols: a sender describes an object, a receiver finds it among eight."""

import tempfile

import jax
import numpy as np

import dcg_econ as dcg
from dcg_econ.mechanisms import Discrimination

SESSIONS, CHANCE = 6, 1 / 8

jax.config.update("jax_enable_x64", True)


def spoken(language, **how):
    return dcg.Treatment(protocol=dcg.Protocol(language, speakers=("sender",)), objective=dcg.Joint(), **how)


def found():
    """The share of objects found, by treatment and session."""
    words = dcg.ScoreFunction(dcg.LeaveOneOut(), entropy=0.1)
    study = dcg.Study(
        Discrimination(),
        {
            "continuous": spoken(dcg.Continuous(1, 32, through=dcg.GaussianNoise(0.3))),
            "words": spoken(dcg.Chat(vocabulary=8, length=4), estimator=words),
            "silence": spoken(dcg.Chat(vocabulary=1), estimator=words),
        },
        sessions=SESSIONS,
        rounds=1000,
        seed=1,
        steps=200,
        batch=512,
        width=64,
        learning_rate=0.02,
        records=1,
        precision="float32",
        outcomes=["efficiency"],
    )
    with tempfile.TemporaryDirectory() as folder:
        panel = study.run(folder, quiet=True)
    return panel.groupby(["treatment", "session"])["welfare"].mean().unstack(0)


def replicate():
    shares = found()
    return {
        "continuous": shares["continuous"].mean(),
        "spread": shares["continuous"].std(),
        "failed": np.sum(shares["continuous"] < 0.9),
        "words_beat_chance": float(shares["words"].min() > 3 * CHANCE),
        "silence": shares["silence"].mean(),
    }


def independent():
    """Guesses among eight, drawn."""
    rng = np.random.default_rng(0)
    return {"silence": np.mean(rng.integers(8, size=400_000) == rng.integers(8, size=400_000))}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
