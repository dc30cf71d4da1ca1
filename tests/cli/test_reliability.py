"""`vrnn reliability` on good data."""

import json


def test_reliability(run, folder, runs, tmp_path):
    words = ["reliability", folder / "walks.csv", "--model", runs["vrnn"]]
    words.append("--observe 5 --horizon 4 --samples 10")
    text = run(*words, "--plot", tmp_path / "r.png").splitlines()
    assert text[0] == "288 windows, 5 observed, 10 futures each"
    assert "50%       90%       NLL" in text[2]
    assert [int(line.split()[0]) for line in text[3:7]] == [1, 2, 3, 4]
    assert text[-1] == f"{tmp_path / 'r.png'}: picture of it"
    assert (tmp_path / "r.png").stat().st_size > 1000
    found = json.loads(run(*words, "--regions", 0.25, 0.67, "--json"))
    assert set(found) == {"windows", "samples", "coverage", "nll"} and found["windows"] == 288
    assert list(found["coverage"]) == ["0.25", "0.67"] and len(found["nll"]) == 4
    assert all(a <= b for a, b in zip(*found["coverage"].values(), strict=True))
