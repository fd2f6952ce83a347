"""A synthetic market in closed form, seeded: no data, made so that payoffs add up and every column can be recomputed.

Buyers value q at v q - c q^2 / 2 and bid the schedule (v - p) k / c, k = 1 without strategy; a fringe buys b (w - p).
"""

import numpy as np
import pandas as pd
import pytest

BUYERS, CURVATURE, FRINGE_SLOPE, FRINGE_VALUE = 4, 1.2e-3, 300.0, 1.1
SHADING = {
    "competitive": (1.0, 0.0),
    "nash_schedules": (0.8, 0.0),
    "nash_quantities": (0.65, 0.0),
    "learned_schedules": (0.795, 0.02),
    "learned_quantities": (0.66, 0.02),
}


def clear(types, supply, shading):
    """Price ($/lb), buyers' quantities and the fringe's (lb), and welfare ($) of one market day."""
    slope = shading / CURVATURE
    price = (slope * types.sum() + FRINGE_SLOPE * FRINGE_VALUE - supply) / (slope * len(types) + FRINGE_SLOPE)
    bought, fringe = slope * (types - price), FRINGE_SLOPE * (FRINGE_VALUE - price)
    value = types * bought - CURVATURE * bought**2 / 2
    return price, bought, fringe, value.sum() + FRINGE_VALUE * fringe - fringe**2 / (2 * FRINGE_SLOPE), value


def market_day(treatment, session, day, types, supply, shading, flags):
    """The rows of one market day, one a player."""
    price, bought, fringe, welfare, value = clear(types, supply, shading)
    best = clear(types, supply, 1.0)
    twin = "nash_schedules" if treatment == "competitive" else treatment.replace("learned", "nash")
    nash = clear(types, supply, SHADING[twin][0])[3]
    fringe_payoff = (FRINGE_VALUE - price) * fringe - fringe**2 / (2 * FRINGE_SLOPE)
    common = {
        "session": session,
        "round": day,
        "mechanism": "curve_market",
        "treatment": treatment,
        "price": price,
        "welfare": welfare,
        "first_best": best[3],
        "nash_welfare": nash,
        "competitive_price": best[0],
        "supply": supply,
        "bits": np.nan,
        "agent_type": "learned" if treatment.startswith("learned") else "analytic",
        **{f"treat_{name}": float(name == treatment) for name in SHADING},
        **flags,
    }
    rows = [
        {"participant": f"buyer {i}", "role": "buyer", "type_value": types[i], "quantity": bought[i]}
        | {"payoff": value[i] - price * bought[i], "report_slope": shading / CURVATURE}
        for i in range(BUYERS)
    ]
    other = {"type_value": np.nan, "report_slope": np.nan}
    rows.append({"participant": "fringe", "role": "fringe", "quantity": fringe, "payoff": fringe_payoff} | other)
    rows.append({"participant": "seller", "role": "seller", "quantity": -supply, "payoff": price * supply} | other)
    return [common | row for row in rows]


def synthetic_panel(sessions=8, rounds=6, seed=7):
    """The synthetic panel; the same types and catches in every treatment, learned shading varies by session."""
    random = np.random.default_rng(seed)
    types = random.normal(1.6, 0.15, (sessions, rounds, BUYERS))
    supply = random.lognormal(7.6, 0.3, rounds)
    rows = []
    for treatment, (mean, spread) in SHADING.items():
        for session in range(sessions):
            shading = mean + spread * random.standard_normal()
            learned = treatment.startswith("learned")
            flags = {
                "regret": 2e-4 * random.uniform() if learned else 1e-13,
                "converged": not (learned and session == 3),
            }
            for day in range(rounds):
                rows += market_day(treatment, session, day, types[session, day], supply[day], shading, flags)
    panel = pd.DataFrame(rows)
    panel.attrs["variable_labels"] = {
        "efficiency": "efficiency",
        "price": "clearing price, $/lb",
        "payoff": "payoff, $",
        "welfare": "surplus of everyone, $ per day",
    }
    return panel


def synthetic_schedules():
    """One buyer's schedules for three types, tidy."""
    price, frames = np.linspace(0.2, 1.6, 30), []
    for value in (1.45, 1.6, 1.75):
        for name, shading in (("true marginal value", 1.0), ("nash_schedules", 0.8), ("learned_schedules", 0.79)):
            quantity = shading * (value - price) / CURVATURE
            frame = pd.DataFrame({"treatment": name, "type_value": value, "price": price, "quantity": quantity})
            band = 0.04 * quantity if name.startswith("learned") else np.nan
            frames.append(frame.assign(quantity_low=quantity - band, quantity_high=quantity + band))
    return pd.concat(frames, ignore_index=True)


