"""Piano rolls: which of the 88 keys sound at each step, from lists of notes in JSON or bits packed into bytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from vrnn.data.io.table import Columns, Table
from vrnn.data.io.text import read_text
from vrnn.errors import DataError, Setting, joined

LOWEST, HIGHEST = 21, 108
"""The outer keys of a piano, A0 and C8, as MIDI numbers."""
KEYS = tuple(f"key{note}" for note in range(LOWEST, HIGHEST + 1))
BYTES = len(KEYS) // 8
SHAPE = 'a list of pieces or an object of such lists, {"train": [piece, ...], "test": [...]}'


def read_notes(path: Path, group: str = "") -> Table:
    """Read pieces of music from JSON: a piece is a list of steps, a step the list of the notes that sound then.

    The file holds a list of pieces, or several in an object, `{"train": [piece, ...], "test": [piece, ...]}`:
    `group="train"` chooses one. Notes are MIDI numbers; -1, NaN and null are voices that are silent, and a note
    that two voices share sounds once. Columns `key21` to `key108` are 1 where a note sounds and 0 elsewhere.
    Pieces and steps are counted from 0, in ids and times and in messages.

    The layout is that of N. Boulanger-Lewandowski et al., Modeling Temporal Dependencies in High-Dimensional
    Sequences (2012).

    Raises:
        DataError: text that is not JSON or not of this layout, a group that is not there or not chosen, an empty
            piece, or a note that is no key of the piano, with its piece and step.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> _ = path.write_text('{"train": [[[60, 64, 67], []], [[60, 60, -1]]]}')
    >>> table = read_notes(path)
    >>> table.columns["id"], table.columns["key60"]
    (array(['0', '0', '1'], dtype=object), array([1., 0., 1.]))
    """
    where, pieces = _choose(path, _parse(path), group)
    rolls = [_roll(piece, f"{where}, piece {i}") for i, piece in enumerate(pieces)]
    ids = np.repeat(
        np.array([str(i) for i in range(len(rolls))], dtype=object), [len(r) for r in rolls]
    )
    keys = dict(zip(KEYS, np.concatenate(rolls).T, strict=True))
    return Table(where, {"id": ids, **keys}, np.arange(1, len(ids) + 1), Columns(x=KEYS), "row")


def unpack(array: np.ndarray, at: str) -> np.ndarray:
    """Turn the roll of an archive into zeros and ones (rows, 88).

    Args:
        array: `np.packbits(roll, axis=1)`, which is uint8 (rows, 11), or the roll (rows, 88) itself.
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
        f"{at}: expected a piano roll, either uint8 (rows, {BYTES}) from np.packbits(roll, axis=1) or zeros and ones "
        f"(rows, {len(KEYS)}), found {array.dtype} {array.shape}; is it packed along the other axis, or no piano roll?"
    )


def maybe_packed(array: np.ndarray) -> bool:
    """Say whether an array has the type and the width of a packed roll, which 11 columns of bytes have as well."""
    return array.dtype == np.uint8 and array.ndim == 2 and array.shape[1] == BYTES


def _parse(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: expected JSON with {SHAPE}, found an error of syntax: "
            f"{error.msg}; is the file cut off?"
        ) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number of thousands of digits, brackets without end
        raise DataError(
            f"{path}: expected JSON with {SHAPE}, found what cannot be read: {error}"
        ) from error


def _choose(path: Path, content: Any, group: str) -> tuple[str, list]:
    """The pieces of one set, and where they are."""
    if isinstance(content, list):
        if group:
            raise DataError(
                f"{path}: expected an object with the set {group!r}, found a bare list of pieces; leave the group out"
            )
        where, pieces = str(path), content
    else:
        named = content.items() if isinstance(content, dict) else ()
        sets = {name.lower(): value for name, value in named if isinstance(value, list)}
        if not sets:
            raise DataError(
                f"{path}: expected {SHAPE}, found {_short(content)}; is it a file of music?"
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


def _roll(piece: Any, at: str) -> np.ndarray:
    """The roll (steps, 88) of a piece."""
    if not isinstance(piece, list) or not piece:
        hint = "drop the piece" if piece == [] else "is a list missing around the pieces?"
        raise DataError(
            f"{at}: expected a list of one or more steps, found {_short(piece)}; {hint}"
        )
    roll = np.zeros((len(piece), len(KEYS)))
    for i, step in enumerate(piece):
        if not isinstance(step, list):
            raise DataError(
                f"{at}, step {i}: expected a list of notes such as [60, 64, 67], found {_short(step)}; if this is a "
                "single piece, put it into a list of its own, [piece]"
            )
        for note in step:
            if note is None or note == -1 or note != note:  # a silent voice
                continue
            if not _is_key(note):
                raise DataError(
                    f"{at}, step {i}: expected whole MIDI numbers from {LOWEST} to {HIGHEST}, found {_short(note)}; "
                    f"{_cause(note, step)}"
                )
            roll[i, int(note) - LOWEST] = 1
    return roll


def _is_key(note: Any) -> bool:
    number = isinstance(note, int | float) and not isinstance(note, bool)
    return number and LOWEST <= note <= HIGHEST and note == int(note)


def _cause(note: Any, step: list) -> str:
    if len(step) == len(KEYS) and all(value in (0, 1) for value in step):
        return f"a step lists the notes that sound, not {len(KEYS)} zeros and ones"
    if isinstance(note, bool) or not isinstance(note, int | float):
        return (
            "is a list too many around the notes?"
            if isinstance(note, list)
            else "write notes as numbers"
        )
    if LOWEST < note < HIGHEST:
        return "no key sounds between two keys: round it if that is meant"
    if 0 <= note < LOWEST:
        return f"are keys counted from 0? Then add {LOWEST}; and a silent voice is -1"
    return "a piano has no such key: leave the note out, or move the piece by octaves"


def _short(value: Any) -> str:
    """A JSON value in a few words."""
    if isinstance(value, dict):
        return f"an object with {', '.join(list(value)[:3]) or 'nothing in it'}"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
