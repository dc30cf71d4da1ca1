"""Every command refuses every kind of bad data with one line that says where it is."""

import pytest
from tests.cli.conftest import fill

ROWS = "".join(f"{i},{t},{i + t}.5,{t}\n" for i in range(12) for t in range(10))
GOOD = "id,t,x,y\n" + ROWS
BAD = {
    "ragged row": (GOOD + "12,0,1\n", "line 122"),
    "text for a number": (GOOD + "12,0,1,north\n", "'north'"),
    "times twice": (GOOD + ROWS, "has time 0 twice"),
    "one-point tracks": ("id,t,x,y\n" + "".join(f"{i},0,1,{i}\n" for i in range(20)), "row"),
    "empty file": ("", "empty file"),
    "header alone": ("id,t,x,y\n", "rows below the header"),
    "no header": (ROWS, "expected a header"),
    "other preprocessor": (GOOD.encode() + b"fa\xefade,0,1,1\n", "WINDOWS-1252"),
    "binary": (b"\0\1\2\3" * 20, "binary"),
    "missing column": (GOOD.replace("id,t,x,y", "id,t,x,z", 1), "expected columns of positions"),
    "unclear id": (GOOD.replace("id,t", "walk,t", 1), "--id walk"),
    "infinite value": (GOOD + "12,0,inf,1\n", "finite"),
}
COMMANDS = {
    "doctor": "{data}",
    "train": "{data} --arch vrnn --out {out}/run --steps 2",
    "forecast": "{data} --model {run} --out {out}/f.csv",
    "evaluate": "{data} --model {run} --json",
    "encode": "{data} --model {run} --out {out}/e.csv",
    "score": "{data} --model {run} --out {out}/s.csv --rows {out}/r.csv",
    "impute": "{data} --model {run} --out {out}/i.csv --particles 5",
    "reliability": "{data} --model {run} --samples 5",
    "modes": "{data} --model {run} --count 2",
    "likelihood": "{data} --model {run} --json",
}


def line_of(command, data, out, runs):
    """Return the command line of a command on some data."""
    return f"{command} {fill(COMMANDS[command], data=data, out=out, run=runs['vrnn'])}"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", BAD)
def test_bad_file(kind, command, tmp_path, runs, fails):
    if kind == "one-point tracks" and command in ("doctor", "impute"):
        pytest.skip("a doctor looks at the ill, and nothing is missing in a point")
    content, reason = BAD[kind]
    if kind == "one-point tracks" and command == "modes":
        reason = "a point to begin at and one to come to"
    data = tmp_path / "bad.csv"
    data.write_bytes(content if isinstance(content, bytes) else content.encode())
    line = fails(line_of(command, data, tmp_path, runs))
    assert line.startswith(f"vrnn {command}")
    assert reason in line


@pytest.mark.parametrize("command", COMMANDS)
def test_no_data(command, tmp_path, runs, fails):
    assert "does not exist" in fails(line_of(command, tmp_path / "none.csv", tmp_path, runs))
    (tmp_path / "inner" / "deep").mkdir(parents=True)
    assert "found none" in fails(line_of(command, tmp_path / "inner", tmp_path, runs))
    (tmp_path / "walks.xlsx").write_bytes(b"PK")
    assert "'.xlsx'" in fails(line_of(command, tmp_path / "walks.xlsx", tmp_path, runs))


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_mapped_column(command, folder, tmp_path, runs, fails):
    line = line_of(command, folder / "walks.csv", tmp_path, runs)
    assert "'lon' for x" in fails(line, "--x lon lat")
    assert "'mmsi' for id" in fails(line, "--id mmsi")


def test_group_of_an_archive(tmp_path, fails):
    import numpy as np

    part = {"x": np.zeros((4, 2)), "len": np.array([4])}
    np.savez(tmp_path / "two.npz", **{f"{g}_{k}": v for g in ("a", "b") for k, v in part.items()})
    assert "choose one: --group a or --group b" in fails("doctor", tmp_path / "two.npz")
    assert fails("doctor", tmp_path / "two.npz", "--group", "c")


def test_data_that_does_not_fit_the_run(folder, tmp_path, runs, fails):
    out = tmp_path / "out.csv"
    line = fails(
        "forecast", folder / "speed.csv", "--model", runs["vrnn"], "--out", out, "--x x y speed"
    )
    assert "trained with x columns (x, y)" in line
    assert "trained with u columns (speed)" in fails(
        "encode", folder / "walks.csv", "--model", runs["inputs"], "--out", out
    )
    assert "trained with u columns (speed)" in fails(
        "score", folder / "walks.csv", "--model", runs["inputs"], "--out", out
    )
    assert "trained with x columns (x, y)" in fails(
        "impute", folder / "speed.csv", "--model", runs["vrnn"], "--out", out, "--x x y speed"
    )
    assert "trained with x columns (x, y)" in fails(
        "likelihood", folder / "speed.csv", "--model", runs["vrnn"], "--x x y speed"
    )
    assert "--inputs hold" in fails(
        "forecast", folder / "speed.csv", "--model", runs["inputs"], "--out", out
    )
    assert "found none" in fails(
        "evaluate", folder / "prefix.csv", "--model", runs["vrnn"], "--horizon 12"
    )
    assert "x_dim" not in fails(
        "train", folder / "walks.csv", "--arch vrnn --out", tmp_path / "r", "--emission bernouli"
    )
    assert "map columns to --y" in fails(
        "train", folder / "walks.csv", "--arch vrnn --out", tmp_path / "r", "--supervised encoder"
    )
    assert "observe" in fails("train", folder / "walks.csv", "--arch rollout --out", tmp_path / "r")
    assert "take shorter windows" in fails(
        "train", folder / "walks.csv", "--arch rnn --out", tmp_path / "r", "--window 90"
    )


def test_packed_keys_are_asked_for_by_a_flag(folder, tmp_path, fails):
    assert "--format piano-roll" in fails("doctor", folder / "chorales.npz", "--group", "train")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.json").write_text("[[[60]]]")
    line = fails("doctor", tmp_path / "notes")
    assert "--format piano-roll" in line and "format=" not in line
