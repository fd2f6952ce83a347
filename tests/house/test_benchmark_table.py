import json
from pathlib import Path

import pytest

from tests.benchmarks import table

ROW = dict(
    work="a fit", here=0.002, cold=1.5, peer="scipy", there=0.003, times=1.5, limit="LAPACK", bound=0.001, note="n = 7"
)
FOUND = {
    "threads": 1,
    "machine": {"processor": "a processor", "python": "3.11", "packages": {"jax": "1", "nashpy": None}},
    "rows": {"a test": [ROW, ROW | {"peer": None, "there": None, "times": None, "limit": None, "bound": None}]},
}


def test_a_row_has_times_in_units_and_the_share_of_the_limit():
    assert table.cells(ROW) == ["a fit", "2 ms", "1.5 s", "scipy", "3 ms", "1.5", "LAPACK: 1 ms", "50 %", "n = 7"]
    assert [table.duration(x) for x in (1234.0, 0.25, 2e-7, None)] == ["1234 s", "250 ms", "200 ns", ""]
    assert table.times(4071.6) == "4,072"


def test_absent_peers_are_told():
    text = table.table(FOUND)
    assert "1 thread for everyone" in text and "left out: nashpy" in text


def test_the_readme_takes_the_table_between_its_markers():
    readme = (Path(table.__file__).resolve().parents[2] / "README.md").read_text()
    once = table.within(readme, table.headline(json.loads(json.dumps(FOUND))))
    assert "a fit" in once and table.within(once, table.headline(FOUND)) == once
    with pytest.raises(ValueError, match="README"):
        table.within("no markers", "x")
