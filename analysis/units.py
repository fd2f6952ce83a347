"""Units come from the panel's labels: a label ends in its unit, after a comma ("Payoff, $") or in brackets.

A study whose labels say dollars is told in dollars per market day; any other in the money of its model per round.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MODEL_MONEY = "money of the model"
SHARE = "share of first best"


@dataclass(frozen=True)
class Units:
    """How a panel's numbers are named: `money` and `flow` (money per round), `price`, and the word for a round."""

    money: str
    flow: str
    price: str
    period: str
    dollars: bool


def split_label(label: str) -> tuple[str, str]:
    """A label and its unit: "Price, $/lb" gives ("Price", "$/lb"); without a unit the second is empty."""
    if label.endswith(")") and " (" in label:
        text, _, unit = label[:-1].rpartition(" (")
        return text, unit
    text, comma, unit = label.rpartition(", ")
    return (text, unit) if comma else (label, "")


def units_of(labels: Mapping[str, str]) -> Units:
    """The units that `labels` (column -> label) speak of."""
    money = split_label(labels.get("payoff", ""))[1]
    flow = split_label(labels.get("welfare", ""))[1]
    if "$" in money + flow:
        return Units("$", "$ per market day", split_label(labels.get("price", ""))[1] or "$/lb", "market day", True)
    money = money or MODEL_MONEY
    price = split_label(labels.get("price", ""))[1] or f"{money} per unit"
    return Units(money, flow if " per " in flow else f"{money} per round", price, "round", False)


def outcome_label(outcome: str, labels: Mapping[str, str]) -> tuple[str, str]:
    """What a market day's column is called and its unit (empty where it is not known)."""
    units = units_of(labels)
    unit = _derived_units(units).get(outcome, "")
    if outcome in labels:
        text, own = split_label(labels[outcome])
        return lowered((text if own or not unit else labels[outcome]).split(", ")[0]), unit or own
    if outcome == "mean_payoff":
        return "mean payoff of a participant", units.money
    if outcome.endswith("_payoff"):
        unit = unit or units.flow
    return outcome.replace("_", " "), unit


def lowered(text: str) -> str:
    """Text for the middle of a sentence: "Regret" gives "regret", and "GSNR" stays."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _derived_units(units: Units) -> dict[str, str]:
    flows: tuple[str, ...] = ("welfare_loss", "welfare", "first_best", "nash_welfare", "second_best_welfare")
    flows += ("lindahl_welfare", "budget_surplus")
    flows += ("revenue", "revenue_loss", "buyers_payoff", "fringe_payoff", "seller_payoff")
    return dict.fromkeys(flows, units.flow) | {
        "efficiency": SHARE,
        "welfare_loss_share": SHARE,
        "regret": SHARE,
        "markdown": "share of the competitive price",
        "log_price": f"log points, price in {units.price}",
        "price": units.price,
        "bits": "bits",
    }
