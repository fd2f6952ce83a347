"""First best of a market for units with constant values and costs: highest values meet lowest costs."""

import numpy as np
import pandas as pd


def competitive(value: pd.Series, buys: pd.Series, units: pd.Series, market: pd.Series) -> dict[str, pd.Series]:
    """`first_best` and `competitive_price` by row, all arguments (n,): value or cost, buyer or seller, units at most
    (may be infinite for buyers), number of the market."""
    first_best, price = pd.Series(np.nan, value.index), pd.Series(np.nan, value.index)
    for rows in market.groupby(market).groups.values():
        buyer = buys[rows].to_numpy()
        worth, count = value[rows].to_numpy(float), units[rows].to_numpy(float)
        best, middle = _market(worth[buyer], count[buyer], worth[~buyer], count[~buyer])
        first_best[rows], price[rows] = best, middle
    return {"first_best": first_best, "competitive_price": price}


def _market(values, wanted, costs, offered) -> tuple[float, float]:
    """The largest surplus, and the middle of the prices that clear the market (NaN without gains from trade)."""
    supply = int(offered.sum())
    demand = np.repeat(values, np.minimum(wanted, supply + 1).astype(int))  # one more than there is sets the price
    demand, cost = np.sort(demand)[::-1], np.sort(np.repeat(costs, offered.astype(int)))
    pairs = min(len(demand), len(cost))
    gains = demand[:pairs] - cost[:pairs]
    trades = int((gains > 0).sum())
    if not trades:
        return 0.0, np.nan
    low = max([cost[trades - 1], *demand[trades : trades + 1]])
    high = min([demand[trades - 1], *cost[trades : trades + 1]])
    return float(gains[:trades].sum()), float(low + high) / 2
