"""The columns that a run remembers."""

import json

from tests.cli.conftest import SHORT


def test_columns_are_remembered(run, folder, tmp_path, fails):
    out, ships = tmp_path / "run", folder / "ships.csv"
    run("train", ships, "--arch vrnn --out", out, "--id mmsi --t when --x lon lat", SHORT)
    words = ["evaluate", ships, "--model", out, "--json"]
    assert run(*words) == run(*words, "--id mmsi --t when --x lon lat")
    assert "trained with x columns (lon, lat)" in fails(
        "evaluate", folder / "walks.csv", "--model", out
    )
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "a.csv").write_text(ships.read_text())
    assert json.loads(run("evaluate", fleet, "--model", out, "--json"))["windows"] == 24
    assert "'nobody' for id" in fails("evaluate", ships, "--model", out, "--id", "nobody")
