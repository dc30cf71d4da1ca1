"""Piano rolls, which of 88 keys sound at each step: lists of notes in JSON, or packed bits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from vrnn.data.io.table import Columns, Table, make_table
from vrnn.data.io.text_file import read_text
from vrnn.errors import DataError, Setting, joined

LOWEST, HIGHEST = 21, 108
"""The outer keys of a piano, A0 and C8, as MIDI numbers."""
KEYS = tuple(f"key{note}" for note in range(LOWEST, HIGHEST + 1))
"""Columns of a piano roll."""
BYTES = len(KEYS) // 8
"""Bytes of a step whose keys are packed into bits."""
LAYOUT = 'a list of pieces or an object of such lists, {"train": [piece, ...], "test": [...]}'


def read_notes(path: Path, group: str = "") -> Table:
    """Return the piano rolls of pieces of music in JSON.

    A piece is a list of steps, and a step lists the notes that sound. The file holds a list of
    pieces, or an object of such lists, `{"train": [piece, ...], "test": [piece, ...]}`.

    Notes are MIDI numbers. The values -1, NaN and null are silent voices. A note that two voices
    share sounds once. The columns `key21` to `key108` are 1 where a note sounds and 0 elsewhere.
    Pieces and steps are counted from 0 in ids, times and messages.

    Args:
        path: the file.
        group: the list to read, such as "train"; needed where there are several.

    Raises:
        DataError: text that is not JSON or has another layout, a group that is absent or not
            chosen, an empty piece, or a note that is no key of the piano.

    Source: the layout of Boulanger-Lewandowski et al. 2012, "Modeling Temporal Dependencies in
    High-Dimensional Sequences".

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> _ = path.write_text('{"train": [[[60, 64, 67], []], [[60, 60, -1]]]}')
    >>> table = read_notes(path)
    >>> table.columns["id"].to_pylist(), table.columns["key60"].to_pylist()
    (['0', '0', '1'], [1.0, 0.0, 1.0])
    """
    where, pieces = _choose(path, _parse(path), group)
    rolls = [_roll(piece, f"{where}, piece {i}") for i, piece in enumerate(pieces)]
    ids = np.repeat(
        np.array([str(i) for i in range(len(rolls))], dtype=object), [len(r) for r in rolls]
    )
    keys = dict(zip(KEYS, np.concatenate(rolls).T, strict=True))
    usual = Columns(id="id", x=KEYS)
    return make_table(where, {"id": ids, **keys}, lambda row: row + 1, usual, "row")


def unpack(array: Shaped[np.ndarray, "..."], at: str) -> Shaped[np.ndarray, "rows 88"]:
    """Return the roll of an archive as zeros and ones (rows, 88).

    Args:
        array: `np.packbits(roll, axis=1)`, which is uint8 (rows, 11), or the roll (rows, 88).
        at: the file and the array, for the message.

    Raises:
        DataError: another type or shape, or values other than 0 and 1.

    >>> unpack(np.packbits(np.eye(2, 88, dtype=bool), axis=1), "a.npz, x").shape
    (2, 88)
    """
    if maybe_packed(array):
        return np.unpackbits(array, axis=1)
    if array.ndim == 2 and array.shape[1] == len(KEYS) and np.isin(array, (0, 1)).all():
        return array
    raise DataError(
        f"{at}: expected a piano roll, either uint8 (rows, {BYTES}) from "
        f"np.packbits(roll, axis=1) or zeros and ones (rows, {len(KEYS)}), "
        f"found {array.dtype} {array.shape}; "
        "is it packed along the other axis, or no piano roll?"
    )


def maybe_packed(array: Shaped[np.ndarray, "..."]) -> bool:
    """Return whether an array has the type and the width of a packed roll.

    An array of 11 columns of bytes has them as well.
    """
    return array.dtype == np.uint8 and array.ndim == 2 and array.shape[1] == BYTES


def _parse(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: expected JSON with {LAYOUT}, "
            f"found an error of syntax: {error.msg}; is the file cut off?"
        ) from error
    except (ValueError, RecursionError) as error:  # thousands of digits, brackets without end
        raise DataError(
            f"{path}: expected JSON with {LAYOUT}, found what cannot be read: {error}"
        ) from error


def _choose(path: Path, content: Any, group: str) -> tuple[str, list]:
    """Return where the pieces of one set are, for messages, and the pieces."""
    if isinstance(content, list):
        if group:
            raise DataError(
                where=path,
                expected=f"an object with the set {group!r}",
                found="a bare list of pieces",
                hint=("leave ", Setting("group"), " out"),
            )
        where, pieces = str(path), content
    else:
        named = content.items() if isinstance(content, dict) else ()
        sets = {name.lower(): value for name, value in named if isinstance(value, list)}
        if not sets:
            raise DataError(
                f"{path}: expected {LAYOUT}, found {_short(content)}; is it a file of music?"
            )
        name = group.lower() if group or len(sets) > 1 else next(iter(sets))
        if name not in sets:
            raise DataError(
                where=path,
                expected="one set of pieces",
                found=", ".join(sets),
                hint=(
                    "choose one: ",
                    joined([Setting("group", found) for found in sorted(sets)], " or "),
                ),
            )
        where, pieces = f"{path}, {name}", sets[name]
    if not pieces:
        raise DataError(f"{where}: expected at least one piece, found none; is the file complete?")
    return where, pieces


def _roll(piece: Any, at: str) -> Float[np.ndarray, "steps 88"]:
    """Return the roll (steps, 88) of a piece."""
    if not isinstance(piece, list) or not piece:
        hint = "drop the piece" if piece == [] else "is a list missing around the pieces?"
        raise DataError(
            f"{at}: expected a list of one or more steps, found {_short(piece)}; {hint}"
        )
    roll = np.zeros((len(piece), len(KEYS)))
    for i, step in enumerate(piece):
        if not isinstance(step, list):
            raise DataError(
                f"{at}, step {i}: expected a list of notes such as [60, 64, 67], "
                f"found {_short(step)}; "
                "if this is a single piece, put it into a list of its own, [piece]"
            )
        for note in step:
            if note is None or note == -1 or note != note:  # a silent voice
                continue
            if not _is_key(note):
                raise DataError(
                    f"{at}, step {i}: expected whole MIDI numbers from {LOWEST} to {HIGHEST}, "
                    f"found {_short(note)}; {_cause(note, step)}"
                )
            roll[i, int(note) - LOWEST] = 1
    return roll


def _is_key(note: Any) -> bool:
    number = isinstance(note, int | float) and not isinstance(note, bool)
    return number and LOWEST <= note <= HIGHEST and note == int(note)


def _cause(note: Any, step: list) -> str:
    """Return the likely cause of a note that is no key, with the way out."""
    if len(step) == len(KEYS) and all(value in (0, 1) for value in step):
        return f"a step lists the notes that sound, not {len(KEYS)} zeros and ones"
    if isinstance(note, bool) or not isinstance(note, int | float):
        nested = isinstance(note, list)
        return "is a list too many around the notes?" if nested else "write notes as numbers"
    if LOWEST < note < HIGHEST:
        return "no key sounds between two keys: round it if that is meant"
    if 0 <= note < LOWEST:
        return f"are keys counted from 0? Then add {LOWEST}; and a silent voice is -1"
    return "a piano has no such key: leave the note out, or move the piece by octaves"


def _short(value: Any) -> str:
    """Return a JSON value in a few words."""
    if isinstance(value, dict):
        return f"an object with {', '.join(list(value)[:3]) or 'nothing in it'}"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
