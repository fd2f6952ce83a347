r"""Paying attention to a normal variable (Sims 2003).

The payoff from the action a is -(a - x)^2, x normal with standard deviation s, and a nat of mutual information between x
and what is seen of it costs lam. The best signal is x plus normal noise and the best action its conditional mean, so that
the choice is that of a posterior variance D <= s^2:

    R(D) = (1/2) ln(s^2 / D),     D(R) = s^2 exp(-2 R),                                                   (1)
    max over D of -D - lam R(D):     D = min(s^2, lam / 2).                                               (2)

From lam = 2 s^2 on nothing is looked at. The action is then shrunk towards the prior mean, by 1 - D / s^2.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from dcg_econ._errors import require_positive
from dcg_econ.priors import number


class GaussianAttention(eqx.Module):
    """The best attention to a normal variable of standard deviation `sd` at `price` lam per nat, in closed form.

    The fields broadcast, and so do the numbers below. Payoffs are in squared units of the variable.
    """

    sd: Array = eqx.field(converter=number("sd"))
    price: Array = eqx.field(converter=number("price"))

    def __check_init__(self):
        require_positive("sd", self.sd)
        require_positive("price", self.price)

    @property
    def posterior_variance(self) -> Array:
        """(2), and the expected loss from the action too."""
        return jnp.minimum(self.sd**2, 0.5 * self.price)

    @property
    def rate(self) -> Array:
        """Nats of information, (1) at (2)."""
        return gaussian_rate(self.sd, self.posterior_variance)

    @property
    def value(self) -> Array:
        """The expected payoff net of the cost of attention."""
        return -self.posterior_variance - self.price * self.rate

    @property
    def response(self) -> Array:
        """How far the expected action follows x: 1 - D / s^2."""
        return 1 - self.posterior_variance / self.sd**2

    @property
    def noise_variance(self) -> Array:
        """Of the signal x + noise that leaves D: 1 / (1/D - 1/s^2); infinite where nothing is looked at."""
        return self.posterior_variance / self.response


def gaussian_rate(sd: ArrayLike, distortion: ArrayLike) -> Array:
    """(1): the least nats that leave an expected squared error of `distortion`; zero from s^2 on.

    Raises `InputError` for a distortion or a standard deviation that is not above zero.
    """
    sd, distortion = number("sd")(sd), number("distortion")(distortion)
    require_positive("sd", sd)
    require_positive("distortion", distortion)
    return 0.5 * jnp.log(sd**2 / jnp.minimum(distortion, sd**2))


def gaussian_distortion(sd: ArrayLike, rate: ArrayLike) -> Array:
    """(1): the least expected squared error that so many nats allow; `InputError` for a negative rate."""
    sd, rate = number("sd")(sd), number("rate")(rate)
    require_positive("sd", sd)
    require_positive("rate", rate, strict=False)
    return sd**2 * jnp.exp(-2 * rate)
