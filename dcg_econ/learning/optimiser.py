"""The optimiser that training uses unless told otherwise."""

from __future__ import annotations

from functools import cache

import optax


def default_optimiser(steps: int, learning_rate: float = 1e-2) -> optax.GradientTransformation:
    """Adam from `learning_rate` with cosine decay over `steps`, gradients clipped to norm 1.

    Equal numbers give the same object: optimisers are compared by identity, and a new one compiles training anew.
    """
    return _made(int(steps), float(learning_rate))


@cache
def _made(steps: int, learning_rate: float) -> optax.GradientTransformation:
    schedule = optax.cosine_decay_schedule(learning_rate, steps)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))


@cache
def gradient_ascent(learning_rate: float) -> optax.GradientTransformation:
    """Steps of `learning_rate` times the gradient, nothing else. Equal numbers give the same object."""
    return optax.sgd(float(learning_rate))