def synthetic_history(sessions=8, seed=3):
    """Learning curves that fall towards Nash, tidy."""
    random, frames = np.random.default_rng(seed), []
    for name, nash in (("learned_schedules", 0.991), ("learned_quantities", 0.975)):
        for session in range(sessions):
            step = np.arange(0, 2001, 100)
            noise = np.exp(0.2 * random.standard_normal(len(step)))
            gap = 0.05 * np.exp(-step / 300) * noise + 1e-5 * noise
            frame = pd.DataFrame({"treatment": name, "session": session, "step": step, "efficiency": nash - gap})
            frames.append(frame.assign(regret=2 * gap, nash_efficiency=nash))
    return pd.concat(frames, ignore_index=True)


STUDY_LABELS = {
    "payoff": "Payoff, money",
    "welfare": "Surplus of everyone, money per round",
    "price": "Price, money per unit",
    "regret": "Regret, one player's expected gain from the best deviation, share of first best",
    "outside_slope": "Parameter outside_slope",
}
STUDY_SHIFTS = {"silence": -0.03, "chat": -0.01, "equilibrium": 0.0}


def synthetic_study(slopes=(0.5, 1.0, 2.0), sessions=6, rounds=4, failed=(), diverged=(), seed=11, **others):
    """A general study of two traders: panel and cells. `failed` holds (treatment, slope) without rows, `diverged`
    (treatment, slope, session) without numbers. `others` sweeps more parameters, of no effect."""
    random = np.random.default_rng(seed)
    best = random.gamma(9.0, 1.0, (sessions, rounds))
    rows, cells = [], []
    points = [{"outside_slope": b} for b in slopes]
    for name, values in others.items():
        points = [point | {name: value} for point in points for value in values]
    for treatment, shift in STUDY_SHIFTS.items():
        for point in points:
            cell, b = " ".join([treatment, *(f"{k}={v}" for k, v in point.items())]), point["outside_slope"]
            lost = (treatment, b) in failed
            learned = shift != 0
            noise = 0.004 * random.standard_normal(sessions) if learned else np.zeros(sessions)
            state = (
                {"status": "failed", "error": "ValueError: no trade\nline 2"} if lost else {"status": "ok", "error": ""}
            )
            count = 0 if lost else sessions
            cells.append({"cell": cell, "treatment": treatment, **state, "sessions": count, "unconverged": 0} | point)
            for session in range(0 if lost else sessions):
                bad = (treatment, b, session) in diverged
                for day in range(rounds):
                    nash = best[session, day] * (0.85 + 0.1 * b / (1 + b))
                    welfare = np.nan if bad else nash + (shift + noise[session]) * best[session, day]
                    common = {"cell": cell, "session": session, "round": day, "role": "trader", "mechanism": "swap"}
                    common |= {"treatment": treatment, "welfare": welfare, "first_best": best[session, day]}
                    common |= {
                        "nash_welfare": nash,
                        "regret": np.nan if bad else abs(shift) / 100,
                        "converged": not bad,
                    }
                    common |= {"agent_type": "learned" if learned else "analytic", "price": 0.5 + b / 10} | point
                    shares = (0.4, 0.6)
                    rows += [common | {"participant": f"trader {i}", "payoff": welfare * shares[i]} for i in range(2)]
    panel = pd.DataFrame(rows)
    for name in STUDY_SHIFTS:
        panel[f"treat_{name}"] = (panel["treatment"] == name).astype(float)
    panel.attrs = {"variable_labels": dict(STUDY_LABELS), "parameters": ["outside_slope", *others]}
    return panel, pd.DataFrame(cells).assign(seconds=1.5, warnings="")


@pytest.fixture(scope="session")
def make_study():
    return synthetic_study


@pytest.fixture(scope="session")
def study():
    return synthetic_study()


@pytest.fixture(scope="session")
def make_panel():
    return synthetic_panel


@pytest.fixture(scope="session")
def panel():
    return synthetic_panel()


@pytest.fixture(scope="session")
def schedules():
    return synthetic_schedules()


@pytest.fixture(scope="session")
def history():
    return synthetic_history()
