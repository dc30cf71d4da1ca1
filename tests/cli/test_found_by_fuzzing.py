"""Command lines that `make fuzz` has found to end in a traceback: now one line each."""

import pytest
from tests.cli.conftest import fill

HUGE = 10**30
MODES = "modes {folder}/walks.csv --model {run} --steps 1 --horizon 2 --observe 4"
FORECAST = "forecast {folder}/prefix.csv --model {run} --out {out}/f.csv"
LINES = {
    "a seed of thirty digits": (f"{MODES} --seed {HUGE}", "--seed: expected no number above"),
    "a depth of thirty digits": (f"{MODES} --depth {HUGE}", "--depth: expected no number above"),
    "samples of thirty digits": (f"{FORECAST} --samples {HUGE}", "--samples: expected at most"),
    "a horizon of thirty digits": (f"{FORECAST} --horizon {HUGE}", "--horizon: expected at most"),
    "an infinite setting, with which the run could not be loaded": (
        "train {folder}/walks.csv --out {out}/run --arch rnn --steps 1 --grad-clip inf",
        "--grad-clip: expected no number above",
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_refused(name: str, folder, tmp_path, runs, fails) -> None:
    line, message = LINES[name]
    assert message in fails(fill(line, folder=folder, run=runs["vrnn"], out=tmp_path))


def test_a_path_with_a_zero_byte(folder, runs, fails) -> None:
    line = fails("encode", folder / "walks.csv", "--model", runs["vrnn"], "--out", "'\0.csv'")
    assert "cannot be written (embedded null byte)" in line
