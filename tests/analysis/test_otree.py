import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import to_otree


def test_columns_are_those_of_an_export_per_app(study):
    out = to_otree(study[0])
    want = ["participant.id_in_session", "participant.code", "participant.label", "participant._is_bot"]
    want += ["player.id_in_group", "player.role", "player.payoff", "group.id_in_subsession", "subsession.round_number"]
    want += ["session.code", "session.config.treatment", "session.config.cell", "session.config.outside_slope"]
    assert set(want) <= set(out) and len(out) == len(study[0])
    prefixes = ("participant.", "player.", "group.", "subsession.", "session.")
    assert all(name.startswith(prefixes) for name in out) and not any("treat_" in name for name in out)
    assert out["participant._is_bot"].eq(1).all() and out["group.id_in_subsession"].eq(1).all()


def test_codes_are_unique_stable_and_follow_the_person_through_the_rounds(study):
    panel, _ = study
    out = to_otree(panel)
    assert out["participant.code"].nunique() == 9 * 6 * 2 and out["session.code"].nunique() == 9 * 6
    assert out["participant.code"].str.fullmatch("[a-z0-9]{8}").all()
    keys = ["participant.code", "subsession.round_number"]
    assert not out.duplicated(keys).any() and out.groupby("participant.code")["session.code"].nunique().eq(1).all()
    some = panel[panel["treatment"] == "chat"].sample(frac=1, random_state=2)
    some.attrs = panel.attrs
    again = to_otree(some)
    pd.testing.assert_series_equal(
        again["participant.code"].sort_index(), out.loc[some.index, "participant.code"].sort_index()
    )


def test_fields_keep_their_values_by_row(study):
    panel, _ = study
    out = to_otree(panel)
    np.testing.assert_array_equal(out["player.payoff"], panel["payoff"])
    np.testing.assert_array_equal(out["group.welfare"], panel["welfare"])
    assert set(out["subsession.round_number"]) == {1, 2, 3, 4} and set(out["player.id_in_group"]) == {1, 2}
    assert (out.loc[panel["participant"] == "trader 1", "player.id_in_group"] == 2).all()


def test_booleans_are_digits_and_missing_values_empty(make_study):
    panel, _ = make_study(diverged=[("chat", 1.0, 0)])
    people = panel.assign(agent_type=panel["agent_type"].where(panel["participant"] != "trader 0", "human"))
    out = to_otree(people)
    assert set(out["group.converged"]) == {0, 1}
    lost = panel["welfare"].isna()
    assert out.loc[lost, "player.payoff"].eq("").all() and out.loc[~lost, "player.payoff"].ne("").all()
    assert out.loc[panel["participant"] == "trader 0", "participant._is_bot"].eq(0).all()
    assert out.to_csv(index=False).count("nan") == 0


def test_a_column_that_lacks_is_named(study):
    with pytest.raises(ValueError, match="no column `participant`"):
        to_otree(study[0].drop(columns="participant"))
