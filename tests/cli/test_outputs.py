"""Files that cannot be written."""

import os
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import fill
from tests.helpers.few import few
from tests.helpers.permissions import run_bound


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


def test_outputs_that_cannot_be_written(tmp_path, folder, runs, fails):
    (tmp_path / "taken.csv").mkdir()
    (tmp_path / "file").write_text("")
    words = ["generate", "--model", runs["vrnn"], "--out"]
    assert "found a folder" in fails(*words, tmp_path / "taken.csv")
    assert "is not a folder" in fails(*words, tmp_path / "file" / "g.csv")
    assert "ending in one of .png" in fails(
        *words, tmp_path / "g.csv", "--plot", tmp_path / "g.mp4"
    )
    train = ["train", folder / "walks.csv", "--arch rnn --out"]
    assert "found a file" in fails(*train, tmp_path / "file")
    assert "is not a folder" in fails(*train, tmp_path / "file" / "run")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "found something that is no file" in fails(*words, tmp_path / "pipe.csv")
    long = "a" * (os.pathconf(tmp_path, "PC_NAME_MAX") + 1)
    assert "File name too long" in fails(*words, tmp_path / f"{long}.csv")


@pytest.mark.parametrize(
    "words",
    few(
        [
            "train none.csv --arch rnn --out {place}/run",
            "train none.csv --arch rnn --out {place}",
            "train none.csv --arch rnn --out {free}/run --plot {place}/p.png",
            "demo --out {place}",
            "generate --model none --out {place}/g.csv",
            "generate --model none --out {place}/new/g.csv",
            "generate --model none --out {file}",
            "score none.csv --out {free}/s.csv --rows {place}/r.csv",
            "forecast none.csv --out {free}/f.csv --plot {place}/p.png",
            "impute none.csv --out {place}/i.csv",
            "encode none.csv --out {place}/i.csv",
            "reliability none.csv --plot {place}/p.png",
        ],
        2,
    ),
)
def test_a_place_without_permission_is_found_before_data_and_models_are_read(words, tmp_path):
    """None of the inputs is there, and the place is what the message names."""
    places = {name: tmp_path / name for name in ("place", "free")}
    for place in places.values():
        place.mkdir()
    protected = tmp_path / "free" / "g.csv"
    protected.touch()
    protected.chmod(0o444)
    places["place"].chmod(0o555)
    words = words.format(file=protected, **places).split()
    done = run_bound(["-m", "vrnn.cli.main", *words], tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done
    named = protected if str(protected) in words else places["place"]
    assert len(done.stderr.splitlines()) == 1 and f": {named}" in done.stderr, done.stderr
    assert "Permission denied" in done.stderr or "write-protected" in done.stderr
    assert not list(places["place"].iterdir()) and not (places["free"] / "run").exists()


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
    """Neither table is there before both are written."""
    from vrnn.data.io.write import TableWriter

    append, parts = TableWriter.append, []

    def full(self, *given):
        parts.append(self)
        if len(parts) == 2:
            raise OSError(28, "No space left on device", str(tmp_path / "r.csv"))
        append(self, *given)

    monkeypatch.setattr(TableWriter, "append", full)
    words = ["score", folder / "walks.csv", "--model", runs["vrnn"], "--out", tmp_path / "s.csv"]
    assert "r.csv: cannot be written (No space left on device)" in fails(
        *words, "--rows", tmp_path / "r.csv"
    )


FILES = ("config.json", "model.safetensors", "metrics.jsonl", "training.safetensors")
READS = {
    "forecast": "forecast {data} --model {run} --horizon 2 --samples 2 --out {out}",
    "impute": "impute {data} --model {run} --out {out}",
    "encode": "encode {data} --model {run} --out {out}",
    "score": "score {data} --model {run} --out {out}",
    "rows": "score {data} --model {run} --out {free}/s.csv --rows {out}",
    "calibration": "score {walks} --model {run} --calibration {data} --out {out}",
    "shipped": "forecast {data} --model tracks-2d --horizon 2 --out {out}",
}
DISGUISES = ["itself", "hard link", "symbolic link", "linked folder", "dots"]


def disguised(path: Path, disguise: str) -> Path:
    """Return another name of a file."""
    match disguise:
        case "hard link":
            (path.parent / "hard.csv").hardlink_to(path)
            return path.parent / "hard.csv"
        case "symbolic link":
            (path.parent / "soft.csv").symlink_to(path)
            return path.parent / "soft.csv"
        case "linked folder":
            (path.parent / "linked").symlink_to(path.parent)
            return path.parent / "linked" / path.name
        case "dots":
            (path.parent / "sub").mkdir()
            return path.parent / "sub" / ".." / path.name
    return path


@pytest.fixture
def kept(tmp_path):
    """Check that all files have the bytes that they had."""
    yield (seen := {})
    for path, content in seen.items():
        assert path.read_bytes() == content, f"{path} was changed"


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("command", READS)
def test_no_output_is_an_input(command, disguise, folder, runs, tmp_path, fails, kept):
    data = shutil.copy(folder / "walks.csv", tmp_path / "data.csv")
    kept[data] = data.read_bytes()
    out = disguised(data, disguise)
    words = fill(
        READS[command],
        data=data,
        run=runs["vrnn"],
        out=out,
        walks=folder / "walks.csv",
        free=tmp_path,
    )
    line = fails(words)
    assert f"{out}: it is read by this command and would be replaced" in line


@pytest.mark.parametrize("command", ["forecast", "impute", "encode", "score", "rows"])
@pytest.mark.parametrize("new", [True, False])
def test_no_table_is_written_among_the_files_of_a_data_folder(
    command, new, folder, runs, tmp_path, fails, kept
):
    """There the next command would read it as tracks."""
    data, link = tmp_path / "data", tmp_path / "link"
    data.mkdir()
    link.symlink_to(data)
    shutil.copy(folder / "walks.csv", data / "a.csv")
    kept[data / "a.csv"] = (data / "a.csv").read_bytes()
    out = link / ("new.npz" if new else "a.csv")
    words = READS[command].format(data=data, run=runs["vrnn"], out=out, free=tmp_path, walks="")
    line = fails(words)
    assert ("is read as tracks" if new else "would be replaced") in line


def test_a_picture_and_a_sub_folder_of_a_data_folder_are_free(folder, runs, tmp_path, run):
    shutil.copy(folder / "prefix.csv", tmp_path / "a.csv")
    words = ["forecast", tmp_path, "--model", runs["vrnn"], "--horizon 2 --samples 2"]
    for _ in range(2):
        run(*words, "--out", tmp_path / "out" / "f.csv", "--plot", tmp_path / "f.png")


def test_no_output_is_a_file_of_the_run(folder, runs, tmp_path, fails, kept):
    copy = shutil.copytree(runs["vrnn"], tmp_path / "run")
    for name in FILES:
        kept[copy / name] = (copy / name).read_bytes()
        (tmp_path / f"{name}.csv").symlink_to(copy / name)
        line = fails("generate --model", copy, "--out", tmp_path / f"{name}.csv")
        assert "would be replaced" in line


def test_training_replaces_nothing_that_it_reads(folder, runs, tmp_path, fails, kept):
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(folder / "walks.csv", data / "a.csv")
    kept[data / "a.csv"] = (data / "a.csv").read_bytes()
    (tmp_path / "link").symlink_to(data)
    words = "--arch rnn --hidden 4 --steps 2"
    assert "a folder of its own" in fails("train", data, words, "--out", tmp_path / "link")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").symlink_to(data / "a.csv")
    for more in (["--val", data / "a.csv"], []):
        read = folder / "walks.csv" if more else data / "a.csv"
        line = fails("train", read, *more, words, "--out", tmp_path / "run")
        assert "metrics.jsonl: it is read by this command and would be replaced" in line
    copy = shutil.copytree(runs["rnn"], tmp_path / "start")
    line = fails("train", data, "--from", copy, "--out", copy, "--resume")
    assert "would be replaced" in line
    (copy / "modes.safetensors").symlink_to(data / "a.csv")
    assert "would be replaced" in fails("modes", data / "a.csv", "--model", copy)


def test_a_run_inside_a_data_folder_and_data_inside_a_run_folder_are_free(folder, tmp_path, run):
    shutil.copy(folder / "walks.csv", tmp_path / "a.csv")
    words = "--arch rnn --hidden 4 --steps 2"
    run("train", tmp_path, words, "--out", tmp_path / "run")
    data = shutil.copy(folder / "walks.csv", tmp_path / "run" / "a.csv")
    run("train", data, words, "--out", tmp_path / "run" / "inner")


@pytest.mark.parametrize(
    "outputs",
    [
        "--out {f}/a.csv --rows {f}/a.csv",
        "--out {f}/a.csv --rows {f}/A.csv",
        "--out {f}/a.csv --rows {f}/link/a.csv",
        "--out {f}/a.csv --rows {f}/a.csv/b.csv",
        "--out {f}/a.csv --rows {f}/b.csv --plot {f}/b.csv/p.png",
    ],
)
def test_outputs_are_apart_from_one_another(outputs, folder, runs, tmp_path, fails):
    (tmp_path / "link").symlink_to(tmp_path)
    line = fails("score", folder / "walks.csv", "--model", runs["vrnn"], fill(outputs, f=tmp_path))
    assert "expected a file of its own for each output" in line


def test_files_of_a_pattern_are_inputs(tmp_path, folder, fails):
    (tmp_path / "day1.csv").write_text((folder / "walks.csv").read_text())
    line = fails("forecast", f"'{tmp_path}/day*.csv'", "--out", tmp_path / "day1.csv")
    assert "it is read by this command and would be replaced" in line
