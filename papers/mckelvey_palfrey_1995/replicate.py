"""McKelvey and Palfrey (1995): logit quantal response equilibrium, on the choices that Ochs (1995) observed."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from dcg_econ.mechanisms import finite_games

SHARES, PLAYS = (0.527, 0.366), 128  # of first actions, game 2, and the number of choices of each role
LAM = 1.84561
PRIZES = 1.1141, 0.2785, 1.1141  # the row player's where actions match, the column player's where not

jax.config.update("jax_enable_x64", True)


def replicate():
    game = finite_games.NormalForm(finite_games.asymmetric_matching_pennies())
    fitted = finite_games.fit_lam(game, tuple(PLAYS * jnp.array([share, 1 - share]) for share in SHARES))
    row, column = finite_games.quantal_response(game, LAM).profile
    nash = finite_games.nash(game)
    return {
        "lam": fitted.lam,
        "log_likelihood": fitted.log_likelihood,
        "row_at_lam": row[0],
        "column_at_lam": column[0],
        "nash_row": nash.rows[0, 0],
        "nash_column": nash.columns[0, 0],
        "own_payoff_effect": row[0] - nash.rows[0, 0],
    }


def independent():
    """One equation in the row player's share, the column player's logit put in."""
    high, low, other = PRIZES

    def column(row):
        return expit(LAM * other * ((1 - row) - row))

    def excess(row):
        q = column(row)
        return expit(LAM * (high * q - low * (1 - q))) - row

    row = brentq(excess, 0, 1, xtol=1e-14)
    return {"row_at_lam": row, "column_at_lam": column(row), "own_payoff_effect": np.subtract(row, 0.5)}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
