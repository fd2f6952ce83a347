"""The price of incentives: what players who climb their joint payoff reach beyond those who climb their own, by message.

For one message with selfish, joint and (where there) shaped treatments of the same name but for its ending, and efficiencies
R = E welfare / E first best,

(1)  price of incentives = R_joint - R_selfish,     (2)  what shaping changes = R_shaped - R_selfish,

with standard errors of `inference`, clustered by session and paired where treatments have their sessions in common. Selfish
play is set beside the bound that theory gives: the second best where one is known, else play in theory, on the same draws.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import BOUND_NOTE, SECOND_BEST, is_known
from dcg_econ.analysis.inference import UNKNOWN, Estimate, mean_difference, ratio
from dcg_econ.analysis.panels import market_days, session_flags, sound_days
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import Table, decimals, small_percent, with_errors
from dcg_econ.analysis.talk import JOINT, SHAPED
from dcg_econ.analysis.welfare import efficiency, efficiency_difference

THEORY = "theory_welfare"
PP = 100.0
GAPS = {"joint": "Price of incentives (pp)", "shaped": "Shaped less selfish (pp)", "bound": "Selfish less {bound} (pp)"}


def has_incentives(treatments: Iterable[object]) -> bool:
    """Whether some treatment has a joint counterpart: the same name with the ending `_joint`."""
    return bool(_messages(treatments))


def incentives_table(panel: pd.DataFrame) -> Table:
    """Efficiency of selfish, joint and shaped players by message, the price of incentives, and the gap to theory's bound.

    A treatment `x` is compared with `x_joint` and `x_shaped`. `to_frame()`: one row a message, in shares of first best:
    selfish, joint, shaped, price (joint less selfish), shaping (shaped less selfish) and gap (selfish less bound), each
    with `_se`, `_low`, `_high` (95 %, Student's t) and `_df`; `regret` of the selfish, largest over sessions; sessions.
    Raises ValueError where no treatment has a joint counterpart or every session failed.
    """
    every = market_days(panel, keep=[THEORY] if THEORY in panel else [])
    days, flags = sound_days(every), session_flags(every)
    messages = _messages(list(dict.fromkeys(every["treatment"])))
    if not messages:
        raise ValueError(f"no treatment has a joint counterpart: name it as the selfish one with the ending {JOINT}")
    bound = _bound(days)
    rows = {name: _row(days, flags, name, bound) for name in messages}
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("message")
    notes = (_note(frame, bound), *((BOUND_NOTE,) if bound == SECOND_BEST else ()))
    return Table(frame, "The price of incentives by message", notes, name="incentives", printed=_printed(frame, bound))


def _messages(treatments: Iterable[object]) -> list[str]:
    names = [str(name) for name in treatments]
    return [name for name in names if f"{name}{JOINT}" in names]


def _bound(days: pd.DataFrame) -> str:
    """What selfish play is compared with: the second best, else play in theory, else nothing."""
    if is_known(days, SECOND_BEST):
        return SECOND_BEST
    return THEORY if THEORY in days and days[THEORY].notna().all() else ""


def _row(days: pd.DataFrame, flags: pd.DataFrame, name: str, bound: str) -> dict[str, float]:
    found = {"selfish": _level(days, name), "joint": _level(days, f"{name}{JOINT}")}
    found |= {"shaped": _level(days, f"{name}{SHAPED}"), "price": _gap(days, f"{name}{JOINT}", name)}
    found |= {"shaping": _gap(days, f"{name}{SHAPED}", name), "gap": _to_bound(days, name, bound)}
    flat: dict[str, float] = {}
    for key, estimate in found.items():
        flat |= {key: estimate.value, f"{key}_se": estimate.se, f"{key}_low": estimate.low}
        flat |= {f"{key}_high": estimate.high, f"{key}_df": estimate.df}
    return flat | {"regret": flags["regret_max"].get(name, np.nan), "sessions": found["selfish"].sessions}


def _level(days: pd.DataFrame, name: str) -> Estimate:
    return efficiency(days, name) if name in set(days["treatment"]) else UNKNOWN


def _gap(days: pd.DataFrame, name: str, against: str) -> Estimate:
    sides = days[days["treatment"] == name], days[days["treatment"] == against]
    if any(side.empty for side in sides):
        return UNKNOWN
    return mean_difference([sides], "welfare", "first_best")[0]


def _to_bound(days: pd.DataFrame, name: str, bound: str) -> Estimate:
    own = days[days["treatment"] == name]
    if not bound or own.empty:
        return UNKNOWN
    if bound == SECOND_BEST:
        return efficiency_difference(days, name, bound)
    return ratio(own.assign(_gap=own["welfare"] - own[THEORY]), "_gap", "first_best")


def _printed(frame: pd.DataFrame, bound: str) -> pd.DataFrame:
    columns = {"Message": [treatment_label(name) for name in frame.index]}
    heads = {"selfish": "Selfish (%)", "joint": "Joint (%)", "shaped": "Shaped (%)", "price": GAPS["joint"]}
    heads |= {"shaping": GAPS["shaped"], "gap": GAPS["bound"].format(bound=_called(bound))}
    for key, head in heads.items():
        if frame[key].notna().any():
            columns[head] = _with_errors(PP * frame[key], PP * frame[f"{key}_se"])
    if frame["regret"].notna().any():
        columns["Selfish regret, largest (%)"] = [small_percent(value) for value in frame["regret"]]
    return pd.DataFrame(columns, dtype=object)


def _with_errors(values: pd.Series, errors: pd.Series) -> list[str]:
    style = f",.{decimals([errors.max()], smallest=2, largest=3)}f"
    return with_errors(values, errors, style)


def _called(bound: str) -> str:
    return "second best" if bound == SECOND_BEST else "theory"


def _note(frame: pd.DataFrame, bound: str) -> str:
    sessions = frame["sessions"].astype(int)
    counts = f"{sessions.min()}" if sessions.nunique() == 1 else f"{sessions.min()} to {sessions.max()}"
    theory = f" Selfish less {_called(bound)}: on the same draws." if bound else ""
    return (
        "Efficiency: E welfare / E first best. Price of incentives: joint less selfish, in percentage points of first best "
        f"(pp). Shaped: own payoff after the others' anticipated step.{theory} Standard errors in brackets are clustered by "
        f"session ({counts} sessions a treatment; differences paired by session where both sides have it), on sessions - 1 "
        "degrees of freedom. Joint players are at no equilibrium."
    )
