import numpy as np
import pandas as pd

from dcg_econ.analysis import bid_figure

TYPES = np.linspace(0, 1, 5)


def test_every_session_has_its_lines_and_its_dot():
    bids = pd.concat(
        pd.DataFrame({"session": s, "role": role, "type": TYPES, "report": TYPES + 0.1 * s, "nash_report": 0.9 * TYPES})
        for role in ("buyer", "seller")
        for s in range(3)
    )
    sessions = pd.DataFrame(
        {"surplus": [0.10, 0.11, 0.12], "regret": [0.0, 1e-5, 1e-4], "near_linear": [True, True, False]}
    )
    figure = bid_figure(bids, sessions, nash=0.13, second_best=0.14)
    buyers, sellers, outcomes = figure.axes
    for axis, name in ((buyers, "Bid (money)"), (sellers, "Ask (money)")):
        assert axis.get_ylabel() == name
        drawn = [line for line in axis.get_lines() if len(line.get_xdata()) == len(TYPES)]
        assert len(drawn) == 3 + 2  # the sessions, the equilibrium and the truth
    labels = [text.get_text() for text in outcomes.get_legend().get_texts()]
    assert labels == ["Near the affine bids: 2", "Elsewhere: 1", "Affine equilibrium", "Second best"]
    dots = np.concatenate([line.get_xdata() for line in outcomes.get_lines() if line.get_linestyle() == "None"])
    assert sorted(dots) == [1e-8, 1e-5, 1e-4]  # no regret at all stands at the floor of the log axis
