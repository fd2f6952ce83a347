"""Clarke (1971), Groves (1973): pivot taxes make the truth a dominant strategy, and leave a surplus."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.mechanisms import ClarkePivot, public_goods

LOW, HIGH, CURVATURE, PLAYERS, COST, DRAWS = 4.0, 8.0, 0.5, 5, 5.0, 20_000
OTHERS_LIE = jnp.array([0.0, 1.0, -1.0, 0.5, -2.0])  # how much each understates, player 1 nothing

jax.config.update("jax_enable_x64", True)


def replicate():
    clarke = ClarkePivot(
        public_goods.QuadraticPreferences(dcg.Uniform(LOW, HIGH), CURVATURE, players=PLAYERS), cost=COST
    )
    eq = dcg.solve(clarke)
    audit = public_goods.audit(clarke, eq.strategies, key=jax.random.key(1), draws=DRAWS)
    types = jax.vmap(clarke.sample_types)(jax.random.split(jax.random.key(2), 2000))

    def played(types, lie):
        outcome = clarke.outcome(eq.strategies(types.at[0, 0].add(lie)))
        return outcome.built, clarke.payoffs(types, outcome)[0]

    built, honest = jax.vmap(lambda t: played(t, 0.0))(types)
    _, lied = jax.vmap(lambda t: played(t, 1.0))(types)
    lies = eqx.tree_at(lambda truth: truth.shade, eq.strategies, OTHERS_LIE)
    return {
        "regret": eq.regret,
        "dominant": dcg.regret(clarke, lies).by_player[0],
        "efficiency": audit.efficiency,
        "samuelson": jnp.max(jnp.abs(jnp.sum(types[..., 0] - 2 * CURVATURE * built[:, None], axis=1) - COST)),
        "deficits": np.sum(np.asarray(audit.budget_surplus) < -1e-9),
        "surplus": jnp.mean(audit.budget_surplus),
        "lie": jnp.mean(lied - honest),
    }


def independent():
    """Taxes and payoffs by their definition, levels in closed form: Y = mean value - cost / N."""
    values = np.random.default_rng(0).uniform(LOW, HIGH, (400_000, PLAYERS))
    share = COST / PLAYERS

    def net(level, own):
        return own * level - CURVATURE * level**2 - share * level

    def best(own):
        return own.mean(axis=1) - share

    def paid(reports, true, i):
        """The payoff of player i, and its tax."""
        level, others = best(reports), np.delete(reports, i, axis=1)
        tax = sum(net(best(others), v) - net(level, v) for v in others.T)
        return net(level, true) - tax, tax

    lied = values + np.eye(PLAYERS)[0]
    return {
        "surplus": sum(paid(values, values[:, i], i)[1].mean() for i in range(PLAYERS)),
        "lie": np.mean(paid(lied, values[:, 0], 0)[0] - paid(values, values[:, 0], 0)[0]),
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
