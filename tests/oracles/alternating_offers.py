"""Closed forms of bargaining by alternating offers, written from the literature and not from the package."""

import numpy as np


def rubinstein(d1: float, d2: float) -> float:
    """Rubinstein (1982): the share of player 1, who proposes first, of a surplus of one."""
    return (1 - d2) / (1 - d1 * d2)


def rubinstein_slopes(d1: float, d2: float) -> tuple[float, float]:
    """The derivatives of that share in the two discount factors."""
    return d2 * (1 - d2) / (1 - d1 * d2) ** 2, -(1 - d1) / (1 - d1 * d2) ** 2


def stahl(delta: float, rounds: int) -> float:
    """Stahl (1972), equal discount factors: 1 - delta + delta^2 - ... to as many terms as there are rounds."""
    return (1 - (-delta) ** rounds) / (1 + delta)


def backward_induction(d, outside, size, rounds: int) -> np.ndarray:
    """What each player (last axis) asks with so many rounds to go; refusing is worth the better of an outside option and
    the next round."""
    accept = np.asarray(outside)
    for _ in range(rounds - 1):
        ask = size - accept[..., ::-1]
        accept = np.maximum(outside, d * ask)
    return size - accept[..., ::-1]


def short_rounds(rates, risk) -> float:
    """Player 1's share as rounds become short (Binmore, Rubinstein and Wolinsky 1986): it maximises
    (x^(1 - risk_1))^(1/r_1) ((1 - x)^(1 - risk_2))^(1/r_2)."""
    power = (1 - np.asarray(risk)) / np.asarray(rates)
    return float(power[0] / power.sum())
