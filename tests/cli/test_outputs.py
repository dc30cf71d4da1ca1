"""Files that cannot be written."""

import os

import pytest


@pytest.mark.parametrize("ending", ["f", "f.txt", "f.json", "f.CSV.gz"])
@pytest.mark.parametrize(
    "words",
    [
        "generate --model run",
        *(f"{c} data.csv --model run" for c in ("forecast", "encode", "score", "impute")),
    ],
)
def test_ending_of_outputs(words, ending, fails):
    assert ".csv, .parquet or .npz" in fails(*words.split(), "--out", ending)


def test_outputs_that_cannot_be_written(tmp_path, folder, runs, fails, monkeypatch):
    (tmp_path / "taken.csv").mkdir()
    (tmp_path / "file").write_text("")
    words = ["generate", "--model", runs["vrnn"], "--out"]
    assert "found a folder" in fails(*words, tmp_path / "taken.csv")
    assert "is not a folder" in fails(*words, tmp_path / "file" / "g.csv")
    assert "ending in one of .png" in fails(
        *words, tmp_path / "g.csv", "--plot", tmp_path / "g.mp4"
    )
    assert "found a file" in fails(
        "train", folder / "walks.csv", "--arch rnn --out", tmp_path / "file"
    )
    assert "Not a directory" in fails(
        "train", folder / "walks.csv", "--arch rnn --out", tmp_path / "file" / "run"
    )
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "no permission" in fails(*words, tmp_path / "g.csv")


def test_failure_while_writing_leaves_nothing(tmp_path, runs, fails, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", str(tmp_path / "g.csv"))

    monkeypatch.setattr(os, "replace", full)
    assert "No space left on device" in fails(
        "generate --model", runs["vrnn"], "--out", tmp_path / "g.csv", "--steps 3"
    )


def test_failure_while_writing_the_second_table_leaves_nothing(
    tmp_path, folder, runs, fails, monkeypatch
):
    """Scores write the rows first, so that the table they are named after is there only when all is."""
    import vrnn.tasks.scores as scores

    def full(columns, path, *_):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(scores, "write_table", full)
    words = ["score", folder / "walks.csv", "--model", runs["vrnn"], "--out", tmp_path / "s.csv"]
    assert "r.csv: No space left on device" in fails(*words, "--rows", tmp_path / "r.csv")
