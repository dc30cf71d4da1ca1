"""Every way out that a message of the command line names leads on.

A row provokes a message, finds the way out in it, and runs the command again with it. Flags are read
out of the message, so that a row fails when the message stops being true.
"""

import gzip
import io
import json
import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.cli.conftest import fill, split
from tests.helpers.command_ways import (
    after,
    again,
    both,
    command,
    leave_out,
    off,
    on,
    put,
    renamed,
    row,
    run,
    without,
)  # fmt: skip
from tests.helpers.ways_out import check_heard, heard, taken, takes

from vrnn.cli.main import main
from vrnn.files import unwritable
from vrnn.training.lock import locked

VALIDATED = "--out {out}/run --steps 2 --validate-every 2 --batch-size 8"
SHORT = f"{VALIDATED} --holdout 0"
"""Flags of a short training, without validation."""
NEW = f"{SHORT} --hidden 8 --latent-dim 2"
"""Flags of one that makes a small model."""
RUN = NEW.removeprefix("--out ")
"""What stands for RUN in a command that trains."""
CSV = "--out {out}/a.csv"
CALIBRATED = "--calibrate --samples 10 --particles 200"
RESUMED = (
    "train walks.csv --resume --arch vrnn --latent-dim 3 --out {run} "
    "--hidden 8 --steps 2 --validate-every 1 --batch-size 16"
)
"""The command of the shared run of a vrnn, again."""


def table(header: str, row: str, tracks: int = 12, rows: int = 10) -> str:
    """Return rows of tracks: of track i, time t, its square s, b of 0 and 1, and twice the time n."""
    lines = (
        row.format(i=i, t=t, s=t * t, b=t % 2, n=2 * t) for i in range(tracks) for t in range(rows)
    )
    return "\n".join([*([header] if header else []), *lines, ""])


