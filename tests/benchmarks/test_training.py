"""Learning: sessions side by side against a loop over sessions, batches, compiling, and devices."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.frozen import split_learned
from dcg_econ.learning import default_optimiser
from dcg_econ.learning.gradient import Game
from dcg_econ.learning.steps import advance, begin
from dcg_econ.mechanisms import CurveMarket
from tests.benchmarks.processes import printed
from tests.benchmarks.ratios import Row, against, compare, seconds, threads, warm

STEPS, RUN = 20, 2000  # steps timed, and steps of a usual session


def learning(sessions, batch, traders=3, points=6, width=8):
    """What `advance` takes: STEPS steps of `sessions` groups of traders, whose small nets name curves on so many knots."""
    market = CurveMarket(curvature=jnp.ones(traders), outside_slope=0.5)
    knots = jnp.linspace(-1.5, 1.5, points)
    keys = jax.random.split(jax.random.key(0), sessions)
    make = lambda key: dcg.Shared(dcg.CurveAgent(knots, key=key, width=width, depth=1))  # noqa: E731
    learned, rest = split_learned(eqx.filter_vmap(make)(keys))
    rest = jax.tree.map(lambda x: x[0] if eqx.is_array(x) else x, rest)
    game = Game(market, dcg.Silence(), dcg.Pathwise(), dcg.Selfish(), rest)
    optimiser = default_optimiser(RUN)
    state = jax.vmap(optimiser.init)(learned), begin(game, learned, keys, batch)
    return game, optimiser, learned, state, keys, jnp.asarray(0), STEPS, batch, None


def memory(args):
    """Megabytes that the compiled steps need besides arguments and results."""
    found = advance.lower(*args).compile().compiled.memory_analysis()
    return float("nan") if found is None else found.temp_size_in_bytes / 1e6


@pytest.mark.parametrize(("batch", "many"), [(1, (16, 256)), (32, (16, 256)), (256, (64,))])
def test_sessions_side_by_side(put, batch, many):
    """The steps of 1 to 256 sessions, against a loop over them."""
    alone = learning(1, batch)
    seconds(lambda: advance(*alone))
    for sessions in many:
        args = learning(sessions, batch)
        loop = lambda: [advance(*alone)[2] for _ in range(sessions)]  # noqa: B023, E731
        found = compare(lambda: advance(*args)[2], loop, rounds=5)  # noqa: B023
        minute = 60 * sessions * STEPS / found.ours / RUN
        share = found.cold / (found.cold + found.ours * RUN / STEPS)
        note = (
            f"{minute:.0f} sessions of {RUN:,} steps a minute; compiling {100 * share:.0f} % of one such run; "
            f"{memory(args):.1f} MB beside {memory(alone):.2f} MB"
        )
        work = f"{STEPS} steps of {sessions} sessions side by side, batch {batch}"
        put(against(work, "a loop over sessions, compiled and warm", found, note))
        first = (jax.tree.map(lambda x: x[0], advance(*each)[0]) for each in (args, alone))
        jax.tree.map(lambda ours, theirs: np.testing.assert_allclose(ours, theirs, atol=1e-9), *first)


PROGRAM = """
import json, sys, time
import jax, jax.numpy as jnp
jax.config.update("jax_enable_x64", True)
import dcg_econ as dcg
from dcg_econ.learning import default_optimiser
from dcg_econ.mechanisms import CurveMarket
market = CurveMarket(curvature=jnp.ones(3), outside_slope=0.5)
knots, optimiser = jnp.linspace(-1.5, 1.5, 6), default_optimiser(200)
make = lambda key: dcg.Shared(dcg.CurveAgent(knots, key=key, width=8, depth=1))
def run():
    start = time.perf_counter()
    found = dcg.train(market, make, steps=200, batch=32, sessions=16, records=1, optimiser=optimiser,
                      key=jax.random.key(0), devices=jax.devices())
    jax.block_until_ready(found.regret)
    return time.perf_counter() - start, [float(x) for x in found.regret[:, -1]]
cold, _ = run()
times = sorted(run()[0] for _ in range(3))
print(json.dumps({"cold": cold, "warm": times[1], "regret": run()[1], "devices": len(jax.devices())}))
"""


def test_virtual_devices(put):
    """The same training over 1, 2 and 4 devices that share this machine's processors: the cost of sharing out, no gain beyond
    the number of processors."""
    if threads() == 1:
        pytest.skip("with one processor there is nothing to share out")
    found = {}
    for devices in (1, 2, 4):
        flags = f"--xla_force_host_platform_device_count={devices}"
        here = found[devices] = json.loads(printed("-c", PROGRAM, XLA_FLAGS=flags, JAX_PLATFORMS="cpu"))
        assert here["devices"] == devices
        one = found[1]["warm"]
        work = f"training of 16 sessions over {devices} virtual device{'s' * (devices > 1)}"
        put(Row(work, here["warm"], here["cold"], "one device", one, one / here["warm"]))
        assert here["regret"] == pytest.approx(found[1]["regret"], rel=1e-6)


def test_cost_model(put):
    """Seconds a step = constant x traders^a x knots^b x sessions^c, fitted to five runs and tried on a sixth; from it, what a
    sweep costs on many nodes, where nothing is shared but the list of cells."""
    design = [(3, 6, 4), (12, 6, 4), (3, 24, 4), (3, 6, 32), (12, 24, 32)]

    def timed(each):
        args = learning(each[2], 32, each[0], each[1])
        return warm(lambda: advance(*args)[2], 5)

    found = {each: timed(each) for each in [*design, (6, 12, 16)]}
    logs = np.log([[np.e, *each] for each in design])
    powers, *_ = np.linalg.lstsq(logs, np.log([found[each][0] / STEPS for each in design]), rcond=None)
    predicted = float(np.exp(np.log([np.e, 6, 12, 16]) @ powers))
    here, cold = found[6, 12, 16]
    note = f"a step costs traders^{powers[1]:.2f} x knots^{powers[2]:.2f} x sessions^{powers[3]:.2f}"
    work, ratio = "a step of 16 sessions, 6 traders, 12 knots, batch 32", predicted * STEPS / here
    put(Row(work, here / STEPS, cold, "cost model, fitted without it", predicted, ratio, note=note))
    cells, nodes, start = 100_000, 1000, 3.0
    cell = start + cold + RUN * here / STEPS
    note = f"computed, not run: {cell:.0f} s a cell of 16 sessions of {RUN:,} steps, start and compiling included"
    put(Row(f"a sweep of {cells:,} cells on {nodes:,} such processors", cells * cell / nodes, note=note))
