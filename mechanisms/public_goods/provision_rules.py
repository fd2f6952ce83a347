"""The rules of a provision point: what happens to contributions that are too little, and to those that are too much."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class AbstractRefund(eqx.Module):
    """What happens to contributions that miss the threshold."""

    @abstractmethod
    def payments(self, contributions: Float[Array, " N"]) -> Float[Array, " N"]:
        """What players lose, money."""


class FullRefund(AbstractRefund):
    """Everybody gets its money back."""

    def payments(self, contributions):
        return jnp.zeros_like(contributions)


class NoRefund(AbstractRefund):
    """What is given is gone."""

    def payments(self, contributions):
        return contributions


class AbstractRebate(eqx.Module):
    """What happens to contributions above the threshold."""

    @abstractmethod
    def level(self, total: Float[Array, ""], threshold: Float[Array, ""]) -> Float[Array, ""]:
        """The level built from contributions that sum to `total`, which meets the threshold."""

    @abstractmethod
    def payments(self, contributions: Float[Array, " N"], threshold: Float[Array, ""]) -> Float[Array, " N"]:
        """What players pay, money, if the threshold is met."""


class NoRebate(AbstractRebate):
    """One unit is built, and the excess is kept."""

    def level(self, total, threshold):
        return jnp.ones_like(total)

    def payments(self, contributions, threshold):
        return contributions


class ProportionalRebate(AbstractRebate):
    """One unit is built, and the excess is returned in proportion to contributions."""

    def level(self, total, threshold):
        return jnp.ones_like(total)

    def payments(self, contributions, threshold):
        total = jnp.sum(contributions)
        return contributions * threshold / jnp.where(total > 0, total, threshold)


class UtilizationRebate(AbstractRebate):
    """The excess builds more of the good, at the same cost a unit."""

    def level(self, total, threshold):
        return total / threshold

    def payments(self, contributions, threshold):
        return contributions
