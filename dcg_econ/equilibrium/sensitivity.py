"""Comparative statics: exact derivatives of anything about an equilibrium in every parameter of its mechanism."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete
from dcg_econ._names import nearest
from dcg_econ.equilibrium.result import Equilibrium
from dcg_econ.equilibrium.solve import solve
from dcg_econ.mechanism import AbstractMechanism


class Sensitivity(eqx.Module):
    """d quantity / d parameter for each parameter of the mechanism, by name: `s["curvature"]`, `s["values.low"]`.

    A derivative has the shape quantity.shape + parameter.shape, and the unit of the quantity over the parameter's.
    """

    value: Array
    derivatives: dict[str, Array]
    parameters: dict[str, Array]

    def __getitem__(self, name: str) -> Array:
        if name not in self.derivatives:
            raise KeyError(f"no parameter `{name}`: {nearest(name, self.derivatives)}")
        return self.derivatives[name]

    def to_frame(self):
        """A pandas frame, one row for each entry of each parameter: its value, the derivative, and the elasticity."""
        import pandas as pd

        rows = []
        for name, parameter in self.parameters.items():
            if not np.all(np.isfinite(parameter)):
                continue  # an absent bound
            for index in np.ndindex(parameter.shape):
                label = f"{name}[{','.join(map(str, index))}]" if index else name
                at, slope = float(parameter[index]), np.asarray(self.derivatives[name])[(..., *index)]
                elasticity = slope * at / np.asarray(self.value)
                rows.append({"parameter": label, "value": at, "derivative": slope, "elasticity": elasticity})
        frame = pd.DataFrame(rows).set_index("parameter")
        scalar = np.ndim(self.value) == 0
        return frame.astype(float) if scalar else frame

    def _repr_html_(self) -> str:
        return self.to_frame().to_html()


def sensitivity(mechanism: AbstractMechanism, quantity: Callable[[Equilibrium], Array], **settings: Any) -> Sensitivity:
    """The derivative of `quantity(equilibrium)` in every parameter of the mechanism, by implicit differentiation.

    `settings` go to `solve`, which raises where there is no equilibrium. Under `jax.vmap` a mechanism without
    equilibrium gives NaN in its own lane.
    """
    if settings.get("strategies") is None:
        settings["strategies"] = mechanism.initial_profile()
    solve(mechanism, **settings)
    found = _sensitivity(mechanism, quantity, settings)
    leaves = jax.tree.leaves(found.derivatives)
    if is_concrete(leaves) and not any(bool(jnp.any(leaf != 0)) for leaf in leaves):
        raise InputError(
            "quantity",
            "it has no derivative in any parameter",
            "take it from strategies, payoffs, welfare, first_best or efficiency: regret, stability, residual and "
            "second-order condition are evidence and not differentiated",
        )
    return found


@eqx.filter_jit
def _sensitivity(mechanism, quantity, settings) -> Sensitivity:
    free, fixed = eqx.partition(mechanism, eqx.is_inexact_array)

    def at(parameters):
        eq = solve(eqx.combine(parameters, fixed), **settings)
        value = jnp.asarray(quantity(eq))
        return value, (value, eq.solved)

    gradient, (value, solved) = jax.jacrev(at, has_aux=True)(free)
    gradient = jax.tree.map(lambda g: jnp.where(solved, g, jnp.nan), gradient)
    return Sensitivity(value, _named(gradient), _named(free))


def _named(tree: Any) -> dict[str, Array]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path).lstrip("."): leaf for path, leaf in leaves}
