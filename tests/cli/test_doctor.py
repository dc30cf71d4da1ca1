"""`vrnn doctor` on good data."""

import io
import shlex

import pytest

from vrnn.cli.main import main


def test_doctor(run, folder):
    text = run("doctor", folder / "walks.csv")
    assert "tracks        24" in text
    assert "--observe 8 --horizon 12 gives 24 windows" in text
    assert "tracks        24" in run(
        "doctor", folder / "ships.csv", "--id mmsi --t when --x lon lat"
    )
    assert "Columns" not in run("doctor", folder / "walks.csv", "--id", "None", "--t", "None")


FILES = {
    "usual": ("walks.csv", "id,t,x,y\n", "{i},{t},{i},{t}.5\n"),
    "ships": (
        "ships.csv",
        "MMSI,BaseDateTime,LAT,LON\n",
        "{i},2024-01-01T00:{t:02}:00,55.{t},1{i}.2{t}\n",
    ),
    "a sensor": ("heat.csv", "id,t,heat\n", "{i},{t},{t}.5\n"),
    "bare": ("bare.txt", "", "{t} {i} 0 {t}.5 {i}\n"),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_next_commands_work(kind, tmp_path, capsys, monkeypatch):
    """Each can be pasted; training is cut short here."""
    monkeypatch.chdir(tmp_path)
    name, header, row = FILES[kind]
    rows = [row.format(i=i, t=t) for i in range(12) for t in range(15)]
    (tmp_path / name).write_text(header + "".join(rows))
    columns = ["--columns", "t,id,z,x,y"] if kind == "bare" else []
    assert main(["doctor", name, *columns]) == 0
    commands = capsys.readouterr().out.split("next\n")[1].splitlines()
    assert len(commands) == (1 if kind == "a sensor" else 2)
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "vrnn"
        short = ["--steps", "2"] if words[1] == "train" else []
        assert main([*words[1:], *short]) == 0, capsys.readouterr()


@pytest.mark.parametrize("words", [["-"], ["-", "--x", "x", "y"], ["--x", "x", "y", "--", "-"]])
def test_standard_input(words, run, folder, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO((folder / "walks.csv").read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert "tracks        24" in run("doctor", *words)
