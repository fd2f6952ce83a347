"""Sessions over devices: every device trains sessions of its own, and none waits for another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding
from jaxtyping import Array

from dcg_econ._errors import InputError

_AXIS = "sessions"


class Placement(NamedTuple):
    """Where arrays go: split over their leading axis, or whole; None leaves them where they are."""

    mesh: Mesh | None = None
    by_session: Sharding | None = None
    whole: Sharding | None = None


def placement(devices: Sequence[jax.Device] | None, keys: Array) -> Placement:
    """For sessions with `keys` (S,): the largest number of `devices` that divides S, none if that is where they are."""
    if devices is None:
        return Placement()
    found = list(dict.fromkeys(devices))
    if not found or not all(isinstance(device, jax.Device) for device in found):
        raise InputError("devices", f"{devices!r}", "give devices, e.g. jax.devices()")
    used = found[: max(n for n in range(1, len(found) + 1) if len(keys) % n == 0)]
    if len(used) == 1:
        only = SingleDeviceSharding(used[0])
        return Placement() if set(used) == keys.devices() else Placement(None, only, only)
    mesh = Mesh(np.array(used), (_AXIS,))
    return Placement(mesh, NamedSharding(mesh, PartitionSpec(_AXIS)), NamedSharding(mesh, PartitionSpec()))


def put(tree: Any, sharding: Sharding | None) -> Any:
    """`tree` with its arrays placed so."""
    if sharding is None:
        return tree
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.device_put(arrays, sharding), rest)


def gathered(tree: Any, where: Placement) -> Any:
    """`tree` with its arrays where arrays usually are."""
    if where.by_session is None:
        return tree
    return jax.tree.map(lambda x: jnp.asarray(np.asarray(x)) if eqx.is_array(x) else x, tree)


def on_each(function: Callable[..., Any], mesh: Mesh | None, whole: Any, *split: Any) -> Any:
    """`function(whole, *split)`, which maps over the leading axis of `split`, run on every device for its own sessions.

    By shard_map and not by sharded inputs alone: under those a while loop over sessions (clearing, golden section) has one
    condition for all devices, which exchange it in every turn (14 all-reduces in a step of a schedule market, here none)
    and wait for the slowest.
    """
    if mesh is None:
        return function(whole, *split)
    arrays, rest = eqx.partition((whole, *split), eqx.is_array)
    shapes = _shapes(arrays[0]), *_shapes(arrays[1:], parts=mesh.size)
    # Traced before it is sharded: Lineax 0.1.1 takes arrays inside shard_map for arrays of another shape.
    traced, result = jax.make_jaxpr(lambda *a: function(*eqx.combine(a, rest)), return_shape=True)(*shapes)

    def own(*arrays):
        return jax.tree.unflatten(jax.tree.structure(result), jaxpr_as_fun(traced)(*jax.tree.leaves(arrays)))

    each = PartitionSpec(_AXIS)
    specs = PartitionSpec(), *[each] * len(split)
    return jax.shard_map(own, mesh=mesh, in_specs=specs, out_specs=each, check_vma=False)(*arrays)


def _shapes(tree: Any, parts: int | None = None) -> Any:
    """The arrays of `tree`, or of one of `parts` equal parts of it, by shape and type."""

    def shape(x):
        return x.shape if parts is None else (x.shape[0] // parts, *x.shape[1:])

    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(shape(x), x.dtype), tree)
