"""`vrnn impute` on good data, and gaps that are on no grid."""

import numpy as np
import pytest
from tests.helpers.changed_tracks import changed

import vrnn
from vrnn import read_tracks
from vrnn.cli.outputs import save_tracks

QUICK = ["--samples", 8, "--particles", 20]


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_impute(run, folder, runs, tmp_path, ending):
    out, plot = tmp_path / f"i.{ending}", tmp_path / "i.png"
    words = ["impute", folder / "holed.csv", "--model", runs["vrnn"], "--samples 8 --particles 500"]
    text = run(*words, "--out", out, "--plot", plot)
    assert text.splitlines() == [
        f"{out}: 5 missing points of 2 tracks filled by the mean of 8 paths, with intervals that hold 0.9 of them",
        "2 rows left empty: nothing is drawn before the first point of a track",
        f"{plot}: picture of the first of them",
    ]
    assert plot.stat().st_size > 1000
    if ending != "csv":
        return
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert ",".join(table.dtype.names) == "id,t,x,y,x_low,y_low,x_high,y_high,imputed"
    holed, filled = read_tracks(folder / "holed.csv"), read_tracks(out)
    for before, after in zip(holed.x, filled.x, strict=True):
        assert np.array_equal(before[np.isfinite(before)], after[np.isfinite(before)])
    wide, narrow = table["x_high"] - table["x_low"], tmp_path / "n.csv"
    run(*words, "--interval 0.2 --out", narrow)
    narrow = np.genfromtxt(narrow, delimiter=",", names=True)
    assert (wide - (narrow["x_high"] - narrow["x_low"]))[table["imputed"] == 1].min() >= 0


def test_impute_calibrated_by_hidden_points(run, fails, folder, runs, tmp_path):
    walks = vrnn.Crossroads().sample(12, seed=3)
    walks = changed(walks, "x", *((i, slice(5, 7), np.nan) for i in range(12)))
    save_tracks(walks, data := tmp_path / "holed.csv")
    words = ["--model", runs["rnn"], "--samples 10 --particles 20 --out", tmp_path / "filled.csv"]
    assert "times as far from their mean as the model has them" in run(
        "impute", data, *words, "--calibrate"
    )
    assert "expected at least 20 such rows, found 2" in fails(
        "impute", folder / "holed.csv", *words, "--calibrate"
    )


def test_calibration_without_a_gap_names_its_flags(fails, folder, runs, tmp_path):
    words = ["--model", runs["rnn"], "--samples", 5, "--particles", 5, "--out", tmp_path / "f.csv"]
    for data, hint in (
        ("walks", "insert rows of missing values where times skip some, or leave --calibrate out"),
        ("skipped", "1 gap in time has no rows to fill: --insert-rows puts them in"),
    ):
        line = fails("impute", folder / f"{data}.csv", *words, "--calibrate")
        assert line.startswith("vrnn impute: --calibrate: seen rows are hidden in gaps")
        assert line.endswith(f"; {hint}\n")
    words[3] = 1
    line = fails("impute", folder / "walks.csv", *words, "--calibrate")
    assert "--samples: expected at least 2 beside --calibrate, found 1" in line


def test_impute_says_where_few_paths_differ(run, folder, runs, tmp_path):
    words = ["impute", folder / "holed.csv", "--model", runs["vrnn"], "--samples 20 --out"]
    words.append(tmp_path / "f.csv")
    poor = run(*words, "--particles", 2)
    assert "somewhere fewer than 25% of the paths differ" in poor
    assert "raise --particles above 2" in poor
    assert "paths differ" not in run(*words, "--particles", 1000)


def test_impute_names_gaps_in_time(run, folder, runs, tmp_path):
    out = tmp_path / "i.csv"
    words = ["impute", folder / "skipped.csv", "--model", runs["vrnn"], "--out", out, *QUICK]
    assert run(*words, "--plot", tmp_path / "i.png").splitlines() == [
        f"{out}: nothing is missing in 3 tracks",
        "1 gap in time has no rows to fill: --insert-rows puts them in",
        f"{tmp_path / 'i.png'}: not written, as nothing was filled",
    ]
    assert len(read_tracks(out).x[0]) == 6
    assert "2 missing points of 1 track filled" in run(*words, "--insert-rows")
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert table["imputed"].tolist() == [0, 0, 1, 1, *[0] * 20]
    assert table["t"][:8].tolist() == list(range(8))
    text = run("impute", folder / "walks.csv", "--model", runs["vrnn"], "--out", out, *QUICK)
    assert text == f"{out}: nothing is missing in 24 tracks\n"


def test_gaps_that_are_on_no_grid(tmp_path, runs, fails):
    data = tmp_path / "off.csv"
    data.write_text("id,t,x,y\na,0,1,2\na,1,2,2\na,2.4,3,2\na,4,5,2\n")
    line = fails(
        "impute", data, "--model", runs["vrnn"], "--out", tmp_path / "i.csv", "--insert-rows"
    )
    assert "whole steps of 1" in line
    assert "to vrnn.regular in Python" in line
