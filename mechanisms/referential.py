"""The referential game: a sender sees an object, and a receiver is to find it or to describe it (Lewis 1969).

An object has `attributes` attributes of `values` values each. *Discrimination*: the receiver sees `candidates` objects, the
target among them, all different, and names one. *Reconstruction*: it names every attribute. Interests are common: both earn the
log-probability that the receiver's weights give to the truth; welfare is whether its best guess is right, so that efficiency
is accuracy.
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError
from dcg_econ.mechanism import AbstractGame
from dcg_econ.messages.language import require_count


class Seen(NamedTuple):
    """What the sender sees, the object's attributes as one-hot rows, flattened; what the receiver sees, the candidates."""

    sender: Array
    receiver: Array


class Objects(NamedTuple):
    """The candidates' attributes (n, A) as whole numbers, and the target's place among them ()."""

    candidates: Array
    target: Array


class Answer(NamedTuple):
    """The receiver's log-probability of the truth, and whether its best guess is right."""

    log_prob: Array
    right: Array


class AbstractReferential(AbstractGame):
    """What both variants share."""

    attributes: eqx.AbstractVar[int]
    values: eqx.AbstractVar[int]

    @property
    def players(self):
        return ("sender", "receiver")

    @property
    def continuous(self):
        return True

    @property
    def objects(self) -> np.ndarray:
        """All objects there are, (values^attributes, attributes)."""
        grid = np.meshgrid(*[np.arange(self.values)] * self.attributes, indexing="ij")
        return np.stack(grid, axis=-1).reshape(-1, self.attributes)

    def coded(self, objects: Array) -> Array:
        """Attributes (..., A) as one-hot rows, flattened (..., A * values)."""
        return jax.nn.one_hot(objects, self.values).reshape(*objects.shape[:-1], -1)

    def settled(self, outcome):
        return jnp.isfinite(outcome.log_prob)

    def payoffs(self, types, outcome):
        del types
        return jnp.broadcast_to(outcome.log_prob, (2,))

    def welfare(self, types, outcome):
        del types
        return outcome.right

    def first_best(self, types):
        del types
        return jnp.ones(())


class Reconstruction(AbstractReferential):
    """The receiver sees nothing and names every attribute: numbers (A * values) are its logits."""

    attributes: int = eqx.field(static=True, default=3)
    values: int = eqx.field(static=True, default=5)

    def __check_init__(self):
        require_count("attributes", self.attributes)
        require_count("values", self.values, 2)

    def sample_types(self, key):
        return Objects(jax.random.randint(key, (1, self.attributes), 0, self.values), jnp.zeros((), int))

    def known(self, types):
        return Seen(self.coded(types.candidates[0]), jnp.zeros((1, 0)))

    def handed_in(self, actions, types):
        return actions[1].reshape(self.attributes, self.values), types.candidates[0]

    def outcome(self, reports):
        logits, truth = reports
        logs = jax.nn.log_softmax(logits)[jnp.arange(self.attributes), truth]
        return Answer(jnp.sum(logs), jnp.all(jnp.argmax(logits, axis=1) == truth).astype(logs.dtype))


class Discrimination(AbstractReferential):
    """The receiver sees `candidates` objects and names one: numbers (candidates,) are its logits."""

    attributes: int = eqx.field(static=True, default=3)
    values: int = eqx.field(static=True, default=5)
    candidates: int = eqx.field(static=True, default=8)

    def __check_init__(self):
        require_count("attributes", self.attributes)
        require_count("values", self.values, 2)
        require_count("candidates", self.candidates, 2)
        if self.candidates > self.values**self.attributes:
            raise InputError(
                "candidates", f"{self.candidates}", f"there are {self.values**self.attributes} objects: give no more"
            )

    def sample_types(self, key):
        objects = jnp.asarray(self.objects)
        first, second = jax.random.split(key)
        chosen = jax.random.choice(first, objects.shape[0], (self.candidates,), replace=False)
        return Objects(objects[chosen], jax.random.randint(second, (), 0, self.candidates))

    def known(self, types):
        return Seen(self.coded(types.candidates[types.target]), self.coded(types.candidates))

    def handed_in(self, actions, types):
        return actions[1], types.target

    def outcome(self, reports):
        logits, target = reports
        right = jnp.argmax(logits) == target
        return Answer(jax.nn.log_softmax(logits)[target], right.astype(logits.dtype))
