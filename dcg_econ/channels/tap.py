"""The gradient tap: what passes is left as it is, and its derivative can be read off the probe."""

from __future__ import annotations

from jaxtyping import Array

from dcg_econ.channels.base import AbstractChannel, free


class Tap(AbstractChannel):
    """Identity with a probe, zeros shaped like the message: d payoff / d probe is d payoff / d message."""

    probe: Array

    @property
    def pathwise(self):
        return True

    @property
    def likely(self):
        return False

    def __call__(self, message, key):
        del key
        return message + self.probe, free(message.dtype)
