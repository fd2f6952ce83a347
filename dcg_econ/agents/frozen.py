"""What of a tree of agents is learned, and what they only carry."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax


class Frozen(eqx.Module):
    """What an agent carries but does not learn: training leaves it as it is and shares it between sessions."""

    value: Any


def is_frozen(node: Any) -> bool:
    """Whether a node of an agent's tree is not learned."""
    return isinstance(node, Frozen)


def learned_axes(tree: Any) -> Any:
    """The axes for a map over copies of an agent: 0 for what is learned, None for what is frozen."""
    return jax.tree.map(
        lambda node: jax.tree.map(lambda _: None, node) if is_frozen(node) else (0 if eqx.is_array(node) else None),
        tree,
        is_leaf=is_frozen,
    )


def unstack_frozen(stacked: Any) -> Any:
    """Copies of an agent with the frozen part kept once, since it does not depend on the key."""

    def first(node):
        return jax.tree.map(lambda x: x[0] if eqx.is_array(x) else x, node) if is_frozen(node) else node

    return jax.tree.map(first, stacked, is_leaf=is_frozen)


def split_learned(tree: Any) -> tuple[Any, Any]:
    """(what is learned, all the rest): inexact arrays outside `Frozen`, to be joined by `eqx.combine`."""
    spec = jax.tree.map(
        lambda node: jax.tree.map(lambda _: False, node) if is_frozen(node) else eqx.is_inexact_array(node),
        tree,
        is_leaf=is_frozen,
    )
    return eqx.partition(tree, spec)
