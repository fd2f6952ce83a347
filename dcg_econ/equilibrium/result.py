"""What `solve` returns."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int


class Equilibrium(eqx.Module):
    """A profile with the evidence that it is an equilibrium.

    `strategies`: the profile. `payoffs` (N,), `welfare`, `first_best`: expectations over types. `efficiency`: their
    ratio, everyone included. `residual`: largest first-order condition in absolute value. `regret`: share of first best
    (`largest_gain`: in the worst situation looked at). `second_order`: largest second derivative of payoff in the own
    report. `stability`: spectral radius of the best-reply map (below 1: repeated best replies come back; NaN where best
    replies leave the class of strategies). `solved`: the
    solver found an admissible root; `settled`: and the mechanism has an outcome for the types it was tried on;
    `converged`: and its regret is within tolerance. Where not solved, values are NaN. Residual, regret, second-order
    condition and stability are evidence about the solution and carry no derivatives.
    """

    strategies: Any
    payoffs: Float[Array, " N"]
    welfare: Float[Array, ""]
    first_best: Float[Array, ""]
    residual: Float[Array, ""]
    regret: Float[Array, ""]
    largest_gain: Float[Array, ""]
    second_order: Float[Array, ""]
    stability: Float[Array, ""]
    solved: Bool[Array, ""]
    settled: Bool[Array, ""]
    converged: Bool[Array, ""]
    n_steps: Int[Array, ""]
    mechanism: str = eqx.field(static=True)
    players: tuple[str, ...] = eqx.field(static=True)
    selection: str = eqx.field(static=True)

    @property
    def efficiency(self) -> Array:
        """E welfare / E first best."""
        return self.welfare / self.first_best

    def to_frame(self):
        """A pandas frame, one row a player: its coefficients and its expected payoff."""
        import pandas as pd

        columns = self.strategies.table(self.players)
        return pd.DataFrame(columns | {"payoff": np.asarray(self.payoffs)}, index=list(self.players))

    def to_latex(self) -> str:
        """The table of `to_frame` in LaTeX (booktabs)."""
        return self.to_frame().to_latex(float_format="%.4f", escape=True)

    def _summary(self) -> list[tuple[str, str]]:
        verdict = "yes" if bool(self.converged) else "NO"
        return [
            ("welfare", f"{float(self.welfare):.6g}"),
            ("first best", f"{float(self.first_best):.6g}"),
            ("efficiency", f"{float(self.efficiency):.6f}"),
            ("accepted", f"{verdict} (regret {float(self.regret):.2g} of first best)"),
            ("first-order residual", f"{float(self.residual):.2g}"),
            ("second-order", f"{float(self.second_order):.3g} (negative: a maximum)"),
            ("best-reply radius", self._stability()),
            ("steps", f"{int(self.n_steps)}"),
            ("selection", self.selection),
        ]

    def _stability(self) -> str:
        radius = float(self.stability)
        if np.isnan(radius):
            return "not defined: best replies leave this class of strategies"
        return f"{radius:.4f} ({'stable' if radius < 1 else 'unstable'} under repeated best replies)"

    def __str__(self):
        if self.welfare.ndim > 0:
            lanes = int(self.converged.size)
            return f"Equilibria of {lanes} {self.mechanism}s, {int(jnp.sum(self.converged))} accepted"
        rows = "\n".join(f"  {name:<21}{text}" for name, text in self._summary())
        return f"Equilibrium of {self.mechanism}\n{self.to_frame().to_string(float_format='%.6f')}\n{rows}"

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in self._summary())
        frame = self.to_frame().to_html(float_format="%.6f")
        return f"<b>Equilibrium of {escape(self.mechanism)}</b>{frame}<table>{rows}</table>"
