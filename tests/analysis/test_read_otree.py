"""`read_otree` on exports that oTree 6 made; see data/otree/README.md. Oracles are computed from the raw files by csv."""

import csv
import functools
from pathlib import Path

import pandas as pd
import pytest

from dcg_econ.analysis import (
    BargainingApp,
    ByGroup,
    DoubleAuctionApp,
    Exchange,
    Money,
    OTreeApp,
    PublicGoodsApp,
    read_otree,
    to_otree,
)

DATA = Path(__file__).parent / "data" / "otree"
GOODS = PublicGoodsApp(endowment=100, multiplier="session.config.multiplier")
MULTIPLIERS = {"low": 1.2, "high": 1.8}
EXACT = 1e-9  # sums of a few numbers of two decimals
HALF = 0.5  # oTree rounds the share of the public good to whole points


@functools.cache
def panel_of(folder, app=GOODS):
    """The panel of the wide file; not to be changed."""
    return read_otree(wide(folder), app)


def wide(folder):
    return DATA / folder / "all_apps_wide.csv"


def raw(folder, app):
    with (DATA / folder / f"{app}.csv").open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def codes(folder):
    """Session code -> treatment, from the wide file."""
    with wide(folder).open(newline="", encoding="utf8") as file:
        return {row["session.code"]: row["session.config.treatment"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("folder", ["bots", "people", "euro"])
@pytest.mark.parametrize("app", [GOODS, BargainingApp(pie=100)])
def test_both_layouts_give_the_same_panel(folder, app):
    whole = panel_of(folder, app)
    alone = read_otree(DATA / folder / f"{app.name}.csv", app, sessions=wide(folder))
    pd.testing.assert_frame_equal(alone[list(whole)], whole)
    assert set(alone) == set(whole) and alone.attrs == whole.attrs


@pytest.mark.parametrize("app", [GOODS, BargainingApp(pie=100), DoubleAuctionApp(supply=3)])
def test_versions_5_and_6_of_otree_give_the_same_panel(app):
    old, new = read_otree(DATA / "otree5/all_apps_wide.csv", app), panel_of("bots", app)
    drawn = ["participant", "participant_code", "session_code", "participant_time_started_utc"]
    assert set(old) == set(new) and not set(old["participant_code"]) & set(new["participant_code"])
    names = [name for name in new if name not in drawn]
    pd.testing.assert_frame_equal(old[names], new[names])


def test_frames_read_by_pandas_give_the_same_panel():
    frame = pd.read_csv(wide("people"), dtype={"participant.label": str}, na_values=[""], keep_default_na=False)
    pd.testing.assert_frame_equal(read_otree(frame, GOODS), panel_of("people"))


def test_the_panel_is_that_of_the_contract():
    panel = panel_of("bots")
    first = ["session", "round", "group", "participant", "role", "mechanism", "treatment"]
    assert list(panel)[: len(first)] == first and list(panel)[-2:] == ["treat_low", "treat_high"]
    assert panel["session"].dtype == panel["round"].dtype == "int64"
    assert panel["treat_low"].dtype == float and panel["treat_low"].eq(panel["treatment"].eq("low")).all()
    assert not panel.duplicated(["session", "round", "participant"]).any()
    assert set(panel["session"]) == {0, 1, 2, 3} and set(panel["round"]) == {0, 1, 2} and set(panel["group"]) == {0, 1}
    assert set(panel.attrs["variable_labels"]) == set(panel)
    assert panel["agent_type"].eq("bot").all() and panel["complete"].all() and panel.attrs["never_arrived"] == 0


def test_values_are_those_of_the_file():
    panel, rows = panel_of("bots"), raw("bots", "public_goods_simple")
    for column, name in (
        ("contribution", "player.contribution"),
        ("payoff", "player.payoff"),
        ("individual_share", "group.individual_share"),
        ("id_in_group", "player.id_in_group"),
    ):
        assert list(panel[column]) == [float(row[name]) for row in rows]
    assert list(panel["participant_code"]) == [row["participant.code"] for row in rows]
    assert list(panel["session_code"]) == [row["session.code"] for row in rows]
    assert list(panel["round"] + 1) == [int(row["subsession.round_number"]) for row in rows]
    assert list(panel["treatment"]) == [codes("bots")[row["session.code"]] for row in rows]


def test_public_goods_in_closed_form_and_as_paid():
    panel, treated = panel_of("bots"), codes("bots")
    given, paid = {}, {}
    for row in raw("bots", "public_goods_simple"):
        key = (row["session.code"], int(row["subsession.round_number"]) - 1)
        given[key] = given.get(key, 0.0) + float(row["player.contribution"])
        paid[key] = paid.get(key, 0.0) + float(row["player.payoff"])
    days = panel.drop_duplicates(["session", "round"]).set_index(["session_code", "round"])
    assert set(days.index) == set(given)
    for key, total in given.items():
        multiplier = MULTIPLIERS[treated[key[0]]]
        assert days.loc[key, "welfare"] == pytest.approx(600 + (multiplier - 1) * total, abs=EXACT)
        assert days.loc[key, "welfare"] == pytest.approx(paid[key], abs=6 * HALF)  # six shares were rounded
        assert days.loc[key, "first_best"] == pytest.approx(600 * multiplier, abs=EXACT)
        assert days.loc[key, "nash_welfare"] == 600


def test_in_cents_the_closed_form_is_what_was_paid():
    panel = read_otree(wide("euro"), GOODS, money=Money("EUR"))
    paid = panel.groupby(["session", "round"])["payoff"].transform("sum")
    assert (panel["welfare"] - paid).abs().max() <= 6 * 0.005 + EXACT
    assert panel.attrs["variable_labels"]["payoff"] == "Payoff, EUR"
    assert panel.attrs["variable_labels"]["contribution"] == "Contribution, EUR"


def test_demands_are_paid_where_the_pie_allows():
    panel = panel_of("bots", BargainingApp(pie=100))
    # The bots' demands: 50 + 50; 45 + 40; 70 + 60, and 70 + 35 in the second round.
    assert panel["welfare"].eq(50 + 50 + 45 + 40).all() and panel["first_best"].eq(300).all()
    assert panel.groupby(["session", "round"])["payoff"].sum().eq(185).all()
    assert list(panel.loc[(panel["session"] == 0) & (panel["round"] == 0), "agreement"]) == [True] * 4 + [False] * 2
    assert "nash_welfare" not in panel and panel["mechanism"].eq("nash_demand").all()


def test_a_double_auction_has_the_surplus_of_its_trades():
    panel = panel_of("bots", DoubleAuctionApp(supply=3))
    # Round 1: values 95, 80, 62; costs 20, 45, 70; the bots trade 95-20, 95-20, 80-20, 80-45.
    # Round 2: values 80, 62, 95; costs 45, 70, 20; they trade 80-45, 62-20, 95-20 and 95-70.
    by = panel.groupby("round")
    assert list(by["welfare"].first()) == [75 + 75 + 60 + 35, 35 + 42 + 75 + 25]
    assert list(by["payoff"].sum()) == list(by["welfare"].first())
    # The demo's buyers take any number: all nine units go to the highest value.
    assert list(by["first_best"].first()) == [3 * 75 + 3 * 50 + 3 * 25] * 2
    assert by["competitive_price"].first().eq(95).all()
    assert list(by["price"].first()) == [(45 + 50 + 55 + 62) / 4, (60 + 40 + 70 + 75) / 4]
    assert set(panel["role"]) == {"buyer", "seller"} and list(by["traded"].sum()) == [8, 8]


def test_a_buyer_of_few_units_makes_a_demand_curve():
    panel = panel_of("bots", DoubleAuctionApp(supply=3, demand=2))
    # Values 95, 95, 80, 80, 62, 62 against costs 20, 20, 20, 45, 45, 45: all six trade, at 62 to 45 or below 70.
    assert panel["first_best"].eq(2 * (95 + 80 + 62) - 3 * (20 + 45)).all()
    assert panel["competitive_price"].eq((45 + 62) / 2).all()


def test_people_who_leave_or_never_come_leave_gaps_and_no_zeros():
    panel = panel_of("people")
    assert panel["agent_type"].eq("human").all() and panel.attrs["never_arrived"] == 4
    first = panel[panel["session"] == 0]
    assert list(first.groupby("round").size()) == [8, 8, 8]  # twelve seats, four never taken
    played = first[first["complete"]].groupby("round")["group"].unique().map(list).to_dict()
    assert played == {0: [0, 1], 1: [0], 2: [0]}
    assert first.loc[~first["complete"], "payoff"].isna().all() and first.loc[first["complete"], "payoff"].notna().all()
    assert list(first.groupby("round")["first_best"].first()) == [1080, 540, 540]  # of the complete groups
    assert (
        first.loc[first["complete"]]
        .groupby("round")["payoff"]
        .sum()
        .sub(first.groupby("round")["welfare"].first())
        .abs()
        .max()
        <= 6 * HALF
    )
    assert panel.loc[panel["session"] == 1, "complete"].all()


def test_labels_survive_as_they_were_written():
    panel = panel_of("people")
    people = panel[(panel["session"] == 0) & (panel["round"] == 0)]
    want = ["🎓 Ana", '=HYPERLINK("http://example.org","x")', 'O"Neil, Sean', "مشارك ٤", "007", "NA", "<b>&"]
    assert list(people["participant"])[:7] == want
    assert people["participant"].iloc[7] == people["participant_code"].iloc[7]  # the label is empty
    coded = read_otree(wide("people"), GOODS, participant="participant.code")
    assert coded["participant"].eq(coded["participant_code"]).all()
    assert not any(label in coded.to_csv() for label in ("Ana", "Neil"))


def test_a_label_of_two_people_gives_way_to_their_codes():
    frame = pd.read_csv(wide("people"), dtype=str, keep_default_na=False)
    frame.loc[[0, 1], "participant.label"] = "PC 1"
    frame.loc[12, "participant.label"] = "PC 1"  # another session
    panel = read_otree(frame, GOODS)
    ours = panel[panel["round"] == 0].set_index("participant_code")["participant"]
    assert list(ours[:2]) == list(ours.index[:2]) and ours[frame.loc[12, "participant.code"]] == "PC 1"


def test_codes_that_look_like_numbers_stay_text():
    frame = pd.read_csv(wide("bots"), dtype=str, keep_default_na=False)
    codes = dict(zip(frame["session.code"].unique(), ("1e234567", "00123456", "12345678", "nan"), strict=False))
    frame["session.code"] = frame["session.code"].replace(codes)
    frame["participant.code"] = [f"{i:08d}" for i in range(len(frame))]
    panel = read_otree(frame, GOODS)
    assert list(panel["session_code"].unique()) == ["1e234567", "00123456", "12345678", "nan"]
    assert list(panel["participant_code"].unique()) == [f"{i:08d}" for i in range(24)]


def test_sessions_may_be_groups_of_partners():
    by_group = read_otree(wide("bots"), GOODS, unit=ByGroup())
    assert by_group["session"].nunique() == 8 and by_group.groupby("session")["participant"].nunique().eq(3).all()
    assert by_group["first_best"].isin([360, 540]).all()
    total = by_group.drop_duplicates(["session", "round"]).groupby(["session_code", "round"])["welfare"].sum()
    whole = panel_of("bots").groupby(["session_code", "round"])["welfare"].first()
    pd.testing.assert_series_equal(total, whole, check_exact=False, rtol=0, atol=EXACT)


def test_points_are_exchanged_at_each_sessions_rate():
    frame = pd.read_csv(wide("bots"), dtype=str, keep_default_na=False)
    doubled = frame["session.code"] == frame["session.code"].iloc[0]
    frame.loc[doubled, "session.config.real_world_currency_per_point"] = "0.2"
    points, euros = (read_otree(frame, GOODS, money=money) for money in (Money("points"), Exchange("EUR")))
    rate = points["session"].eq(0).map({True: 0.2, False: 0.1})
    for column in ("payoff", "welfare", "first_best", "nash_welfare", "contribution"):
        assert (euros[column] - rate * points[column]).abs().max() < EXACT
    assert euros.attrs["variable_labels"]["welfare"].endswith("complete groups, EUR per round")
    with pytest.raises(ValueError, match=r"real_world_currency_per_point`: \w+ 0.2, \w+ 0.1\): give money=Exchange"):
        read_otree(frame, GOODS)


def test_a_written_label_does_not_name_money_that_was_exchanged():
    points = panel_of("bots")
    assert read_otree(to_otree(points), GOODS).attrs["variable_labels"] == points.attrs["variable_labels"]
    found = read_otree(to_otree(points), GOODS, money=Exchange("EUR")).attrs["variable_labels"]
    assert found["payoff"] == "Payoff, EUR" and found["contribution"] == "Contribution, EUR"
    assert found["round"] == points.attrs["variable_labels"]["round"]


def test_the_treatment_may_stand_anywhere_or_be_told():
    by_name = read_otree(wide("bots"), GOODS, treatment="session.config.name")
    assert set(by_name["treatment"]) == {"public_goods_low", "public_goods_high"}
    assert by_name["session_treatment"].equals(panel_of("bots")["treatment"])  # the other column is kept
    by_code = read_otree(wide("bots"), BargainingApp(pie=100), treatment="session.code")
    assert by_code["treatment"].equals(by_code["session_code"]) and by_code["treatment"].nunique() == 2
    told = read_otree(DATA / "bots/public_goods_simple.csv", PublicGoodsApp(100, MULTIPLIERS), treatment=codes("bots"))
    pd.testing.assert_series_equal(told["welfare"], by_name["welfare"])
    by_seat = read_otree(wide("bots"), OTreeApp("bargaining"), treatment="id_in_group")
    assert list(by_seat["treatment"].unique()) == ["1", "2"] and by_seat["treat_1"].sum() == len(by_seat) / 2


def test_treatments_of_strange_names_are_kept():
    names = dict(zip(sorted(set(codes("bots"))), ('High, "🎉"', "=1+1", "علاج", "1.80", "x"), strict=True))
    panel = read_otree(wide("bots"), PublicGoodsApp(100, "multiplier"), treatment=names)
    used = {names[code] for code in panel["session_code"]}
    assert set(panel["treatment"]) == used and {f"treat_{name}" for name in used} <= set(panel)
    again = read_otree(to_otree(panel), PublicGoodsApp(100, "multiplier"))
    pd.testing.assert_frame_equal(again[list(panel)], panel)


def test_long_digits_and_leading_zeros_are_no_numbers():
    frame = pd.read_csv(wide("bots"), dtype=str, keep_default_na=False)
    for number in (1, 2):
        frame[f"bargaining.{number}.player.account"] = "12345678901234567890"
        frame[f"bargaining.{number}.player.door"] = f"00{number}"
        frame[f"bargaining.{number}.player.big"] = "123456789012345678"
    panel = read_otree(frame, BargainingApp(pie=100))
    assert set(panel["account"]) == {"12345678901234567890"} and set(panel["door"]) == {"001", "002"}
    assert panel["big"].dtype == "int64" and panel["big"].eq(123456789012345678).all()


def test_any_other_app_says_itself_what_counts():
    def derive(rows):
        given = rows.column("player.contribution")
        return {"welfare": rows.total(given), "first_best": 100 * rows.size()}

    app = OTreeApp("public_goods_simple", "giving", required=("contribution",), derive=derive)
    panel = read_otree(wide("people"), app)
    known = panel_of("people")
    assert panel["mechanism"].eq("giving").all() and panel["complete"].equals(known["complete"])
    own = known[known["complete"]].groupby(["session", "round"])["contribution"].sum()
    assert panel.groupby(["session", "round"])["welfare"].first().equals(own.rename("welfare"))
    alone = read_otree(wide("people"), OTreeApp("public_goods_simple", required=("contribution",), by_oneself=True))
    assert alone["complete"].equals(alone["contribution"].notna())
