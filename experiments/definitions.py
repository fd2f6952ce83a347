"""What the outcomes of a specification mean: the words of the pre-analysis plan and of the codebook."""

from __future__ import annotations

FLOW = "money per round (dollars per market day at the fish market)"
SHARE = "share of first best"

# Of one round of one session, a market day; definition and unit. See `dcg_econ.analysis.panels` for the arithmetic.
DEFINITIONS: dict[str, tuple[str, str]] = {
    "efficiency": ("E welfare / E first best, a ratio of expectations over rounds, everyone included", SHARE),
    "welfare": ("surplus of everyone, fringe and seller too", FLOW),
    "welfare_loss": ("first best minus welfare", FLOW),
    "welfare_loss_share": ("1 - welfare / first best, where first best is above zero", SHARE),
    "payoff": ("mean payoff of the participants", "money"),
    "regret": ("largest expected gain of a player from its best deviation, the epsilon of an epsilon-Nash", SHARE),
    "bits": ("information cost of all messages of the round", "bits"),
    "price": ("the clearing price", "money per unit"),
    "log_price": ("natural logarithm of the price", "log points"),
    "markdown": ("1 - price / competitive price", "share of the competitive price"),
    "revenue": ("price times supply", FLOW),
    "revenue_loss": ("(competitive price - price) times supply", FLOW),
    "quantity": ("quantity traded by a participant", "units"),
    "level": ("level of the public good", "units"),
    "budget_surplus": ("payments collected less the cost of what is provided", FLOW),
    "buyers_payoff": ("sum of the buyers' payoffs", FLOW),
    "fringe_payoff": ("payoff of the price-taking fringe", FLOW),
    "seller_payoff": ("payoff of the seller", FLOW),
}

# Columns of the training history and of the table of cells; the panel has labels of its own.
HISTORY = {
    "step": "Gradient steps so far",
    "efficiency": "Efficiency on fresh draws with nothing soft, share of first best",
    "soft": "Efficiency on these draws as trained, share of first best",
    "regret": "Regret on these draws, share of first best (missing after talk)",
    "nats": "Information cost of all messages of an episode, nats",
    "length": "Length of all messages of an episode",
    "failed": "Share of training episodes since the last record that did not settle or had no finite gradient",
    "nash_efficiency": "Efficiency of the Nash equilibrium in expectation, share of first best",
}
CELLS = {
    "cell": "Cell (treatment at one point of the grid)",
    "status": "ok, failed or missing",
    "sessions": "Sessions that ran",
    "unconverged": "Sessions that did not converge",
    "seconds": "Wall clock, compilation included, seconds",
    "warnings": "What was said while it ran",
    "error": "Why it failed",
}
