"""NumPy archives (NPZ): all tracks in one array, with their lengths."""

import re
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from vrnn.data.io.compressed import unpacked
from vrnn.data.io.piano_roll import BYTES, KEYS, maybe_packed, unpack
from vrnn.data.io.table import Columns, Table, make_table
from vrnn.errors import DataError, Setting, joined
from vrnn.stored import cut_off

WIDE = ("x", "u", "y")


def read_npz(path: Path, group: str = "", format: str = "auto") -> Table:
    """Return the rows of all tracks in an archive.

    The archive has `x (sum T, D)` and `length (N,)`; sum T counts the rows of all N tracks. It may
    have `t (sum T,)`, `id (N,)`, `u (sum T, U)` and `y (sum T, Y)`. NaN is missing. Columns of
    x are named x and y where D = 2, else x0, x1, ...

    An archive of several sets has, for example, `train_X` with `train_len` and `test_X` with
    `test_len`.

    A piano roll has 88 keys, or `uint8 (sum T, 11)` where bits are packed into bytes. It becomes
    the columns key21 to key108. Such bytes may also be 11 columns of small numbers, so "auto"
    refuses them.

    Args:
        path: the archive.
        group: the set to read, such as "train"; needed where there are several.
        format: what x holds: "columns", "piano-roll", or "auto" for columns that are not bytes.

    Raises:
        DataError: no such arrays, a group that is absent or not chosen, lengths that do not add up,
            bytes that may be a packed roll, no roll where one is expected, or pickled objects.
    """
    source = unpacked(path)
    if not zipfile.is_zipfile(source):
        raise DataError(
            f"{path}: expected an NPZ archive (numpy.savez), "
            "found another format or a damaged file; is the extension right?"
        )
    try:
        opened = path.open("rb") if source == path else nullcontext(source)
        with opened as file, np.load(file, allow_pickle=False) as archive:
            names = _names(path, {key.lower(): key for key in archive}, group)
            arrays = {role: archive[key] for role, key in names.items()}
    except DataError:
        raise
    except Exception as error:  # of numpy, zipfile and each way to compress
        raise DataError(
            f"{path}: expected an NPZ archive of plain arrays (no pickled objects): "
            f"{cut_off(str(error) or type(error).__name__)}"
        ) from error
    for role, array in arrays.items():
        if not array.ndim:
            raise DataError(f"{path}: expected {names[role]} to have rows, found a single value")
    length = arrays["length"]
    if length.ndim != 1 or length.dtype.kind not in "iu" or (length < 1).any():
        raise DataError(
            f"{path}: expected {names['length']} to be whole numbers of rows, at least 1, "
            f"one a track, found {length.dtype} {length.shape}"
        )
    rows, total = len(arrays["x"]), int(length.sum())
    if rows != total:
        raise DataError(
            f"{path}: {names['length']} adds up to {total} rows but {names['x']} has {rows}; "
            "were they saved together?"
        )
    ids = arrays.get("id", np.arange(len(length)))
    if len(ids) != len(length):
        raise DataError(
            f"{path}: expected an id for each of {len(length)} tracks, found {len(ids)}"
        )
    columns = {"id": np.repeat(np.array([str(i) for i in ids], dtype=object), length)}
    if len(set(ids.tolist())) < len(ids):
        raise DataError(f"{path}: {names['id']} repeats an id; give every track its own")
    arrays["x"] = _roll_or_columns(path, names["x"], arrays["x"], format)
    t = arrays.get("t")
    columns["t"] = (
        _wide(path, names.get("t", ""), t, rows)[:, 0] if t is not None else _count(length)
    )
    roles: dict[str, Any] = {}
    for role in WIDE:
        if role in arrays:
            array = _wide(path, names[role], arrays[role], rows)
            named = tuple(f"{role}{i}" for i in range(array.shape[1]))
            if role == "x":
                named = KEYS if format == "piano-roll" else ("x", "y") if len(named) == 2 else named
            roles[role] = named
            columns |= dict(zip(named, array.T, strict=True))
    usual = Columns(id="id", t="t", **roles)
    return make_table(str(path), columns, lambda row: row + 1, usual, "row")


def _names(path: Path, read: dict[str, str], group: str) -> dict[str, str]:
    """Return the key of each role in the archive."""
    groups = sorted({m[1] for key in read if (m := re.fullmatch(r"(?:(.+)_)?x", key)) and m[1]})
    prefix = f"{group.lower()}_" if group else ""
    if not group and "x" not in read and len(groups) == 1:
        prefix = f"{groups[0]}_"
    found = f"found {', '.join(read.values()) or 'nothing'}"
    if f"{prefix}x" not in read:
        if groups:
            raise DataError(
                where=path,
                expected="one set of tracks",
                found=", ".join(read.values()),
                hint=("choose one: ", joined([Setting("group", name) for name in groups], " or ")),
            )
        raise DataError(f"{path}: expected the arrays x (rows, dim) and length (tracks,), {found}")
    length = next(
        (read[f"{prefix}{k}"] for k in ("length", "lengths", "len") if f"{prefix}{k}" in read), None
    )
    if length is None:
        raise DataError(f"{path}: expected {prefix}length with the rows of each track, {found}")
    names = {
        role: read[f"{prefix}{role}"] for role in ("id", "t", *WIDE) if f"{prefix}{role}" in read
    }
    return {**names, "length": length}


def _roll_or_columns(
    path: Path, name: str, x: Shaped[np.ndarray, "..."], format: str
) -> Shaped[np.ndarray, "..."]:
    """Return x as columns, unpacked where it is a piano roll; refuse what may be either."""
    if format == "piano-roll":
        return unpack(x, f"{path}, {name}")
    if format == "auto" and maybe_packed(x):
        raise DataError(
            where=path,
            expected=f"to know what {name} holds",
            found=f"uint8 {x.shape}, which is {len(KEYS)} keys of a piano packed into bits "
            f"or {BYTES} columns of numbers up to 255",
            hint=(
                "say which: ",
                Setting("format", "piano-roll"),
                " or ",
                Setting("format", "columns"),
            ),
        )
    return x


def _wide(
    path: Path, name: str, array: Shaped[np.ndarray, "..."], rows: int
) -> Float[np.ndarray, "{rows} width"]:
    """Return an array (rows,) or (rows, width) of numbers as float64 (rows, width)."""
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != rows or array.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: expected {name} to be numbers of shape ({rows}, width), "
            f"found {array.dtype} {array.shape}"
        )
    return array.astype(np.float64)


def _count(length: Int[np.ndarray, " tracks"]) -> Float[np.ndarray, " rows"]:
    """Return the number of each row in its track, from 0."""
    starts = np.repeat(np.cumsum(length) - length, length)
    return np.arange(len(starts), dtype=np.float64) - starts
