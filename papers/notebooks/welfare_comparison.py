import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")


@app.cell
def _():
    import tempfile

    import jax
    import jax.numpy as jnp
    import marimo as mo

    jax.config.update("jax_enable_x64", True)  # the library never changes JAX's settings; a program does

    import dcg_econ as dcg
    from dcg_econ.mechanisms import CurveMarket

    return CurveMarket, dcg, jnp, mo, tempfile


@app.cell
def _(mo):
    mo.md(
        """
        # What does strategic bidding cost three traders?

        Three traders with private values hand in demand schedules, beside a price-taking outside. In Nash equilibrium each
        shades its schedule, since it moves the price. How much surplus is lost, and how much would be if they shaded more?

        Nothing is learned here, so the notebook takes seconds; a treatment `dcg.Silence()` would let traders learn.
        """
    )


@app.cell
def _(CurveMarket, dcg, jnp, tempfile):
    market = CurveMarket(curvature=jnp.ones(3), outside_slope=0.5)
    study = dcg.Study(
        market,
        treatments={
            "nash": "nash",
            "price_taking": "price_taking",
            "quarter": dcg.ProportionalDemand(0.25 * jnp.ones(3)),
        },
        sessions=8,
        rounds=25,
        seed=1,
        folder=tempfile.mkdtemp(prefix="welfare-"),  # a folder of your own keeps the results, and resumes
    )
    panel = study.run(quiet=True)
    return market, panel, study


@app.cell
def _(dcg, mo, panel):
    welfare = dcg.analysis.welfare_table(panel, against="nash")
    mo.vstack([mo.md("## Welfare by treatment"), mo.Html(welfare.to_html())])
    return (welfare,)


@app.cell
def _(dcg, mo, panel):
    figure = dcg.analysis.efficiency_figure(panel)
    mo.vstack([mo.md("## Loss of efficiency"), figure])
    return (figure,)


@app.cell
def _(dcg, mo, panel):
    effects = dcg.analysis.treatment_effects(panel, "efficiency", cluster="session", baseline="nash", ratio=True)
    mo.vstack([mo.md("## Differences to Nash"), mo.Html(effects.to_frame().round(5).to_html())])
    return (effects,)


@app.cell
def _(dcg, market, mo, welfare):
    # The sample against theory: price taking reaches first best, and Nash is within sampling error of its expectation.
    expected = float(dcg.solve(market).efficiency)
    found = welfare.to_frame()["efficiency"].astype(float)
    print(f"efficiency of Nash: {expected:.4f} in expectation")
    print(found.to_string())
    mo.md(f"In expectation the efficiency of Nash is **{expected:.4f}**.")
    return expected, found


if __name__ == "__main__":
    app.run()
