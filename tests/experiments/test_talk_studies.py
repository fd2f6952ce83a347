"""Studies of pure talk: theory beside play in the panel, no efficiency where welfare is a loss, reports that say so."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.analysis import losses
from dcg_econ.analysis.panels import market_days, session_flags
from dcg_econ.experiments import load
from dcg_econ.experiments.benchmarks import theory_rules
from dcg_econ.experiments.study import Study
from dcg_econ.mechanisms import CheapTalk, DoubleAuction, GaussianChoice
from dcg_econ.mechanisms.cheap_talk import babbling, most_cells, partition

ROUNDING = 1e-9
ERRORS = 4  # standard errors of a mean over draws


def short(name, folder, treatments, grid=None, **training):
    """The study of the catalogue with few sessions and steps, and only some of its cells."""
    whole = load(name).short()
    kept = [t for t in whole.treatments if t.name in treatments]
    trained = whole.training.model_copy(update=training)
    changes = {"treatments": kept, "hypotheses": [], "training": trained}
    study = Study.of(whole.model_copy(update=changes | ({"grid": grid} if grid else {})), folder)
    return study, study.run(quiet=True)


@pytest.fixture(scope="module")
def attention(tmp_path_factory):
    where = tmp_path_factory.mktemp("inattention") / "out"
    return short("inattention", where, ("lam_0_4", "lam_2_6"), steps=300, learning_rate=3e-2, batch=128)


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    where = tmp_path_factory.mktemp("talk") / "out"
    return short("cheap_talk", where, ("every_word", "drawn_words"), {"bias": [0.2, 0.1]})


@pytest.mark.slow
def test_theory_of_talk_stands_on_the_draws(talk):
    _, panel = talk
    sender = panel[panel["role"] == "sender"]
    for bias, own in sender.groupby("bias"):
        exact = partition(dcg.Uniform(0, 1), bias, most_cells(dcg.Uniform(0, 1), bias))
        t = own["type"].to_numpy()
        action = np.asarray(exact.actions)[np.searchsorted(np.asarray(exact.edges)[1:-1], t, side="right")]
        np.testing.assert_allclose(
            own["theory_welfare"], -((action - t) ** 2) - (action - t - bias) ** 2, atol=ROUNDING
        )
        np.testing.assert_allclose(own["babbling_welfare"], -((0.5 - t) ** 2) - (0.5 - t - bias) ** 2, atol=ROUNDING)
        np.testing.assert_allclose(own["first_best"], -(bias**2) / 2, atol=ROUNDING)
    assert "theory_bits" not in panel
    rounds = panel.groupby(["cell", "session", "round"])
    np.testing.assert_allclose(rounds["payoff"].sum(), rounds["welfare"].first(), atol=ROUNDING)


@pytest.mark.slow
def test_the_rules_average_to_the_closed_forms():
    game = CheapTalk(0.1)
    rules = theory_rules(game, dcg.Silence())
    types = jnp.asarray((np.arange(20_000) + 0.5) / 20_000)
    for name, found in (("theory", partition(game.prior, 0.1, 2)), ("babbling", babbling(game.prior, 0.1))):
        loss = float(found.receiver_loss + found.sender_loss)
        mean = np.mean(rules[f"{name}_welfare"](types[None]))
        np.testing.assert_allclose(mean, -loss, atol=1e-6)  # midpoints: the edge may be missed by 1/40000
    assert float(np.max(np.abs(theory_rules(CheapTalk(0.0), dcg.Silence())["theory_welfare"](types)))) == 0
    assert theory_rules(DoubleAuction(), dcg.Silence()) == {}
    z = jnp.linspace(-8, 8, 2001)[None, :, None]
    weights = np.exp(-0.5 * z[0, :, 0] ** 2) / np.exp(-0.5 * z[0, :, 0] ** 2).sum()
    rules = theory_rules(GaussianChoice(2.0), dcg.Protocol(dcg.Continuous(1, 1, price=3.2), private=True))
    np.testing.assert_allclose(rules["theory_welfare"](2 * z)[0] @ weights, -1.6, atol=ROUNDING)
    np.testing.assert_allclose(rules["theory_bits"](z)[0, 0], 0.5 * np.log2(4 / 1.6), atol=ROUNDING)
    assert theory_rules(GaussianChoice(), dcg.Silence()) == {}


@pytest.mark.slow
def test_attention_is_bought_as_theory_says_even_in_a_short_study(attention):
    _, panel = attention
    days = market_days(panel, keep=["bits"])
    for price, name in ((0.4, "lam_0_4"), (2.6, "lam_2_6")):
        own = days[days["treatment"] == name]
        gap = own["welfare"] - own["theory_welfare"]
        assert abs(gap.mean()) < ERRORS * gap.std() / np.sqrt(len(gap))
        np.testing.assert_allclose(own["theory_bits"], max(0, 0.5 * np.log2(2 / price)), atol=ROUNDING)
        assert abs(own["bits"].mean() - own["theory_bits"].mean()) < 0.2  # of 1.16 and 0: 300 steps


@pytest.mark.slow
def test_no_session_is_unconverged_for_want_of_regret(attention, talk):
    for _, panel in (attention, talk):
        assert panel["regret"].isna().all() and panel["converged"].all()
        assert session_flags(market_days(panel))["unconverged"].sum() == 0


@pytest.mark.slow
def test_no_efficiency_where_welfare_is_a_loss(attention, talk):
    for study, panel in (attention, talk):
        days = market_days(panel)
        assert losses.is_loss(days) and days["efficiency"].isna().all() and days["welfare_loss_share"].isna().all()
        assert (days["welfare_loss"] >= -ROUNDING).all()
        for history in study.results().frames("history"):
            assert history["efficiency"].isna().all() and np.isfinite(history["nats"]).all()
        assert dcg.analysis.welfare_table(panel, against="first_best").to_frame()["efficiency"].isna().all()


@pytest.mark.slow
def test_the_reports_speak_of_theory_and_not_of_efficiency(attention, talk, tmp_path):
    for (study, _), words in ((attention, "Bits in theory"), (talk, "Crawford and Sobel 1982")):
        page = study.report(tmp_path / "page.html").read_text(encoding="utf-8")
        text = re.sub(r"<[^>]+>", " ", re.sub(r'src="data:[^"]*"', "", page))
        assert words in text and "Welfare beside theory" in text and "of theory" in text
        for wrong in ("fficiency", "nan", "inf ", "Nash", "regret is at most", "diverged"):
            assert wrong not in text, wrong


@pytest.mark.slow
def test_the_table_of_losses_adds_up(talk):
    _, panel = talk
    frame = losses.loss_frame(panel, ("bias",))
    assert list(frame.index.names) == ["treatment", "bias"] and len(frame) == 4
    np.testing.assert_allclose(frame["welfare"] - frame["theory"], frame["gap"], atol=ROUNDING)
    assert (frame["babbling"] < frame["theory"]).all()


def test_decimals_in_names_of_treatments():
    assert dcg.analysis.style.treatment_label("lam_0_4") == "Lam 0.4"