GOOD = table("id,t,x,y", "{i},{t},{i}{t}.5,{s}")
DATED = table("id,t,x,y", "{i},2024-01-{t:02},{i}.5,{t}").replace("-00,", "-31,")
CHORALES = [[[60, 64], [62]], [[60, 64], [62]]]
LINE = {"type": "LineString", "coordinates": [[1, 2], [3, 4], [5, 6]]}
AREA = {"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [1, 3]]]}
NUMBERS = np.random.default_rng(0).normal(size=(24, 6, 2)).round(3)


def geojson(*geometries: dict[str, Any]) -> str:
    features = [{"type": "Feature", "properties": {"id": 1}, "geometry": g} for g in geometries]
    return json.dumps({"type": "FeatureCollection", "features": features})


def noise(skip: str = "") -> str:
    """Return 24 tracks of independent numbers, whose fourth row is left out or empty."""
    lines = ["id,t,x,y"]
    for i, track in enumerate(NUMBERS):
        for t, (x, y) in enumerate(track.tolist()):
            if t != 3:
                lines.append(f"{i},{t},{x},{y}")
            elif skip == "empty":
                lines.append(f"{i},{t},,")
    return "\n".join([*lines, ""])


FILES: dict[str, str | bytes] = {
    "good.csv": GOOD,
    "walk.csv": table("walk,t,x,y", "{i},{t},{i}{t}.5,{s}"),
    "who.csv": table("who,t,x,y", "{i}.5,{t},{i}{t}.5,{s}"),
    "kinds.csv": table("t,x,y,kind", "{t},{t}.5,{s},a", 1).replace("9,9.5,81,a", "9,9.5,81,b"),
    "depths.csv": table("id,t,a,b,c", "{i},{t},{i}{t}.5,{s},1"),
    "no-times.csv": table("id,t,x,y", "{i},,{i}{t}.5,{s}"),
    "soon.csv": table("id,t,frame,x,y", "{i},soon,{t},{i}{t}.5,{s}"),
    "one-soon.csv": DATED.replace("3,2024-01-03", "3,soon"),
    "one-empty.csv": DATED.replace("3,2024-01-03", "3,"),
    "dated.csv": DATED,
    "backwards.csv": "\n".join([GOOD.splitlines()[0], *GOOD.splitlines()[:0:-1], ""]),
    "twice.csv": table("id,walk,t,x,y", "0,{i},{t},{i}{t}.5,{s}"),
    "same-name.csv": GOOD.replace("x,y", "x,x", 1),
    "empty-ids.csv": table("id,t,x,y", ",{t},{i}{t}.5,{s}"),
    "commas.csv": table("id,t,x,y", '{i},{t},"{i}{t},5",{s}'),
    "thousands.csv": table("id,t,x,y", '{i},{t},"{i}1,234,567.5",{s}'),
    "underscores.csv": table("id,t,x,y", "{i},{t},1_00{i},{s}"),
    "words.csv": table("id,t,x,y", "{i},{t},north,{s}"),
    "empty-cells.csv": table("id,t,x,y", "{i},{t},,{s}"),
    "dates.csv": table("id,time,x,y", "{i},{t},2024-01-0{t}T00,{s}"),
    "infinite.csv": GOOD + "12,0,inf,1\n",
    "finite.csv": GOOD + "12,0,,1\n",
    "vessels.csv": table("id,t,x,y,kind", "{i},{t},{i}{t},{s},tug").replace(",tug", ",sub", 50),
    "canoes.csv": table("id,t,x,y,kind", "{i},{t},{i}{t},{s},tug").replace(",tug", ",canoe", 50),
    "tugs.csv": table("id,t,x,y,kind", "{i},{t},{i}{t},{s},tug"),
    "slow.csv": table("id,t,x,y", "{i},{n},{i}{t},{s}"),
    "bits.csv": table("id,t,x,y", "{i},{t},{b},{b}"),
    "off-grid.csv": GOOD.replace("3,4,34.5", "3,4.3,34.5"),
    "poles.csv": table("id,t,lat,lon", "{i},{t},89.9{t},{i}"),
    "metres.csv": table("id,t,x,y", "{i},{t},1{t}0{t}0.5,{i}00{t}"),
    "degrees.csv": table("id,t,lat,lon", "{i},{t},50.{t}{i},1{i}.0{t}"),
    "outlier.csv": table("id,t,x,y", "{i},{t},{i}{t},{s}").replace("3,5,35,25", "3,5,9999,25"),
    "long.csv": table("id,t,x,y", "{i},{t},{i}{t},{s}", 12, 60),
    "legs.csv": table("t,x,y,leg", "{t},{t}.5,{s},0.5", 1, 250).replace(",0.5", ",1.5", 100),
    "gaps.csv": GOOD.replace("3,4,34.5,16\n", ""),
    "uneven.csv": table("id,t,x,y", "{i},{s},{i}{t},{t}"),
    "level.csv": table("id,t,x,y", "{i},{t},{i}{t},7"),
    "empty-column.csv": table("id,t,x,y,v", "{i},{t},{i}{t},{s},"),
    "one-row.csv": table("id,t,x,y", "{i},{t},{i},1", 20, 1),
    "skipped-rows.csv": noise(),
    "empty-rows.csv": noise("empty"),
    "latin.csv": GOOD.encode() + b"caf\xe9,0,1,1\ncaf\xe9,1,2,2\n",
    "windows/a latin.csv": GOOD.encode() + b"caf\xe9,0,1,1\ncaf\xe9,1,2,2\n",
    "text.parquet": GOOD,
    "text.feather": GOOD,
    "walks.xyz": GOOD,
    "lines.csv": geojson(LINE),
    "areas.geojson": geojson(LINE, AREA),
    "lines.geojson": geojson(LINE),
    "outer/inner/a.csv": GOOD,
    "outer/deep [1]/in it/b.csv": GOOD,
    "outer/notes/readme.md": "nothing",
    "mixed/good.csv": GOOD,
    "mixed/readme.txt": "walks of people\n",
    "unmixed/good.csv": GOOD,
    "music/a.json": json.dumps(CHORALES),
    "bare.json": json.dumps(CHORALES),
    "sets.json": json.dumps({"train": CHORALES, "test": CHORALES}),
    "piece.json": json.dumps(CHORALES[0]),
    "an-empty-piece.json": json.dumps([[], *CHORALES]),
    "between.json": json.dumps([[[60.5]]]),
    "round.json": json.dumps([[[60]]]),
    "from-0.json": json.dumps([[[3], []]]),
    "from-21.json": json.dumps([[[24], [-1]]]),
    "high.json": json.dumps([[[120]]]),
    "lower.json": json.dumps([[[108]]]),
    "letters.json": json.dumps([[["C"]]]),
    "keys.json": json.dumps([[[0] * 39 + [1] + [0] * 48]]),
}
"""Files by their names; where a message says how to mend one, the mended one is here too."""


def arrow() -> pa.Table:
    return pa.table({"id": [1, 1], "t": [0, 1], "x": [0.0, 1.0], "y": [0.0, 1.0]})


RUNS = {
    "kinds": "vessels.csv --u kind",
    "keys": "chorales.npz --group train --format piano-roll --emission bernoulli",
    "places": "degrees.csv",
    "positions": "walks.csv --no-displacement",
    "heading": "walks.csv --heading --observe 4",
    "causal": "walks.csv --causal",
    "mixed": "speed.csv --x x y speed --positions x y",
    "plain": "walks.csv --arch rnn --emission gaussian --hidden 8",
    "begun": "walks.csv --from runs/rnn",
}
"""Further runs by their data and flags."""


@pytest.fixture(scope="module")
def files(
    folder: Path, runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Write `FILES`, a few that are no text, and `RUNS`, beside the shared files and runs."""
    files = tmp_path_factory.mktemp("ways")
    for path in folder.glob("*.*"):
        (files / path.name).symlink_to(path)
    holed = (folder / "holed.csv").read_text().splitlines(keepends=True)
    late = [f"2,{t}" for t in (17, 18, 19)]
    (files / "cut.csv").write_text("".join(li for li in holed if not li.startswith(tuple(late))))
    for name, content in FILES.items():
        path = files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for n in range(1, 7):
        (files / f"bare{n}.csv").write_text("".join(f"{t}{',1.5' * (n - 1)}\n" for t in range(9)))
    part = {"x": np.arange(12.0).reshape(6, 2), "len": np.array([3, 3])}
    np.savez(files / "sets.npz", **{f"{g}_{k}": v for g in "ab" for k, v in part.items()})
    np.savez(files / "same-ids.npz", **part, id=np.array(["a", "a"]))
    np.savez(files / "own-ids.npz", **part, id=np.array(["a", "b"]))
    np.savez(files / "bytes.npz", x=np.full((6, 11), 3, np.uint8), length=np.array([3, 3]))
    pa.parquet.write_table(arrow(), files / "columns.csv")
    lists = arrow().append_column("pair", pa.array([[0.0, 1.0], [1.0, 2.0]]))
    pa.parquet.write_table(lists, files / "lists.parquet")
    (files / "columns.csv.gz").write_bytes(gzip.compress((files / "columns.csv").read_bytes()))
    (files / "latin.csv.gz").write_bytes(gzip.compress((files / "latin.csv").read_bytes()))
    (files / "text.parquet.gz").write_bytes(gzip.compress(GOOD.encode()))
    with zipfile.ZipFile(files / "two.zip", "w") as archive:
        archive.writestr("a.csv", GOOD)
        archive.writestr("b.csv", GOOD)
    (files / "unpacked").mkdir()
    with zipfile.ZipFile(files / "two.zip") as archive:
        archive.extractall(files / "unpacked")
    (files / "runs").mkdir()
    for name, trained in runs.items():
        (files / "runs" / name).symlink_to(trained)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(files)
        # these two serve the comparison at the end of a training, and take longer than two steps
        patch.setattr("vrnn.cli.train.held_out_table", lambda *_: [])
        patch.setattr("vrnn.training.prepare.fit_kalman", lambda *_: None)
        for name, line in RUNS.items():
            flags = (SHORT if "rnn" in line else NEW).replace("{out}/run", f"runs/{name}")
            assert main(split(["train", line, flags])) == 0
        shutil.copytree("runs/vrnn", "runs/modes")
        assert (
            main(split(["modes walks.csv --model runs/modes --count 3 --horizon 4 --steps 2"])) == 0
        )
        yield files


Call = Callable[[list[str]], tuple[int, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], files: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command in the folder of the files; return its code and all that it says."""
    monkeypatch.chdir(files)
    heard.clear()

    def run(words: list[str]) -> tuple[int, str]:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        heard.append(said.out + said.err)
        return code, said.out + said.err

    return run


READ = {
    "data/io/npz.py: one set of tracks": row(
        "doctor sets.npz",
        "choose one: (--group a) or (--group b)$",
        put("{1}"),
        put("{2}"),
    ),
    "data/io/npz.py: keys of a piano packed into bits or": row(
        "doctor bytes.npz",
        "say which: (--format piano-roll) or (--format columns)$",
        put("{1}"),
        put("{2}"),
    ),
    "data/io/npz.py: repeats an id; give every track its own": row(
        "doctor same-ids.npz", "give every track its own$", on("own-ids.npz")
    ),
    "data/io/piano_roll.py: an object with the set": row(
        "doctor bare.json --group train", "leave (--group) out$", leave_out("{1}")
    ),
    "data/io/piano_roll.py: one set of pieces": row(
        "doctor sets.json",
        "choose one: (--group test) or (--group train)$",
        put("{1}"),
        put("{2}"),
    ),
    "data/io/piano_roll.py: if this is a single piece, put it into a list of its own": row(
        "doctor piece.json", r"into a list of its own, \[piece\]$", on("bare.json")
    ),
    "data/io/piano_roll.py: expected a list of one or more steps": row(
        "doctor an-empty-piece.json", "drop the piece$", on("bare.json")
    ),
    "data/io/piano_roll.py: : expected whole MIDI numbers from": row(
        "doctor between.json", "round it if that is meant$", on("round.json")
    ),
    "data/io/piano_roll.py: are keys counted from 0? Then add": row(
        "doctor from-0.json", "Then add 21; and a silent voice is -1$", on("from-21.json")
    ),
    "data/io/piano_roll.py: a piano has no such key": row(
        "doctor high.json", "or move the piece by octaves$", on("lower.json")
    ),
    "data/io/piano_roll.py: write notes as numbers": row(
        "doctor letters.json", "write notes as numbers$", on("round.json")
    ),
    "data/io/piano_roll.py: a step lists the notes that sound, not": row(
        "doctor keys.json", "not 88 zeros and ones$", on("round.json")
    ),
    "data/io/parquet.py: if it is delimited text, rename it to": row(
        "doctor text.parquet", r"rename it to (text\.csv)$", renamed("{1}")
    ),
    "data/io/parquet.py: another format or a damaged file": row(
        "doctor text.feather", r"rename it to (text\.csv)$", renamed("{1}")
    ),
    "data/io/parquet.py: rename it to": row(
        "doctor text.parquet.gz", r"rename it to (text\.csv\.gz)$", renamed("{1}")
    ),
    "data/io/read.py: the first bytes of a file that ends in": row(
        "doctor columns.csv", r"rename it to (columns\.parquet)$", renamed("{1}")
    ),
    "data/io/read.py: rename it to": row(
        "doctor columns.csv.gz", r"rename it to (columns\.parquet\.gz)$", renamed("{1}")
    ),
    "data/io/read.py: first bytes of a file": row(
        "doctor lines.csv", r"rename it to (lines\.geojson)$", renamed("{1}")
    ),
    "data/io/read.py: if it is delimited text, rename it to": row(
        "doctor walks.xyz", r"rename it to (walks\.csv); else read", renamed("{1}")
    ),
    "data/io/read.py: a table is read without": row(
        "doctor good.csv --format piano-roll",
        "a table is read without (--format piano-roll)$",
        leave_out("{1}"),
    ),
    "data/io/read.py: files of tracks (": row(
        "doctor music", "for notes in .json ask for them: (--format piano-roll)$", put("{1}")
    ),
    "data/io/read.py: sub-folders are not searched, so name one": row(
        "doctor outer",
        r"such as ('outer/deep \[1\]/in it') or (outer/inner), or all files with ('.*')$",
        on("{1}"),
        on("{2}"),
        on("{3}"),
    ),
    "data/io/read.py: , or all files with": row(
        "doctor 'outer/deep [1]'", r"all files with ('.*')$", on("{1}")
    ),
    "data/io/compressed.py: an archive of one file": row(
        "doctor two.zip", "unpack it into a folder, and name the folder$", on("unpacked")
    ),
    "data/io/dialect.py: delimited text with a header such as": row(
        "doctor mixed", "if the file holds no tracks, move it out of the folder$", on("unmixed")
    ),
    "data/io/dialect.py: a file without a header beside": row(
        "doctor good.csv --columns a,b,c,d", "leave (--columns) out$", leave_out("{1}")
    ),
    "data/io/dialect.py: twice; rename one of them": row(
        "doctor same-name.csv", "rename one of them$", on("good.csv")
    ),
    "data/io/roles.py: times repeat, so there are several tracks": row(
        "doctor walk.csv", "name it: (--id walk)$", put("{1}")
    ),
    "data/io/roles.py: for one track": row(
        "doctor kinds.csv",
        "name it: (--id kind) or (--id None) for one track$",
        put("{1}"),
        put("{2}"),
    ),
    "data/io/roles.py: , or count the rows of a single track with": row(
        "doctor who.csv",
        "name it: (--id) COLUMN, or count the rows of a single track with (--t None)$",
        put("{1} who"),
        put("{2}"),
    ),
    "data/io/roles.py: columns of positions, such as": row(
        "doctor depths.csv", "name them: (--x) COLUMN COLUMN$", put("{1} a b")
    ),
    "data/io/roles.py: name columns of the file": row(
        "doctor depths.csv --x lon lat",
        "found id, t, (a), (b), c; name columns of the file: (--x) COLUMN COLUMN$",
        put("{3} {1} {2}"),
    ),
    "data/io/roles.py: a column": row(
        "doctor walk.csv --id mmsi",
        "found (walk), t, x, y; name columns of the file: (--id) COLUMN$",
        put("{2} {1}"),
    ),
    "data/io/roles.py: name another column with": row(
        "doctor lists.parquet --x pair y", "name another column with (--x)$", put("{1} x y")
    ),
    "data/io/tracks_from_table.py: a time in every row": row(
        "doctor no-times.csv",
        "fill it in, drop the row, or count rows with (--t None)$",
        put("{1}"),
        on("good.csv"),
    ),
    "data/io/tracks_from_table.py: expected the id of a track, found an empty cell": row(
        "doctor empty-ids.csv", "fill it in or drop the row$", on("good.csv")
    ),
    "data/io/tracks_from_table.py: sort the rows by id and time": row(
        "doctor backwards.csv --no-sort",
        "sort the rows by id and time, leave (--no-sort) out",
        leave_out("{1}"),
        on("good.csv"),
    ),
    "data/io/tracks_from_table.py: name the column of ids with": row(
        "doctor twice.csv",
        "ids with (--id) if it is another, or keep the first row of each with (--duplicates first)",
        put("{1} walk"),
        put("{2}"),
    ),
    "data/io/tracks_from_table.py: leave the cell empty where the value is missing": row(
        "doctor infinite.csv --duplicates error", "leave the cell empty where", on("finite.csv")
    ),
    "data/io/parse_cells.py: map another column, or leave the cell empty": row(
        "doctor words.csv", "map another column, or leave the cell empty", on("empty-cells.csv")
    ),
    "data/io/parse_cells.py: write decimals with a point, not a comma": row(
        "doctor commas.csv", "write decimals with a point", on("good.csv")
    ),
    "data/io/parse_cells.py: write numbers without thousands separators": row(
        "doctor thousands.csv", "write numbers without thousands", on("good.csv")
    ),
    "data/io/parse_cells.py: write numbers without underscores": row(
        "doctor underscores.csv", "write numbers without underscores", on("good.csv")
    ),
    "data/io/parse_times.py: a time, which is a number or a date": row(
        "doctor soon.csv --t t",
        "name another column, or write the dates in ISO 8601, such as 2024-05-01T12:00:00$",
        put("--t frame"),
        on("dated.csv"),
    ),
    "data/io/parse_times.py: correct the cell, or leave it empty and the row is left out": row(
        "doctor one-soon.csv", "correct the cell, or leave it empty", on("one-empty.csv")
    ),
    "data/io/geojson.py: ; leave other features out": row(
        "doctor areas.geojson", "leave other features out$", on("lines.geojson")
    ),
}

USED = {
    "data/io/categories.py: train on data that has it, or drop its tracks": row(
        f"score canoes.csv --model runs/kinds {CSV} --particles 5",
        "train on data that has it, or drop its tracks$",
        on("tugs.csv"),
    ),
    "data/resample.py: , or drop or resample such rows": row(
        f"impute off-grid.csv --model runs/vrnn {CSV} --insert-rows --samples 5",
        "vrnn.regular in Python, or drop or resample such rows$",
        on("good.csv"),
    ),
    "data/windows.py: take shorter windows, or look at gaps and time steps with": row(
        "evaluate prefix.csv --model runs/vrnn --observe 8 --horizon 12",
        "take shorter windows, or look at gaps and time steps with (vrnn doctor DATA)$",
        put("--observe 4 --horizon 4"),
        command("{1}", DATA="prefix.csv"),
    ),
    "data/preprocessor.py: ); the data has (": row(
        f"score speed.csv --x x y speed --model runs/vrnn {CSV} --particles 5",
        "read the data with (--x x y), or rename columns of the file$",
        put("{1}"),
    ),
    "data/preprocessor.py: read the data with": row(
        f"score tugs.csv --u kind --model runs/kinds {CSV} --particles 5",
        "read the data with (--u kind=sub kind=tug), or rename",
        put("{1}"),
    ),
    "data/preprocessor.py: , or rename columns of the file": row(
        f"score walks.csv --model runs/inputs {CSV} --particles 5",
        "or rename columns of the file$",
        on("speed.csv"),
    ),
    "data/preprocessor.py: leave ": row(
        f"score speed.csv --u speed --model runs/vrnn {CSV} --particles 5",
        "leave (--u speed) out$",
        leave_out("{1}"),
    ),
    "distributions/tempered.py: a temperature moves draws towards the mean": row(
        f"forecast chorales.npz --group test --format piano-roll --model runs/keys {CSV} --temperature 2",
        "leave (--temperature 1)$",
        put("{1}"),
    ),
    "tasks/future_inputs.py: repeat the last values with": row(
        f"forecast speed.csv --model runs/inputs {CSV}",
        "repeat the last values with (--inputs hold)$",
        put("{1}"),
    ),
    "tasks/futures.py: this model continues from the last observed point": row(
        f"forecast holed.csv --model runs/rollout {CSV} --horizon 2",
        "drop the trailing rows, and raise (--horizon) by as many$",
        both(on("cut.csv"), put("{1} 5")),
    ),
    "tasks/futures.py: give more rows of x, or lower": row(
        f"forecast speed.csv --model runs/supervised {CSV} --horizon 30",
        "give more rows of x, or lower (--horizon)$",
        put("{1} 10"),
    ),
    "tasks/time_step.py: its futures may be too fast or too slow": row(
        f"forecast slow.csv --model runs/vrnn {CSV}",
        r"train on data like this with (vrnn train DATA --out RUN)$",
        after(command("{1}", DATA="slow.csv", RUN=RUN), put("--model {out}/run")),
        code=0,
    ),
    "tasks/forecast.py: a supervised model filters x and y once a path": row(
        f"forecast speed.csv --model runs/supervised {CSV} --prefix-samples 2",
        "expected no (--prefix-samples), found 2; leave it out$",
        leave_out("{1}"),
    ),
    "tasks/modes.py: fit them with": row(
        f"forecast prefix.csv --model {{run}} {CSV} --modes",
        "fit them with (vrnn modes DATA --model RUN), or take clusters of the samples",
        after(command("{1}", DATA="walks.csv", RUN="{run} --count 3 --horizon 4 --steps 2"), again),
        both(leave_out("--modes"), put("--clusters 3")),
    ),
    "tasks/modes.py: lower it, or fit modes for more rows with": row(
        f"forecast prefix.csv --model {{modes}} {CSV} --modes --horizon 6",
        "(--horizon): .* fitted for (4) rows: .* more rows with (vrnn modes DATA --model RUN)$",
        put("{1} {2}"),
        after(
            command("{3}", DATA="walks.csv", RUN="{modes} --count 3 --horizon 6 --steps 2"), again
        ),
    ),
    "tasks/evaluate_forecasts.py: the model has": row(
        "evaluate walks.csv --model {modes} --selection modes --horizon 4",
        "set (--samples 3)$",
        put("{1}"),
    ),
    "tasks/evaluate.py: a supervised model is evaluated on the distribution that it has": row(
        "evaluate speed.csv --model runs/supervised --temperature 2",
        "leave (--temperature 1)$",
        put("{1}"),
    ),
    "tasks/evaluate_targets.py: a supervised model is evaluated on its targets": row(
        "evaluate walks.csv --model runs/supervised",
        r"on its targets \((speed)\); map columns to (--y)$",
        both(on("speed.csv"), put("{2} {1}")),
    ),
    "tasks/reliability.py: reliability is of forecasts of x": row(
        "reliability speed.csv --model runs/supervised",
        "see (vrnn score DATA --model RUN --out FILE)$",
        command("{1}", DATA="speed.csv", RUN="runs/supervised", FILE="{out}/a.csv"),
    ),
    "tasks/likelihood.py: a track with a scored row": row(
        "likelihood one-row.csv --model runs/vrnn",
        "see (vrnn doctor DATA)$",
        command("{1}", DATA="one-row.csv"),
    ),
    "cli/score.py: a track with a scored row": row(
        f"score one-row.csv --model runs/vrnn {CSV} --particles 5",
        "see (vrnn doctor DATA)$",
        command("{1}", DATA="one-row.csv"),
    ),
    "cli/score.py: calibration tracks for": row(
        f"score walks.csv --model runs/vrnn {CSV} --particles 5 --calibration walks.csv --false-alarms 0.01",
        "give more tracks, or at least (--false-alarms 0.04)$",
        put("{1}"),
    ),
    "cli/score.py: a threshold is counted on normal tracks": row(
        f"score walks.csv --model runs/vrnn {CSV} --particles 5 --false-alarms 0.1",
        "expected (--calibration) beside --false-alarms",
        put("{1} walks.csv"),
    ),
    "cli/score.py: no threshold": row(
        f"score prefix.csv --model runs/vrnn {CSV} --particles 5 --calibration walks.csv",
        "give more tracks, or at least (--false-alarms 0.04)$",
        put("{1}"),
        code=0,
    ),
    "tasks/encode.py: an RNN has no latent to encode into": row(
        f"encode walks.csv --model runs/rnn {CSV}",
        "train a (seq2seq), (rollout) or (vrnn) model$",
        *(put(f"--model runs/{{{i}}}") for i in (1, 2, 3)),
    ),
    "tasks/encode.py: see what the data holds with": row(
        f"encode one-row.csv --model runs/vrnn {CSV}",
        "see what the data holds with (vrnn doctor DATA)$",
        command("{1}", DATA="one-row.csv"),
    ),
    "tasks/generate.py: a RolloutVAE that forecasts has no distribution of prefixes": row(
        f"generate --model runs/rollout {CSV}",
        "train it with (--task autoencoding), or use (vrnn forecast DATA --model RUN --out FILE)$",
        after(run(f"train walks.csv --arch rollout {NEW} {{1}}"), put("--model {out}/run")),
        command("{2}", DATA="walks.csv", RUN="runs/rollout", FILE="{out}/a.csv"),
    ),
    "tasks/generate.py: a supervised model draws y given x": row(
        f"generate --model runs/supervised {CSV}",
        "use (vrnn forecast DATA --model RUN --out FILE)$",
        command("{1}", DATA="speed.csv", RUN="runs/supervised", FILE="{out}/a.csv"),
    ),
    "tasks/generate.py: this model knows where on the map it is": row(
        f"generate --model runs/places {CSV}",
        "give a (--start), first points of lat, lon$",
        put("{1} 50 10"),
    ),
    "tasks/generate.py: this model works in positions": row(
        f"generate --model runs/positions {CSV} --start 1 2",
        "leave (--start) out$",
        leave_out("{1}"),
    ),
    "tasks/constant_inputs.py: a value for each known input": row(
        f"generate --model runs/inputs {CSV} --given fast=1",
        r"known input \((speed)\), found fast; look at fast, speed$",
        put("--given {1}=1"),
    ),
    "cli/generate.py: the model has known inputs": row(
        f"generate --model runs/inputs {CSV}",
        "as in (--given speed=)[.]{3}, found none; in Python vrnn.generate takes inputs",
        put("{1}1"),
    ),
    "cli/generate.py: the model has no known inputs": row(
        f"generate --model runs/vrnn {CSV} --given speed=1",
        "leave out (--given speed=1)$",
        leave_out("{1}"),
    ),
    "tasks/impute.py: density of a track's first points and cannot fill gaps": row(
        f"impute holed.csv --model runs/rollout {CSV} --samples 5 --particles 5",
        "train a (vrnn), (srnn) or (dmm)$",
        *(put(f"--model runs/{{{i}}}") for i in (1, 2, 3)),
    ),
    "tasks/impute.py: without one": row(
        f"impute holed.csv --model runs/heading {CSV} --samples 5 --particles 5",
        "train a (vrnn), (srnn) or (dmm) without one$",
        put("--model runs/{1}"),
    ),
    "tasks/impute.py: paths are widened about their means": row(
        f"impute chorales.npz --group test --format piano-roll --model runs/keys {CSV} --samples 5 --calibrate",
        "(--calibrate): .*; leave it out$",
        leave_out("{1}"),
    ),
    "tasks/conformal.py: seen rows are hidden in gaps like the real ones": row(
        f"impute holed.csv --model runs/vrnn {CSV} --samples 5 --particles 20 --calibrate",
        "impute more tracks together, or leave (--calibrate) out$",
        leave_out("{1}"),
        both(on("empty-rows.csv"), put("--model runs/plain --particles 400 --interval 0.4")),
    ),
    "tasks/conformal.py: hidden entries say nothing about intervals of": row(
        f"impute empty-rows.csv --model runs/plain {CSV} {CALIBRATED} --interval 0.999",
        "impute more tracks together, or ask for intervals of a smaller share$",
        put("--interval 0.5"),
    ),
    "tasks/conformal.py: all paths are one at": row(
        f"impute empty-rows.csv --model runs/plain {CSV} --calibrate --samples 10 --particles 5"
        " --interval 0.7",
        "raise (--particles) or (--sweeps)$",
        put("{1} 200"),
        put("{2} 2"),
    ),
    "cli/impute.py: puts them in": row(
        f"impute skipped-rows.csv --model runs/plain {CSV} {CALIBRATED} --interval 0.5",
        "no rows to fill: (--insert-rows) puts them in$",
        put("{1}"),
    ),
    "cli/impute.py: : --insert-rows puts them in": row(
        f"impute skipped.csv --model runs/vrnn {CSV} --samples 5 --particles 20",
        "1 gap in time has no rows to fill: (--insert-rows) puts them in$",
        put("{1}"),
        code=0,
    ),
    "cli/impute.py: intervals are rough there; raise --particles above": row(
        f"impute holed.csv --model runs/plain {CSV} --samples 20 --particles 2",
        r"raise (--particles) above (2), or (--sweeps) above (0)$",
        put("{1} 200"),
        put("{3} 5"),
        code=0,
    ),
    "cli/forecast.py: a mode set is predicted, not sampled": row(
        f"forecast prefix.csv --model {{modes}} {CSV} --modes --samples 5",
        "leave (--samples) or (--modes) out$",
        leave_out("{1}"),
        leave_out("{2}"),
    ),
    "cli/outputs.py: it is read by this command and would be replaced": row(
        "score good.csv --model runs/vrnn --out good.csv --particles 5",
        "choose another place$",
        put("--out {out}/a.csv"),
    ),
    "cli/outputs.py: a table in a folder of tracks is read as tracks": row(
        "score unmixed --model runs/vrnn --out unmixed/scores.csv --particles 5",
        "write to another folder$",
        put("--out {out}/scores.csv"),
    ),
    "files.py: choose another place": row(
        f"score good.csv --model runs/vrnn --out {{out}}/{'a' * 300}.csv",
        "choose another place$",
        put("--out {out}/a.csv"),
    ),
    "training/shipped.py: the model that needs no training is for positions": row(
        f"forecast speed.csv --x x y speed {CSV}",
        "train a model of your own with (vrnn train DATA --out RUN)$",
        after(command("{1}", DATA="speed.csv --x x y speed", RUN=RUN), put("--model {out}/run")),
    ),
    "training/resolve.py: the model that needs no training has no unit": row(
        f"generate --model tracks-2d {CSV}",
        "train one with (vrnn train DATA --out RUN)$",
        after(command("{1}", DATA="walks.csv", RUN=RUN), put("--model {out}/run")),
    ),
    "training/run_folder.py: a run folder written by": row(
        f"score walks.csv --model unmixed {CSV} --particles 5",
        "expected a run folder written by (vrnn train DATA --out RUN); it has no config.json$",
        after(command("{1}", DATA="walks.csv", RUN=RUN), put("--model {out}/run")),
    ),
    "cli/modes.py: has no folder to keep a mode set in": row(
        "modes walks.csv --model tracks-2d",
        "a forecast with (--clusters), or train a model of your own with (vrnn train DATA --out RUN)$",
        run(f"forecast prefix.csv {CSV} {{1}} 3"),
        command("{2}", DATA="walks.csv", RUN=RUN),
    ),
    "training/mode_context.py: take clusters of the samples of a forecast": row(
        "modes walks.csv --model runs/causal",
        "take clusters of the samples of a forecast$",
        run(f"forecast walks.csv --model runs/causal {CSV} --clusters 3"),
    ),
    "training/mode_context.py: train a model of the positions alone": row(
        "modes speed.csv --model runs/mixed",
        "train a model of the positions alone$",
        after(
            run(f"train speed.csv --x x y {NEW}"),
            put("--model {out}/run --horizon 4 --steps 2 --count 3"),
        ),
    ),
    "training/modes.py: no training track has a point to begin at": row(
        "modes one-row.csv --model {run}",
        "see what the data holds with (vrnn doctor DATA)$",
        command("{1}", DATA="one-row.csv"),
    ),
    "training/modes.py: rows after those that a future begins from": row(
        "modes walks.csv --model {run} --horizon 30 --steps 2 --count 3",
        r"found a longest future of (\d+); lower (--horizon)$",
        put("{2} {1}"),
    ),
    "training/modes.py: lower ": row(
        "modes walks.csv --model {run} --horizon 15 --observe 10 --steps 2 --count 3",
        "training tracks: .* or lower (--horizon) or (--observe)$",
        put("{1} 10"),
        put("{2} 5"),
    ),
    "training/modes.py: the loss of the modes is not finite": row(
        "modes walks.csv --model {run} --horizon 4 --steps 3 --count 3 --learning-rate 1e30",
        "lower (--learning-rate), or look at the data with (vrnn doctor DATA)$",
        put("{1} 0.001"),
        command("{2}", DATA="walks.csv"),
    ),
    "cli/main.py: out of memory: ask for fewer samples": row(
        f"forecast prefix.csv --model runs/vrnn {CSV} --samples 1000000000000",
        "ask for fewer samples",
        put("--samples 5"),
    ),
}

BEFORE_TRAINING = {
    "models/config.py: a supervised model needs a target": row(
        f"train speed.csv {NEW} --supervised encoder",
        "map columns to (--y), from which y_dim follows$",
        put("{1} speed"),
    ),
    "distributions/parse.py: ; write for instance": row(
        f"train walks.csv {NEW} --emission mixture",
        r"write for instance (mixture\(5\))$",
        put("--emission '{1}'"),
    ),
    "distributions/parse.py: expected the number of columns of each family but one": row(
        f"train walks.csv {NEW} --emission gaussian+student_t",
        "write for instance (gaussian:1)$",
        put("--emission {1}+student_t"),
    ),
    "distributions/parse.py: columns are written": row(
        f"train walks.csv {NEW} --emission 'gaussian(2)'",
        "columns are written (gaussian:2)$",
        put("--emission {1}"),
    ),
    "distributions/parse.py: write one term a column, as in": row(
        f"train bits.csv --x x y {NEW} --emission 'categorical(2):2'",
        r"as in (categorical\(2\):1\+categorical\(2\):1)$",
        put("--emission '{1}'"),
    ),
    "distributions/parse.py: did you mean": row(
        f"train walks.csv {NEW} --emission student",
        r"did you mean (\w+)\?",
        put("--emission {1}"),
    ),
    "data/transforms/transform.py: a heading transform rotates tracks to their direction": row(
        f"train walks.csv {NEW} --heading",
        "(--observe): .* set it to the rows that are known before the future begins$",
        put("{1} 8"),
    ),
    "data/transforms/transform.py: a causal transform needs positions alone": row(
        f"train speed.csv --x x y speed --positions x y --causal {NEW}",
        "leave the other columns out, or switch (--causal) off$",
        put("--x x y"),
        off("{1}"),
    ),
    "data/transforms/transform.py: a geographic transform takes increments of one column": row(
        f"train good.csv --geographic km {NEW}",
        "name the columns x of the file so, and leave them among the positions$",
        on("degrees.csv"),
    ),
    "data/transforms/plane.py: , as in EPSG:3413": row(
        f"train poles.csv {NEW}", "project the positions to metres, .* x and y$", on("metres.csv")
    ),
    "data/transforms/config.py: transform models increments": row(
        f"train walks.csv --causal --no-displacement {NEW}",
        "leave (--displacement) on$",
        put("{1}"),
        leave_out("--no-displacement"),
    ),
    "data/transforms/config.py: a causal transform turns every move of a track": row(
        f"train walks.csv --causal --heading --observe 8 {NEW}",
        "(--heading): .* switch it off$",
        off("{1}"),
    ),
    "training/config.py: to a number of rows": row(
        f"train walks.csv --truncate {NEW}",
        "set (--chunk) to a number of rows$",
        put("{1} 5"),
    ),
    "training/compatibility.py: choose one, or set": row(
        f"train bits.csv --x x y --energy-weight 1 --emission bernoulli {NEW}",
        "choose one, or set (--energy-weight 0)$",
        put("--emission gaussian"),
        put("{1}"),
    ),
    "training/compatibility.py: stopping early needs validation tracks": row(
        f"train walks.csv --patience 2 --holdout 0.01 --hidden 8 {VALIDATED}",
        r"give some as (--val), or set (--holdout 0\.1)$",
        put("{1} prefix.csv"),
        put("{2}"),
    ),
    "training/compatibility.py: give some as": row(
        f"train prefix.csv --patience 2 --holdout 0.5 --hidden 8 {VALIDATED}",
        "give some as (--val), or set (--patience None)$",
        put("{1} walks.csv"),
        put("{2}"),
    ),
    "training/compatibility.py: a RolloutVAE that forecasts is trained to go on from": row(
        f"train walks.csv --arch rollout {NEW}",
        "set (--observe) to its number of points, at least (2)$",
        put("{1} {2}"),
    ),
    "training/compatibility.py: a causal transform changes from row to row": row(
        f"train walks.csv --arch rollout --observe 8 --causal {NEW}",
        "(--causal): .* switch it off$",
        off("{1}"),
    ),
    "training/compatibility.py: a causal transform makes all places alike": row(
        f"train walks.csv --causal --position-input {NEW}",
        "(--position-input): a causal .* switch one of the two off$",
        off("{1}"),
        off("--causal"),
    ),
    "training/compatibility.py: a model of increments that reads one row at a time": row(
        f"train walks.csv --arch rollout --observe 8 --position-input {NEW}",
        "(--position-input): .* switch it off$",
        off("{1}"),
    ),
    "training/compatibility.py: this transform models positions": row(
        f"train walks.csv --no-displacement --position-input {NEW}",
        "(--position-input): .* switch it off$",
        off("{1}"),
    ),
    "training/compatibility.py: the map, so that places mean nothing": row(
        f"train walks.csv --flip --position-input {NEW}",
        "(--position-input): .* switch one of the two off$",
        off("{1}"),
        off("--flip"),
    ),
    "training/compatibility.py: chunks are read one after the other": row(
        f"train walks.csv --arch dmm --chunk 5 {NEW}",
        "leave (--chunk) out, and cut long tracks with (--window)$",
        both(leave_out("{1}"), put("{2} 10")),
    ),
    "training/compatibility.py: copies at other rates interpolate between rows": row(
        f"train bits.csv --x x y --emission bernoulli --rates 0.5 1 {NEW}",
        r"(--rates): .* leave it (1\.0)$",
        put("{1} {2}"),
    ),
    "training/compatibility.py: copies at other rates average neighbouring rows": row(
        f"train degrees.csv --geographic km --rates 0.5 1 {NEW}",
        r"(--rates): .* leave it (1\.0), or set (--geographic '')$",
        put("{1} {2}"),
        put("{3}"),
    ),
    "training/compatibility.py: on the globe that is no motion": row(
        f"train degrees.csv --geographic km --flip {NEW}",
        "switch it off, or set (--geographic '')$",
        off("--flip"),
        put("{1}"),
    ),
    "training/compatibility.py: augmentation changes x and not the target y": row(
        f"train speed.csv --y speed --supervised encoder --flip {NEW}",
        "switch it off$",
        off("--flip"),
    ),
    "training/compatibility.py: it shifts the keys of a piano roll": row(
        f"train walks.csv --transpose 2 {NEW}",
        "(--transpose): .* switch it off$",
        put("{1} 0"),
    ),
    "training/compatibility.py: switch it off, or reorder the columns of": row(
        f"train speed.csv --x speed x y --positions x y --flip {NEW}",
        "switch it off, or reorder the columns of (--x)$",
        off("--flip"),
        put("{1} x y speed"),
    ),
    "training/compatibility.py: a score of futures is over whole rows": row(
        f"train walks.csv --energy-weight 1 --observe 20 {NEW}",
        "shorten (--observe) or set (--energy-weight 0)$",
        put("{1} 10"),
        put("{2}"),
    ),
    "training/splits.py: train on whole tracks (": row(
        f"train walks.csv --window 90 {NEW}",
        r"take shorter windows, .* or train on whole tracks \((--window None)\)",
        put("--window 10"),
        put("{1}"),
    ),
    "training/prepare.py: no training track has enough usable rows": row(
        f"train one-row.csv {NEW}",
        "see what the data holds with (vrnn doctor DATA)$",
        command("{1}", DATA="one-row.csv"),
    ),
    "training/prepare.py: training goes on from a model with its own coordinates": row(
        f"train walks.csv --from runs/vrnn --heading --observe 8 {SHORT}",
        "(--heading): .* leave it out$",
        leave_out("{1}"),
    ),
    "cli/train.py: training goes on from a model with its own layers": row(
        f"train walks.csv --from runs/rnn --hidden 8 {SHORT}",
        "(--hidden): .*; leave one of the two out, or train with (--from scratch)$",
        leave_out("{1}"),
        leave_out("--from"),
        put("{2}"),
    ),
    "cli/train.py: beside --from": row(
        f"train walks.csv --from runs/rnn --arch srnn {SHORT}",
        "(--arch): expected (rnn) beside --from runs/rnn, found srnn$",
        put("{1} {2}"),
    ),
}
"""Ways that are taken when training begins, which is not waited for."""

TRAINED = {
    "training/finite.py: is not finite": row(
        f"train walks.csv --learning-rate 1e30 --warmup 0 {NEW}",
        "look at its values with (vrnn doctor DATA), or train into another folder with a lower "
        "(--learning-rate) or --grad-clip$",
        put("{2} 0.001 --out {out}/another"),
        command("{1}", DATA="walks.csv"),
    ),
    "training/resume.py: nothing to resume, it has no config.json": row(
        f"train walks.csv --resume {NEW}",
        "train without (--resume) first$",
        leave_out("{1}"),
    ),
    "training/resume.py: holds a run already": row(
        RESUMED.replace("--resume", ""),
        "resume it with (--resume), or choose another folder$",
        put("{1}"),
        put("--out {out}/another"),
    ),
    "training/resume.py: resume needs the settings the run began with": row(
        RESUMED.replace("--arch vrnn --latent-dim 3", "--arch storn --learning-rate 0.01 --flip"),
        "the run began with: (--arch vrnn .*--learning-rate 0.001 .*--no-flip.*); name the model",
        put("{1}"),
    ),
    "training/resume.py: the run began with: ": row(
        f"{RESUMED} --heading --observe 4 --patience 3",
        "the run began with: (--observe None .*--no-heading.*); name the model",
        put("{1}"),
    ),
    "training/resume.py: name the model to start from, if there was one": row(
        "train walks.csv --resume --out {begun} --steps 2 --validate-every 2 --batch-size 8 --holdout 0",
        "; name the model to start from, if there was one, as when the run began$",
        put("--from runs/rnn"),
    ),
    "training/resume.py: resume needs the same tracks": row(
        RESUMED.replace("walks.csv", "speed.csv --x x speed"),
        "resume needs the same tracks$",
        both(leave_out("--x"), on("walks.csv")),
    ),
}

ASKED = {
    "cli/main.py: expected a command": row("", "see: (vrnn --help)$", command("{1}")),
    "cli/main.py: a command (": row("doctr good.csv", r"did you mean (\w+)\?", run("{1} good.csv")),
    "cli/main.py: see: vrnn --help": row("plot", "see: (vrnn --help)$", command("{1}")),
    "cli/parse.py: no such option": row(
        "doctor good.csv --duplicate first",
        r"did you mean (--duplicates)\?; see: (vrnn doctor --help)$",
        both(leave_out("--duplicate"), put("{1} first")),
        command("{2}"),
    ),
    "cli/parse.py: ; name several files by a pattern in quotes": row(
        "doctor mixed/good.csv unmixed/good.csv",
        "name several files by a pattern in quotes; see: (vrnn doctor --help)$",
        run("doctor '*mixed/good.csv'"),
        command("{1}"),
    ),
    "cli/parse.py: missing ": row(
        "doctor", "missing DATA; see: (vrnn doctor --help)$", command("{1}")
    ),
    "cli/parse.py: one of": row(
        f"train walks.csv {NEW} --objective elb",
        r"did you mean (elbo)\?; see: (vrnn train --help)$",
        put("--objective {1}"),
        command("{2}"),
    ),
}
NOTED = {
    "cli/summary.py: , for such data; give others to change them": row(
        f"train walks.csv {SHORT} --hidden 8",
        "chosen  +(--emission) [^,]+, (--latent) [^,]+, for such data; give others to change them$",
        put("{1} gaussian {2} gaussian --out {out}/b"),
        code=0,
    ),
    "cli/summary.py: --from scratch starts from random weights": row(
        f"train walks.csv --from runs/rnn {SHORT}",
        "started from   runs/rnn; (--from scratch) starts from random weights$",
        put("{1} --hidden 8 --out {out}/b"),
        code=0,
    ),
    "cli/train.py: note: chosen ": row(
        f"train long.csv {NEW}",
        r"chosen (--window 20 --learning-rate 0\.003), since",
        put("{1} --out {out}/b"),
        code=0,
    ),
    "cli/train.py: ; see: vrnn doctor ": row(
        f"train outlier.csv --x x y {NEW}",
        "2 outliers in speed, .* see: (vrnn doctor outlier.csv --x x y)$",
        command("{1}"),
        code=0,
    ),
    "cli/modes.py: see: vrnn forecast DATA --model": row(
        "modes walks.csv --model {run} --count 3 --horizon 4 --steps 2",
        "see: (vrnn forecast DATA --model .* --modes --out FILE)$",
        command("{1}", DATA="prefix.csv", FILE="{out}/a.csv"),
        code=0,
    ),
    "data/describe/advice.py: map the column that tells them apart": row(
        "doctor legs.csv",
        "map the column that tells them apart: (--id) COLUMN[.]$",
        put("{1} leg"),
        code=0,
    ),
    "data/describe/advice.py: makes the time between rows an input": row(
        "doctor uneven.csv",
        "or (--time-input) makes the time between rows an input[.]$",
        run(f"train uneven.csv {NEW} {{1}}"),
        code=0,
    ),
    "data/describe/advice.py: All observed values are 0 or 1: train with": row(
        "doctor bits.csv --x x y",
        "train with (--emission bernoulli)[.]",
        run(f"train bits.csv --x x y {NEW} {{1}}"),
        code=0,
    ),
    "data/describe/advice.py: It tells a model nothing; leave it out": row(
        "doctor level.csv --x x y",
        "Constant: y. It tells a model nothing; leave it out[.]$",
        put("--x x"),
        code=0,
    ),
}
ROWS = READ | USED | BEFORE_TRAINING | TRAINED | ASKED | NOTED
taken.update(ROWS)


def interrupt(*_: object) -> None:
    """End a command with code 130, in place of what would come now."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("claim", ROWS)
def test_the_ways_out(
    claim: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A way is taken in a copy of the folder that the message has left."""
    line, says, ways, code = ROWS[claim]
    out, left = tmp_path / "out", tmp_path / "left"
    out.mkdir()
    places = {"out": out}
    for name in re.findall(r"\{(run|modes|begun)\}", line):  # those that are written to
        places[name] = out / name
        shutil.copytree(Path("runs") / (name if name != "run" else "vrnn"), places[name])
    words = split([fill(line, **places)])
    ended, said = call(words)
    assert ended == code, said
    check_heard(claim)
    found = re.search(says, said, re.MULTILINE)
    assert found, said

    def of_message(text: str) -> list[str]:
        text = re.sub(r"\{(\d)\}", lambda m: found[int(m[1])], text)
        return shlex.split(fill(text, **places))

    success = 0
    if claim in BEFORE_TRAINING:
        success = 130
        monkeypatch.setattr("vrnn.training.trainer.Trainer.run", interrupt)
    out.rename(left)
    for way in ways:
        shutil.copytree(left, out)
        for line in way(words, of_message):
            ended, said = call(line)
            assert ended in (0, success), (line, said)
        assert not re.search(says, said, re.MULTILINE), said
        shutil.rmtree(out)


@pytest.mark.parametrize("columns", range(1, 7))
@takes("data/io/dialect.py: a header that names the columns")
def test_names_for_a_file_without_a_header(columns: int, call: Call) -> None:
    """They suit any number of columns."""
    ended, said = call(["doctor", f"bare{columns}.csv"])
    assert ended == 2
    found = re.search("name the columns in order: (--columns .*)$", said, re.MULTILINE)
    assert found and len(found[1].split(",")) == columns
    assert call(["doctor", f"bare{columns}.csv", *shlex.split(found[1])])[0] == 0


@takes("data/describe/advice.py: Windows for evaluation: ")
def test_the_windows_of_the_advice_are_those_of_an_evaluation(call: Call) -> None:
    said = call(["doctor", "walks.csv"])[1]
    found = re.search(r"Windows for evaluation: (.*) gives (\d+ windows) from", said)
    assert found
    ended, said = call(["evaluate", "walks.csv", "--samples", "2", *found[1].split()])
    assert ended == 0 and said.startswith(f"{found[2]}, ")


@pytest.mark.skipif(not shutil.which("iconv"), reason="no iconv")
@pytest.mark.parametrize("name", ["latin.csv", "windows/a latin.csv", "latin.csv.gz", "-"])
@takes("data/io/text_file.py: probably WINDOWS-1252 from a Windows program")
def test_a_file_of_windows_is_converted_by_the_command(
    name: str, call: Call, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = (files / "latin.csv").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    ended, said = call(["doctor", name])
    found = re.search("(unpack it and )?(?:convert it: |pass it through )(iconv .*)$", said)
    assert ended == 2 and found, said
    shutil.copytree(files / "windows", tmp_path / "windows")
    shutil.copy(files / "latin.csv", tmp_path)
    assert bool(found[1]) is (name == "latin.csv.gz")
    given = raw if name == "-" else b""
    done = subprocess.run(
        found[2], shell=True, cwd=tmp_path, input=given, capture_output=True, check=True
    )
    if name == "-":
        (tmp_path / "utf8-latin.csv").write_bytes(done.stdout)
    assert call(["doctor", str(next(tmp_path.rglob("utf8-*")))])[0] == 0


@takes("data/io/text_file.py: ; save it as UTF-8 in the program that wrote it")
def test_bytes_that_windows_has_no_letter_for(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(GOOD.encode() + b"caf\x81,0,1,1\n")
    assert call(["doctor", str(tmp_path / "a.csv")])[0] == 2
    (tmp_path / "a.csv").write_text(f"{GOOD}caf\x81,0,1,1\n", encoding="utf-8")
    assert call(["doctor", str(tmp_path / "a.csv")])[0] == 0


@pytest.mark.parametrize("way", ["--out", "remove it"])
@takes("cli/forecast.py: the file is there already")
def test_a_forecast_that_is_there(
    way: str, call: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["forecast", str(folder / "prefix.csv"), "--horizon", "2", "--samples", "2"]
    (tmp_path / "forecast.csv").write_text("mine")
    monkeypatch.chdir(tmp_path)
    ended, said = call(line)
    assert (
        ended == 2
        and "forecast.csv: the file is there already; name another with --out or remove it" in said
    )
    (tmp_path / "forecast.csv").unlink()
    assert call([*line, *(["--out", "b.csv"] if way == "--out" else [])])[0] == 0


@takes("cli/demo.py: holds a run that is not of this demo")
def test_a_folder_that_is_no_demo(
    call: Call, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo itself is cut short before it draws its walks."""
    monkeypatch.setattr("vrnn.cli.demo.Crossroads", interrupt)
    shutil.copytree(runs["vrnn"], tmp_path / "demo-rnn")
    ended, said = call(["demo", "--out", str(tmp_path)])
    assert ended == 2 and "remove it, or choose another folder with --out" in said
    assert call(["demo", "--out", str(tmp_path / "another")])[0] == 130
    shutil.rmtree(tmp_path / "demo-rnn")
    assert call(["demo", "--out", str(tmp_path)])[0] == 130


def resume(run: Path) -> list[str]:
    return split([fill(RESUMED, run=run)])


@pytest.fixture
def copy(call: Call, tmp_path: Path) -> Path:
    return shutil.copytree(Path("runs/vrnn"), tmp_path / "copy")


def scores(run: Path, out: Path) -> list[str]:
    return [
        "score",
        "prefix.csv",
        "--model",
        str(run),
        "--particles",
        "2",
        "--out",
        str(out / "a.csv"),
    ]


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_weights_come_back_with_a_repeated_training(
    damage: str, call: Call, copy: Path, tmp_path: Path
) -> None:
    """Also those of a finished run, as they were."""
    weights = copy / "model.safetensors"
    before = weights.read_bytes()
    weights.unlink() if damage == "lost" else weights.write_bytes(before[:50])
    ended, said = call(scores(copy, tmp_path))
    found = re.search("repeat the training with (--resume)$", said, re.MULTILINE)
    assert ended == 2 and found
    assert found[1] in resume(copy) and call(resume(copy))[0] == 0
    assert call(scores(copy, tmp_path))[0] == 0 and weights.read_bytes() == before
    text = "the run has no model.safetensors" if damage == "lost" else "damaged or truncated ("
    check_heard(f"training/weights.py: {text}")


taken.update(
    f"training/weights.py: {text}"
    for text in ("the run has no model.safetensors", "damaged or truncated (")
)


@pytest.mark.parametrize("config", ["{", '{"version": 2}'])
@takes("training/run_folder.py: train again into another folder")
def test_a_config_that_cannot_be_read(config: str, call: Call, copy: Path, tmp_path: Path) -> None:
    (copy / "config.json").write_text(config)
    ended, said = call(scores(copy, tmp_path))
    assert ended == 2 and said.endswith("train again into another folder\n")
    again = tmp_path / "another"
    assert call(["train", "walks.csv", *shlex.split(NEW.format(out=again))])[0] == 0
    assert call(scores(again / "run", tmp_path))[0] == 0


taken.update(
    {
        "training/run_folder.py: : not a config that vrnn wrote (",
        "training/run_folder.py: : found a run folder of another version of vrnn",
    }
)


@pytest.mark.parametrize("way", ["fit the modes again", "delete the file"])
@pytest.mark.parametrize("harm", ["damaged, or of another version (", "fitted to other weights"])
def test_modes_that_cannot_be_read(
    harm: str, way: str, call: Call, copy: Path, tmp_path: Path
) -> None:
    fit = split([fill("modes walks.csv --model {run} --count 3 --horizon 2 --steps 2", run=copy)])
    assert call(fit)[0] == 0
    modes = copy / "modes.safetensors"
    if harm.startswith("damaged"):
        modes.write_bytes(modes.read_bytes()[:50])
    else:
        shutil.copy("runs/modes/modes.safetensors", modes)
        shutil.copy("runs/heading/model.safetensors", copy)
        shutil.copy("runs/heading/config.json", copy)
    ended, said = call(scores(copy, tmp_path))
    assert ended == 2 and said.endswith("; fit the modes again or delete the file\n")
    check_heard(f"training/modes_file.py: {harm}")
    if way == "delete the file":
        modes.unlink()
    else:
        assert call(fit)[0] == 0
    assert call(scores(copy, tmp_path))[0] == 0


taken.update(
    f"training/modes_file.py: {harm}"
    for harm in ("damaged, or of another version (", "fitted to other weights")
)


@takes("training/resume.py: delete it to start the run again")
def test_a_state_that_is_damaged(call: Call, copy: Path) -> None:
    (copy / "training.safetensors").write_bytes(b"")
    assert call(resume(copy))[0] == 2
    (copy / "training.safetensors").unlink()
    assert call(resume(copy))[0] == 0


@takes("training/trackers.py: restore the file or delete it")
def test_metrics_that_are_damaged(call: Call, copy: Path) -> None:
    (copy / "metrics.jsonl").write_text("words\nand more\n")
    assert call(resume(copy))[0] == 2
    (copy / "metrics.jsonl").unlink()
    assert call(resume(copy))[0] == 0


@takes("training/resume.py: the run began from another model, and resume needs the same one")
def test_another_model_to_start_from(call: Call, tmp_path: Path) -> None:
    """Both have the same settings, and were fitted to other data."""
    train = f"train walks.csv --out {tmp_path}/run --steps 2 --validate-every 2 --batch-size 8"
    for name, data in (("one", "walks.csv"), ("two", "long.csv")):
        first = f"{data} --arch rnn --window None --emission gaussian --hidden 8 --steps 2"
        assert call(split(["train", first, "--out", tmp_path / name]))[0] == 0
    assert call(split([train, "--from", tmp_path / "one"]))[0] == 0
    ended, said = call(split([train, "--resume --from", tmp_path / "two"]))
    assert ended == 2 and "name the model to start from, if there was one, as when" in said
    assert call(split([train, "--resume --from", tmp_path / "one"]))[0] == 0


@pytest.mark.parametrize("way", ["wait", "another folder"])
@takes("training/lock.py: wait for its end, or choose another folder")
def test_a_folder_that_another_training_writes_to(way: str, call: Call, tmp_path: Path) -> None:
    line = split(["train walks.csv", fill(NEW, out=tmp_path)])
    with locked(tmp_path / "run"):
        assert call(line)[0] == 2
        if way == "another folder":
            assert call([*without(line, "--out"), "--out", str(tmp_path / "b")])[0] == 0
    if way == "wait":
        assert call(line)[0] == 0


@takes("training/trackers.py: make room, then go on with ")
def test_a_disk_that_is_full(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = split(["train walks.csv", fill(NEW, out=tmp_path)])
    with monkeypatch.context() as full:

        def write(*_: object) -> None:
            raise unwritable(tmp_path / "run", OSError(28, "No space left on device"))

        full.setattr("vrnn.training.trainer.save_state", write)
        ended, said = call(line)
    found = re.search("make room, then go on with (--resume)$", said, re.MULTILINE)
    assert ended == 2 and found
    assert call([*line, found[1]])[0] == 0


@takes("cli/train.py: processes that train together would each measure other steps")
def test_minutes_of_several_processes(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training of several processes is in `tests/training/test_distributed.py`."""
    line = split(["train walks.csv", fill(NEW, out=tmp_path)])
    with monkeypatch.context() as together:
        together.setenv("WORLD_SIZE", "2")
        ended, said = call([*line, "--minutes", "1"])
    assert ended == 2 and "(--minutes)" not in said and "name the --steps" in said
    assert "--steps" in line and call(line)[0] == 0


@takes("tasks/latent_use.py: idle (")
def test_latents_that_are_idle(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every flag of the advice is one of the same command."""
    line = split(["train walks.csv --hidden 8 --latent-dim 2", fill(VALIDATED, out=tmp_path)])
    with monkeypatch.context() as patch:
        patch.setattr("vrnn.objectives.latent_use.LatentUse.idle", True)
        said = call(line)[1]
    advice = next(text for text in said.splitlines() if "idle (" in text)
    found = re.search(
        r"try (--latent 'categorical\(8\)'), a narrower (--emission), more (--free-bits) or a "
        r"longer (--kl-warmup)$",
        advice,
    )
    assert found, advice
    ways = [found[1], f"{found[2]} gaussian", f"{found[3]} 0.1", f"{found[4]} 2"]
    for i, way in enumerate(ways):
        flag, *values = shlex.split(way)
        words = without(line, "--out")
        assert call([*words, "--out", str(tmp_path / str(i)), flag, *values])[0] == 0, way
