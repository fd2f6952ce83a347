r"""One number in place of a curve: the institutions of `curve_reports` when players may report an intercept only.

The planner knows the shape of everybody's willingness to pay at mean types and not its height. Player i says a number m_i,
which stands for the first of its private numbers, and the institution works on the curve of a player of that type. Where the
others' private numbers are certain, nothing is lost but the slope.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ.mechanisms.public_goods.clarke_pivot import ClarkePivot
from dcg_econ.mechanisms.public_goods.costs import AbstractCost, QuadraticCost
from dcg_econ.mechanisms.public_goods.curve_reports import AbstractCurveInstitution
from dcg_econ.mechanisms.public_goods.lindahl import Lindahl
from dcg_econ.mechanisms.public_goods.numbers import AbstractNumberInstitution
from dcg_econ.mechanisms.public_goods.preferences import AbstractPreferences
from dcg_econ.mechanisms.public_goods.public_good import no_bounds


class InterceptReports(AbstractNumberInstitution):
    """`institution` with numbers for messages: the height of a curve whose shape is known."""

    institution: AbstractCurveInstitution

    def __init__(self, institution: AbstractCurveInstitution):
        self.institution = institution

    @property  # type: ignore[misc]
    def preferences(self) -> AbstractPreferences:  # type: ignore[override]
        return self.institution.preferences

    @property  # type: ignore[misc]
    def cost(self) -> AbstractCost:  # type: ignore[override]
        return self.institution.cost

    @property  # type: ignore[misc]
    def endowment(self) -> Array:  # type: ignore[override]
        return self.institution.endowment

    @property
    def continuous(self):
        return True

    @property
    def excludable(self):
        return self.institution.excludable

    def most(self):
        return self.institution.most()

    def bounds(self):
        return no_bounds(self.preferences)

    def quadratic(self):
        return isinstance(self.institution, Lindahl | ClarkePivot) and isinstance(self.cost, QuadraticCost)

    def provide(self, messages):
        types = self.preferences.at(jnp.zeros(())).at[:, 0].set(messages)
        return self.institution.provide(self.institution.preferences.curves(types))

    def start(self):
        return self.preferences.at(jnp.zeros(()))[:, 0]

    def no_equilibrium(self):
        return self.institution.no_equilibrium()

    def selection(self, profile):
        del profile
        return "the equilibrium in intercepts, slopes being known; with quadratic utility the only one that is affine"
