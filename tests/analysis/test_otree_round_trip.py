"""Out and in again is the identity on shared columns: simulated panels, and exports that oTree 6 made."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import BargainingApp, DoubleAuctionApp, PublicGoodsApp, read_otree, to_otree, write_csv

DATA = Path(__file__).parent / "data" / "otree"
GOODS = PublicGoodsApp(endowment=100, multiplier="session.config.multiplier")
HOSTILE = ["🎲 π", "نص, عربي", '=1+1","x"', "+SUM(A1)", "@cmd", "'quoted'", "NA", "1e5", "007", "<script>"]
ROLES = {"player.role"}  # oTree leaves it empty; a panel always has one


def simulated(make_study):
    """With missing numbers, infinite ones, a text parameter, booleans, people of strange names."""
    panel, _ = make_study(slopes=(0.5, 1.0), sessions=3, diverged=[("chat", 1.0, 0)], rule=("seal", "open"))
    attrs, names = panel.attrs, {f"trader {i}": name for i, name in enumerate(HOSTILE[:2])}
    panel = panel.assign(
        participant=panel["participant"].map(names).where(panel["session"] < 1, panel["participant"]),
        capacity=np.where(panel["treatment"] == "silence", np.inf, 4.0),
        traded=panel["session"].eq(1),
        units=np.arange(len(panel)),
        third=np.arange(len(panel)) / 3,
        note=np.where(panel["session"].eq(0), HOSTILE[2], "b"),
    )
    panel.attrs = attrs
    return panel


def assert_same(panel, found, but=()):
    """Values, dtypes and labels of every column of `panel`."""
    assert set(panel) <= set(found)
    names = [name for name in panel if name not in but]
    pd.testing.assert_frame_equal(found[names], panel[names], check_exact=True)
    assert found.attrs["parameters"] == panel.attrs["parameters"]


def test_a_simulated_panel_comes_back(make_study):
    panel = simulated(make_study)
    found = read_otree(to_otree(panel))
    assert_same(panel, found)
    texts = panel.attrs["variable_labels"]
    assert {name: found.attrs["variable_labels"][name] for name in texts} == texts
    assert found["agent_type"].isin(["learned", "analytic"]).all()


def test_a_simulated_panel_comes_back_from_a_file(make_study, tmp_path):
    panel = simulated(make_study)
    write_csv(to_otree(panel), tmp_path / "panel.csv")
    found = read_otree(tmp_path / "panel.csv")
    lost = ("capacity", "traded")  # `write_csv` leaves infinite numbers empty; a file has 1/0 for booleans
    assert_same(panel, found, but=lost)
    assert found["traded"].eq(panel["traded"]).all() and found["traded"].dtype == "int64"
    texts = panel.attrs["variable_labels"]
    assert {name: found.attrs["variable_labels"][name] for name in texts} == texts  # by the codebook beside it
    to_otree(panel).to_csv(tmp_path / "plain.csv", index=False)
    assert_same(panel, read_otree(tmp_path / "plain.csv"), but=("traded",))


def test_rounds_and_groups_that_count_from_one_come_back(study):
    panel = study[0].assign(round=study[0]["round"] + 1, group=study[0]["session"] % 2 + 1)
    panel.attrs = study[0].attrs
    out = to_otree(panel)
    assert out["subsession.round_number"].min() == 1 and set(out["group.id_in_subsession"]) == {1, 2}
    assert_same(panel, read_otree(out))
    late = panel[panel["round"] > 2].reset_index(drop=True)
    late.attrs = panel.attrs
    assert_same(late, read_otree(to_otree(late)))


def test_a_market_panel_comes_back(panel):
    found = read_otree(to_otree(panel))
    pd.testing.assert_frame_equal(found[list(panel)], panel, check_exact=True)
    assert found["role"].isin(["buyer", "fringe", "seller"]).all()


@pytest.mark.parametrize(
    ("folder", "app"),
    [
        ("bots", GOODS),
        ("bots", DoubleAuctionApp()),
        ("people", GOODS),
        ("people", BargainingApp(pie=100)),
        ("euro", BargainingApp(pie=100)),
    ],
)
def test_an_export_comes_back_in_all_its_columns(folder, app, tmp_path):
    path = DATA / folder / f"{app.name}.csv"
    panel = read_otree(path, app, sessions=DATA / folder / "all_apps_wide.csv")
    to_otree(panel).to_csv(tmp_path / "out.csv", index=False)
    with path.open(newline="", encoding="utf8") as old, (tmp_path / "out.csv").open(encoding="utf8") as new:
        before, after = list(csv.DictReader(old)), list(csv.DictReader(new))
    assert [name for name in after[0] if name in before[0]] == list(before[0])  # in oTree's order
    key = ("participant.code", "subsession.round_number")
    after = {tuple(row[name] for name in key): row for row in after}
    came = [row for row in before if row["participant._index_in_pages"] != "0"]
    assert list(after) == [tuple(row[name] for name in key) for row in came]
    unpaid = 0
    for row in came:
        found = after[tuple(row[name] for name in key)]
        different = {name for name in row if row[name] != found[name]} - ROLES
        if different:  # a round that the group did not finish: oTree's 0 is missing
            assert different == {"player.payoff"} and float(row["player.payoff"]) == 0 and not found["player.payoff"]
            assert found["group.complete"] == "0"
            unpaid += 1
    assert bool(unpaid) == (folder == "people")
    again = read_otree(tmp_path / "out.csv", app)
    pd.testing.assert_frame_equal(again[list(panel)], panel)


def test_all_names_of_people_survive_a_file(study, tmp_path):
    panel = study[0][study[0]["session"] < 5].copy()
    panel["participant"] = [
        HOSTILE[2 * s + (p == "trader 1")] for s, p in zip(panel["session"], panel["participant"], strict=True)
    ]
    panel.attrs = study[0].attrs
    to_otree(panel).to_csv(tmp_path / "people.csv", index=False)
    assert list(read_otree(tmp_path / "people.csv")["participant"]) == list(panel["participant"])
