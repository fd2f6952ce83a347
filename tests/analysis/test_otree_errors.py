"""What `read_otree` refuses, each time with the column and the remedy."""

from pathlib import Path

import pandas as pd
import pytest

from dcg_econ.analysis import (
    BargainingApp,
    ByGroup,
    DoubleAuctionApp,
    Exchange,
    OTreeApp,
    PublicGoodsApp,
    read_otree,
    to_otree,
)

DATA = Path(__file__).parent / "data" / "otree"
WIDE = DATA / "bots/all_apps_wide.csv"
ALONE = DATA / "bots/public_goods_simple.csv"
GOODS = PublicGoodsApp(endowment=100, multiplier="session.config.multiplier")


@pytest.fixture(scope="module")
def wide():
    return pd.read_csv(WIDE, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def alone():
    return pd.read_csv(ALONE, dtype=str, keep_default_na=False)


def refused(text, *arguments, **named):
    with pytest.raises(ValueError, match=text):
        read_otree(*arguments, **named)


def test_other_files(tmp_path, alone):
    times = pd.DataFrame({"session_code": ["a"], "participant_code": ["b"], "page_index": [1]})
    refused("no oTree export of an app: no column `participant.code`.*all apps \\(wide\\)", times)
    refused("no oTree export of an app: no column `session.code`", alone.drop(columns="session.code"))
    path = tmp_path / "empty.csv"
    path.write_text("\n")
    refused("empty.csv is no CSV file in UTF-8", path)
    path.write_bytes("participant.label\né\n".encode("latin-1"))
    refused("empty.csv is no CSV file in UTF-8", path)
    refused("no rows of app `goods`", alone.head(0), OTreeApp("goods"), treatment="session.code")


def test_apps_that_are_not_there(wide):
    refused('several apps: public_goods_simple, bargaining, double_auction; give app=OTreeApp\\("public', wide)
    refused("no app `public_good`; did you mean `public_goods_simple`", wide, OTreeApp("public_good"))
    two = wide[[name for name in wide if ".2." not in name and not name.startswith("double")]]
    refused("no app `double_auction`", two, DoubleAuctionApp())
    wrong = BargainingApp(100, name="public_goods_simple")
    refused("no field `request` of BargainingApp", wide, wrong)


def test_treatments_that_are_not_there(wide, alone):
    refused('session.config columns: give sessions=.*treatment={"\\w{8}": "...",', alone, OTreeApp("goods"))
    refused("no column `framing` for the treatment", alone, OTreeApp("goods"), treatment="framing")
    refused("no column `code` for the treatment; several", alone, OTreeApp("goods"), treatment="code")
    first = wide["session.code"].iloc[0]
    gaps = wide.assign(**{"session.config.treatment": wide["session.config.treatment"].where(wide.index > 5, "")})
    refused(f"no treatment \\(`session.config.treatment`\\) in session {first}", gaps, GOODS)
    refused("no treatment .* give treatment={code: name} for all", alone, OTreeApp("goods"), treatment={first: "low"})
    refused("`multiplier` has no value for treatment `low`", wide, PublicGoodsApp(100, {"high": 1.8}))
    refused("`sessions` has no session", alone, GOODS, sessions=DATA / "people/all_apps_wide.csv")
    refused("`sessions` has no column `session.code`", alone, GOODS, sessions=wide.drop(columns="session.code"))


def test_rounds_and_codes(alone):
    code = alone["participant.code"].iloc[0]
    twice = pd.concat([alone, alone.head(1)])
    refused(f"participant {code} of session \\w+ has round 1 twice.*drop_duplicates", twice, OTreeApp("goods"))
    alone = alone.assign(**{"player.id_in_group": alone["player.id_in_group"].where(alone.index != 2, "")})
    refused("`player.id_in_group` is empty in row 3", alone, OTreeApp("goods"))


def test_who_is_a_person_must_be_said(alone):
    given = {"treatment": "session.code"}
    refused("`participant._is_bot` is missing", alone.drop(columns="participant._is_bot"), OTreeApp("goods"), **given)
    refused("no column `participant.nickname` for `participant`", alone, participant="participant.nickname", **given)


def test_money_of_unknown_worth(wide, alone):
    refused(
        "no column `session.config.real_world.*sessions=<the wide",
        alone,
        money=Exchange("EUR"),
        treatment="session.code",
    )
    rate = "session.config.real_world_currency_per_point"
    gaps = wide.assign(**{rate: wide[rate].where(wide.index > 5, "")})
    refused("has no positive `session.config.real_world", gaps, GOODS, money=Exchange("EUR"))
    fixed = read_otree(gaps, GOODS, money=Exchange("EUR", per_point=1 / 4))
    assert fixed["payoff"].mul(4).equals(read_otree(gaps, GOODS)["payoff"])


def test_numbers_of_the_app_that_did_not_pay_these_payoffs(wide):
    where = "session \\w+, round 1, participant \\w+"
    refused(
        f"{where}: the payoff in the file is 114, but endowment=90 and .* would pay 103.6",
        wide,
        PublicGoodsApp(90, 1.2),
    )
    refused("would pay .* checked=False", wide, PublicGoodsApp(100, 1.3))
    refused("payoff in the file is 50, but pie=90 would pay 0", wide, BargainingApp(90))
    refused("units bought and sold do not match \\(`num_items` with supply=4\\)", wide, DoubleAuctionApp(supply=4))
    off = wide.assign(**{"double_auction.1.player.break_even_point": "50"})
    refused("payoff in the file is .* but supply=3 would pay", off, DoubleAuctionApp())
    loose = read_otree(off, DoubleAuctionApp(checked=False))
    assert "price" not in loose and loose.loc[loose["round"] == 0, "welfare"].eq(0).all()


def test_groups_that_are_no_partners(wide):
    column = "public_goods_simple.2.group.id_in_subsession"
    mixed = wide.assign(**{column: [str(i % 2 + 1) if i < 6 else old for i, old in enumerate(wide[column])]})
    refused(
        "changes groups between rounds.*give unit=BySession",
        mixed,
        PublicGoodsApp(100, 1.8, checked=False),
        unit=ByGroup(),
    )


def test_treatments_within_a_group(wide):
    refused(
        "group 1 of session \\w+ has players of several treatments in round 1", wide, GOODS, treatment="id_in_group"
    )


def test_parameters_that_are_no_columns(wide):
    refused(
        "no column `multiplyer` for `parameters`; did you mean `multiplier`", wide, GOODS, parameters=["multiplyer"]
    )
    assert read_otree(wide, GOODS, parameters=["multiplier"]).attrs["parameters"] == ["multiplier"]


def test_writing_a_panel_whose_cells_cannot_be_told_apart(study):
    panel = study[0].drop(columns="cell")
    panel.attrs = {}
    with pytest.raises(ValueError, match=r"would have round 1 of a session twice.*attrs\[.parameters.\]"):
        to_otree(panel)
