"""Commands without a run: the model that needs no training, and `train --from` it."""

import pytest

from vrnn.training.run_folder import load


@pytest.fixture
def file(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return folder / "walks.csv"


def test_a_file_and_no_flags_give_a_table_and_a_picture(run, file, tmp_path):
    said = run("forecast", file)
    assert "forecast.csv: 20 futures of 12 time steps" in said and "forecast.png" in said
    assert {p.name for p in tmp_path.iterdir()} == {"forecast.csv", "forecast.png"}


def test_files_that_are_there_are_not_overwritten(run, fails, file, tmp_path):
    (tmp_path / "forecast.csv").write_text("mine")
    assert "the file is there already; name another with --out" in fails("forecast", file)
    assert (tmp_path / "forecast.csv").read_text() == "mine"
    run("forecast", file, "--out", "other.csv", "--horizon", 2)
    (tmp_path / "forecast.csv").unlink()
    run("forecast", file, "--plot", "p.png", "--horizon", 2)
    (tmp_path / "forecast.csv").unlink()
    run("forecast", file, "--plot", "p.png", "--horizon", 2)  # a picture that is named


def test_its_name_is_that_of_no_model(run, file, tmp_path):
    run("forecast", file, "--out", "a.csv", "--horizon", 2)
    run("forecast", file, "--model", "tracks-2d", "--out", "b.csv", "--horizon", 2)
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_other_commands_take_it(run, file):
    run("score", file, "--out", "scores.csv", "--particles", 5)
    run("impute", file, "--out", "filled.csv", "--samples", 2, "--particles", 5)
    run("encode", file, "--out", "latents.npz")
    assert "energy" in run("evaluate", file, "--observe", 4, "--horizon", 3, "--samples", 2)
    assert "nats" in run("likelihood", file, "--samples", 5, "--repeats", 2)


def test_what_it_does_not_do_is_one_line(fails, file):
    generate = ("generate", "--model", "tracks-2d", "--out", "new.csv", "--steps", 3)
    assert "has no unit for tracks that it generates" in fails(*generate)
    assert "no folder to keep a mode set in" in fails("modes", file, "--model", "tracks-2d")


def test_train_from_it(run, fails, file, tmp_path):
    run("train", file, "--from", "tracks-2d", "--out", "run", "--steps", 1)
    assert load(tmp_path / "run").config.latent == "categorical(16)"
    words = ("train", file, "--from", "tracks-2d", "--out", "other")
    assert "--hidden" in fails(*words, "--hidden", 8)
    assert "--latent" in fails(*words, "--latent", "gaussian")
    assert "--arch: expected vrnn beside --from tracks-2d" in fails(*words, "--arch rnn")
    assert "expected none beside a model to start from" in fails(
        *words, "--heading", "--observe", 4
    )
    assert "expected a run folder" in fails("train", file, "--from nowhere --out", "other")
