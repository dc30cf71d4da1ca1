"""`vrnn generate` on good data."""

import pytest

import vrnn
from vrnn import read_tracks


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_generated_tracks_are_read_back(run, runs, tmp_path, ending):
    out = tmp_path / f"g.{ending}"
    run("generate --model", runs["vrnn"], "--count 3 --steps 6 --start 5 7 --out", out)
    tracks = read_tracks(out)
    assert tracks.lengths.tolist() == [6, 6, 6]
    assert tracks.x[2][0].tolist() == [5, 7]
    assert "3" in run("doctor", out)


def test_tracks_of_a_kind(run, fails, folder, tmp_path):
    rows = [
        f"{i},{t},{t * (1 if i % 2 else -1)},{i},{'on' if i % 2 else 'back'}"
        for i in range(24)
        for t in range(8)
    ]
    path = folder / "ways.csv"
    path.write_text("id,t,x,y,way\n" + "\n".join(rows), encoding="utf-8")
    out, drawn = tmp_path / "w", tmp_path / "d.csv"
    run("train", path, "--arch", "rnn", "--out", out, "--u", "way", "--steps", 3)
    run("generate", "--model", out, "--out", drawn, "--count", 2, "--steps", 5, "--given", "way=on")
    assert read_tracks(drawn, vrnn.Columns(u=("way=back", "way=on"))).u[0][0].tolist() == [0, 1]
    run(
        "evaluate", path, "--model", out, "--observe 4 --horizon 3"
    )  # the column is found again by the run
    run("forecast", path, "--model", out, "--horizon 2 --out", tmp_path / "f.csv", "--inputs hold")
    words = ["generate", "--model", out, "--out", drawn]
    assert "as in --given way=..." in fails(*words)
    assert "one of the kinds back, on, found 'up'" in fails(*words, "--given", "way=up")
    assert "--given: expected COLUMN=VALUE, found 'on'" in fails(*words, "--given", "on")
