"""McKelvey and Palfrey (1995): logit quantal response equilibrium, on the choices that Ochs (1995) observed."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit

from dcg_econ.mechanisms import finite_games

SHARES, PLAYS = np.array([0.527, 0.366]), 128  # of first actions, and the number of choices of each role
LAM = 1.84561
HIGH, LOW, OTHER = 1.1141, 0.2785, 1.1141  # the row player's prizes where actions match, the column player's where not

jax.config.update("jax_enable_x64", True)


def replicate():
    game = finite_games.NormalForm(finite_games.asymmetric_matching_pennies())
    fitted = finite_games.fit_lam(game, tuple(PLAYS * jnp.array([share, 1 - share]) for share in SHARES))
    rows, columns = (p[:, 0] for p in finite_games.quantal_path(game, jnp.array([0.5, LAM, 20.0])).profiles)
    nash = finite_games.nash(game)
    return {
        "lam": fitted.lam,
        "log_likelihood": fitted.log_likelihood,
        "row_at_half": rows[0],
        "row_at_lam": rows[1],
        "row_at_20": rows[2],
        "column_at_lam": columns[1],
        "nash_row": nash.rows[0, 0],
        "nash_column": nash.columns[0, 0],
        "own_payoff_effect": rows[1] - nash.rows[0, 0],
    }


def independent():
    """One equation in the row player's share, the column player's logit put in, and a search for the likeliest lam."""

    def column(row, lam):
        return expit(lam * OTHER * (1 - 2 * row))

    def shares(lam):
        def excess(row):
            q = column(row, lam)
            return expit(lam * (HIGH * q - LOW * (1 - q))) - row

        row = brentq(excess, 0, 1, xtol=1e-14)
        return np.array([row, column(row, lam)])

    def loss(lam):
        return -PLAYS * np.sum(SHARES * np.log(shares(lam)) + (1 - SHARES) * np.log(1 - shares(lam)))

    best, (row, other) = minimize_scalar(loss, bounds=(0.01, 100), options={"xatol": 1e-9}), shares(LAM)
    return {
        "lam": best.x,
        "log_likelihood": -best.fun,
        "row_at_half": shares(0.5)[0],
        "row_at_lam": row,
        "row_at_20": shares(20.0)[0],
        "column_at_lam": other,
        "own_payoff_effect": row - 0.5,
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
