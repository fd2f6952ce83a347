"""Trains on four devices made of one processor, and writes what was found to the file that it is given; a script."""

import contextlib
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.learning.devices import placement
from dcg_econ.mechanisms import CurveMarket, QuantityMarket

DEVICES = jax.devices()
KNOTS = jnp.linspace(-1.5, 1.5, 4)
SCHEDULES = (
    # A user's number that sits on one device is in nobody's way.
    CurveMarket(curvature=jax.device_put(jnp.ones(3), DEVICES[0]), outside_slope=0.5, price_bounds=(-1.5, 1.5)),
    lambda key: dcg.Shared(dcg.CurveAgent(KNOTS, key=key, width=4)),
)
QUANTITIES = (
    QuantityMarket(curvature=jnp.ones(2), values=dcg.Uniform(1.0, 2.0), outside_slope=0.5),
    lambda key: dcg.Shared(dcg.QuantityAgent(key=key, width=4)),
)


def watch():
    """How many devices the results of compiled functions are on, and how many sessions the first of them has."""
    dcg.train  # noqa: B018 - the package hands names on when they are first used
    module, seen = sys.modules["dcg_econ.learning.train"], set()

    def watched(compiled):
        def call(*arguments):
            result = compiled(*arguments)
            leaves = jax.tree.leaves(result)
            seen.update((len(x.sharding.device_set), x.addressable_shards[0].data.shape[0]) for x in leaves)
            return result

        return call

    module.advance, module.assess = watched(module.advance), watched(module.assess)
    return seen


SEEN = watch()


def train(game, sessions, devices, **settings):
    SEEN.clear()
    run = dcg.train(
        *game,
        steps=12,
        batch=8,
        sessions=sessions,
        records=3,
        record_draws=8,
        key=jax.random.key(3),
        devices=devices,
        **settings,
    )
    leaves = [x for x in jax.tree.leaves(run) if hasattr(x, "shape")]
    ordinary = all(x.devices() == {DEVICES[0]} for x in leaves)
    return {"seen": sorted(SEEN), "ordinary": ordinary, "arrays": [np.asarray(x).tolist() for x in leaves]}


def resumed(game, path, first, then):
    def stop(done, steps, text):
        if done == 8:
            raise KeyboardInterrupt

    checkpoint = dcg.Checkpoint(path, every=0)
    with contextlib.suppress(KeyboardInterrupt):
        train(game, 4, first, checkpoint=checkpoint, progress=stop)
    return train(game, 4, then, checkpoint=checkpoint)


def used(devices, sessions):
    mesh = placement(devices, jnp.arange(sessions)).mesh
    return 1 if mesh is None else mesh.size


if __name__ == "__main__":
    path, one = sys.argv[1], DEVICES[:1]
    found = {
        "used": [used(DEVICES, sessions) for sessions in range(1, 13)],
        "schedules on one": train(SCHEDULES, 4, None),
        "schedules": train(SCHEDULES, 4, DEVICES),
        "quantities on one": train(QUANTITIES, 4, one),
        "quantities": train(QUANTITIES, 4, DEVICES),
        "four, then one": resumed(QUANTITIES, f"{path}.first", DEVICES, one),
        "one, then four": resumed(QUANTITIES, f"{path}.second", one, DEVICES),
        "six": train(QUANTITIES, 6, DEVICES),
        "the third alone": train(QUANTITIES, 4, DEVICES[2:3]),
    }
    with open(path, "w") as file:
        json.dump(found, file)
