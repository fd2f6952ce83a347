"""Crawford and Sobel (1982): a sender with a bias tells a partition; the uniform-quadratic example and another prior."""

import jax
import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import beta

import dcg_econ as dcg
from dcg_econ.mechanisms import cheap_talk

BIAS, BETA_BIAS = 0.05, 0.1

jax.config.update("jax_enable_x64", True)


def gain_from_cells(prior, bias):
    """Whether the losses of both fall with every further cell."""
    counts = range(1, cheap_talk.most_cells(prior, bias) + 1)
    partitions = [cheap_talk.partition(prior, bias, n) for n in counts]
    return np.all(np.diff([[p.receiver_loss, p.sender_loss] for p in partitions], axis=0) < 0)


def replicate():
    uniform = dcg.Uniform(0.0, 1.0)
    cells = cheap_talk.most_cells(uniform, BIAS)
    best = cheap_talk.partition(uniform, BIAS, cells)
    skewed = cheap_talk.partition(dcg.Beta(2.0, 2.0), BETA_BIAS, 2)
    return {
        "most_cells": cells,
        "edge_1": best.edges[1],
        "edge_2": best.edges[2],
        "receiver_loss": best.receiver_loss,
        "sender_loss": best.sender_loss,
        "cells_quarter": cheap_talk.most_cells(uniform, 0.25),
        "cells_below_quarter": cheap_talk.most_cells(uniform, 0.2499),
        "more_is_better": np.mean([gain_from_cells(uniform, bias) for bias in (0.02, 0.05, 0.1, 0.2)]),
        "beta_edge": skewed.edges[1],
    }


def independent():
    """The edge at which the sender is indifferent between the means of both sides, by quadrature and root finding."""
    density = beta(2, 2).pdf

    def mean(low, high):
        return quad(lambda t: t * density(t), low, high)[0] / quad(density, low, high)[0]

    def excess(edge):
        return mean(0, edge) + mean(edge, 1) - 2 * (edge + BETA_BIAS)

    return {"beta_edge": brentq(excess, 1e-3, 0.9, xtol=1e-13)}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
