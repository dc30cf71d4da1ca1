"""`vrnn modes`, and the two commands that use a mode set."""

import json

import numpy as np
import pytest

SMALL = [
    "--hidden",
    "8",
    "--latent-dim",
    "3",
    "--steps",
    "4",
    "--validate-every",
    "2",
    "--batch-size",
    "16",
]


def test_learned_representatives(run, folder, tmp_path, fails):
    """Learned, written and measured, all on one run folder; no other flag of sampling goes with them."""
    out, table, walks = tmp_path / "run", tmp_path / "named.csv", folder / "walks.csv"
    run(
        "train",
        walks,
        "--arch",
        "vrnn",
        "--out",
        out,
        *SMALL,
        "--latent-dim",
        3,
        "--window",
        20,
        "--observe",
        8,
    )
    assert "vrnn modes RUN DATA" in fails(
        "forecast", walks, "--model", out, "--learned", "--out", table
    )
    said = run(
        "modes", walks, "--model", out, "--count", 3, "--hidden", 8, "--steps", 4, "--val", walks
    )
    assert "knows 3 futures of 12 rows" in said
    run(
        "forecast",
        folder / "prefix.csv",
        "--model",
        out,
        "--learned",
        "--horizon",
        5,
        "--out",
        table,
    )
    found = np.genfromtxt(table, delimiter=",", names=True)
    assert len(found) == 3 * 3 * 5 and np.isfinite(found["x"]).all()
    assert found["weight"][found["step"] == 1].sum() == pytest.approx(3)
    scores = json.loads(
        run("evaluate", walks, "--model", out, "--samples", 3, "--learned", "--json")
    )
    assert scores["selection"] == "learned"
    assert "expected as many samples, found 20" in fails(
        "evaluate", walks, "--model", out, "--learned"
    )
    assert "leave representative, qmc" in fails(
        "evaluate", walks, "--model", out, "--learned", "--representative"
    )
    assert "leave samples" in fails(
        "forecast", walks, "--model", out, "--learned", "--samples", 5, "--out", table
    )
    assert "expected a run folder" in fails("modes", walks, "--model", tmp_path)
    assert "expected count of at least 1" in fails("modes", walks, "--model", out, "--count", 0)
