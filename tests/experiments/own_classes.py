"""What a user's own module may hold: classes that a study takes as they are."""

import jax.numpy as jnp

from dcg_econ.learning import AbstractObjective


class Envious(AbstractObjective):
    """A player climbs its own payoff less a share of the others'."""

    envy: float = 0.1

    def weights(self, players):
        return (1 + self.envy) * jnp.eye(players) - self.envy * jnp.ones((players, players))


class Joint(AbstractObjective):
    """A class with a name that the package has already."""

    def weights(self, players):
        return jnp.ones((players, players))
