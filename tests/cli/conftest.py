"""Small data files, trained runs, and the check that every failure of a command must pass."""

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from vrnn import Crossroads, Tracks
from vrnn.cli.main import main
from vrnn.cli.outputs import save_tracks

SMALL = "--hidden 8 --steps 2 --validate-every 1 --batch-size 16"
WITHOUT_LATENTS = "--hidden 8 --steps 4 --validate-every 2 --batch-size 16"
SHORT = f"{WITHOUT_LATENTS} --latent-dim 3"
MODELS = {
    "rnn": "rnn",
    "seq2seq": "seq2seq --latent-dim 3",
    "rollout": "rollout --latent-dim 3 --observe 8",
    "vrnn": "vrnn --latent-dim 3",
    "dmm": "dmm --latent-dim 3",
    "srnn": "srnn --latent-dim 3",
    "storn": "storn --latent-dim 3",
    "rssm": "rssm --latent-dim 3",
    "supervised": "vrnn --latent-dim 3 --supervised encoder --y speed",
    "inputs": "vrnn --latent-dim 3 --u speed",
}


def split(words: Iterable[object]) -> list[str]:
    """Return the words of a command line: a text is split as by a shell, and a path is one word."""
    return [part for w in words for part in (shlex.split(w) if isinstance(w, str) else [str(w)])]


def fill(command: str, **places: Path) -> str:
    """Return a command with paths in the place of names in braces."""
    return command.format(**{name: shlex.quote(str(path)) for name, path in places.items()})


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write walks over a crossroads: whole, cut, with gaps, with a speed, with other columns."""
    folder = tmp_path_factory.mktemp("cli")
    walks = Crossroads().sample(24, seed=0)
    save_tracks(walks, folder / "walks.csv")
    save_tracks(walks[:3].cut(stop=8), folder / "prefix.csv")
    holed = [x.copy() for x in walks.x[:4]]
    holed[0][4:6] = holed[1][:2] = holed[2][17:] = np.nan
    save_tracks(Tracks(holed), folder / "holed.csv")
    rows = (folder / "prefix.csv").read_text().splitlines(keepends=True)
    (folder / "skipped.csv").write_text("".join(rows[:3] + rows[5:]))
    speed = [
        np.linalg.norm(np.diff(x, axis=0, prepend=x[:1]), axis=1, keepdims=True) for x in walks.x
    ]
    wide = [np.concatenate([x, s], 1) for x, s in zip(walks.x, speed, strict=True)]
    save_tracks(Tracks(wide, x_names=("x", "y", "speed")), folder / "speed.csv")
    text = (folder / "walks.csv").read_text()
    keys = np.random.default_rng(0).integers(0, 2, (2, 12, 9, 88)).astype(bool)
    packed = {
        f"{group}_{part}": values
        for group, roll in zip(("train", "test"), keys, strict=True)
        for part, values in (
            ("x", np.packbits(roll.reshape(-1, 88), axis=1)),
            ("length", np.full(12, 9)),
        )
    }
    np.savez(folder / "chorales.npz", **packed)
    (folder / "ships.csv").write_text(text.replace("id,t,x,y", "mmsi,when,lon,lat", 1))
    return folder


@pytest.fixture(scope="session")
def runs(folder: Path) -> dict[str, Path]:
    """One run folder a model, trained for two steps by the command itself."""
    made = {}
    for name, flags in MODELS.items():
        data = folder / ("speed.csv" if name in ("supervised", "inputs") else "walks.csv")
        made[name] = folder / "runs" / name
        words = ["train", data, "--arch", flags, "--out", made[name], SMALL]
        assert main(split(words)) == 0
    return made


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """Run a command that must end with code 2; return its one line on standard error.

    The words are those of `split`.
    """

    def run(*words: object) -> str:
        capsys.readouterr()
        before = sorted(tmp_path.rglob("*"))
        code = main(split(words))
        said = capsys.readouterr()
        assert code == 2, said
        assert said.out == ""
        *notes, error = said.err.splitlines()
        assert all(note.startswith("note: ") for note in notes), said.err
        assert "Traceback" not in said.err
        assert sorted(tmp_path.rglob("*")) == before, "a file was left behind"
        return f"{error}\n"

    return run


@pytest.fixture
def run(capsys):
    """Run a command that must succeed, and give what it prints to standard output.

    The words are those of `split`.
    """

    def call(*words: object) -> str:
        capsys.readouterr()
        code = main(split(words))
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    return call
