"""Piano rolls from notes in JSON and from packed archives, and every bad input."""

import numpy as np
import pytest
from tests.helpers.piano_rolls import KEYS, PIECES, SOUNDING, roll, sounding
from tests.helpers.track_files import check_refused

from vrnn.data.describe import describe
from vrnn.data.io import Columns, read_tracks
from vrnn.errors import ConfigError, DataError


def test_notes(notes):
    tracks = read_tracks(notes(PIECES))
    assert (tracks.ids, tracks.x_names) == (["0", "1"], KEYS)
    assert [t.tolist() for t in tracks.times] == [[0, 1, 2], [0]]
    assert sounding(tracks) == SOUNDING


def test_silent_voices_and_whole_fractions(notes):
    path = notes(
        "[[[60.0, -1, 64, 67], [NaN, -1.0, null, -1], [21, 108, 108.0, 21]], [[72, 60, 60, 72.0]]]"
    )
    assert sounding(read_tracks(path)) == SOUNDING


def test_sets_of_pieces(notes):
    path = notes({"train": PIECES, "Test": PIECES[1:], "about": "made up"})
    assert len(read_tracks(path, group="train")) == 2
    assert len(read_tracks(path, group="test")) == 1
    for group in ("", "valid", "about"):
        with pytest.raises(
            DataError, match=r"found train, test; choose one: .*group='test' or group='train'"
        ):
            read_tracks(path, group=group)
    assert len(read_tracks(notes({"train": PIECES}))) == 2


def test_keys_are_columns_like_others(notes):
    tracks = read_tracks(notes(PIECES), Columns(x=("key60", "key64"), u=("key21",)))
    assert (tracks.x_names, tracks.x[0].tolist()) == (("key60", "key64"), [[1, 1], [0, 0], [0, 0]])
    assert tracks.u[0].ravel().tolist() == [0, 0, 1]


def test_a_folder_of_pieces(notes, tmp_path):
    notes(PIECES, "a.json")
    notes(PIECES[1:], "b.json")
    assert read_tracks(tmp_path, format="piano-roll").ids == ["a/0", "a/1", "b/0"]
    with pytest.raises(DataError, match=r"found none; for notes in \.json .*format='piano-roll'"):
        read_tracks(tmp_path)
    notes("id,t,x,y\n1,0,1,2\n", "c.csv")
    assert read_tracks(tmp_path).ids == ["c/1"]


SPOILT = {
    "text": (
        "[[[60]",
        r"a\.json, line 1, column 7: expected JSON with a list of pieces.*is the file cut off",
    ),
    "endless": ("[" * 100_000, "expected JSON with a list of pieces.*found what cannot be read"),
    "number": (
        "5",
        "expected a list of pieces or an object of such lists.*found 5; is it a file of music",
    ),
    "object": (
        {"type": "Topology"},
        "expected a list of pieces .* found an object with type; is it",
    ),
    "nothing": ({}, "found an object with nothing in it"),
    "no pieces": ([], r"a\.json: expected at least one piece, found none"),
    "no pieces of a set": (
        {"train": []},
        r"a\.json, train: expected at least one piece, found none",
    ),
    "empty piece": (
        [[[60]], []],
        "piece 1: expected a list of one or more steps, found an empty list; drop",
    ),
    "flat": (
        [60, 64],
        "piece 0: expected a list of one or more steps, found 60; is a list missing",
    ),
    "one piece": (
        [[60, 64], []],
        r"piece 0, step 0: expected a list of notes .* found 60; .*\[piece\]",
    ),
    "null step": (
        [[[60], None]],
        "piece 0, step 1: expected a list of notes such as .* found null",
    ),
    "too deep": (
        [[[[60]]]],
        "piece 0, step 0: expected whole MIDI .* found a list of 1; is a list too many",
    ),
    "name": (
        {"train": [[[60]], [[60], ["C4"]]]},
        r"a\.json, train, piece 1, step 1: .* found \"C4\"; write notes as",
    ),
    "truth": ([[[True]]], "piece 0, step 0: .* found true; write notes as numbers"),
    "low": (
        [[[60, 20]]],
        "numbers from 21 to 108, found 20; are keys counted from 0.* a silent voice is -1",
    ),
    "negative": ([[[-2]]], "found -2; a piano has no such key"),
    "high": ([[[109]]], "found 109; a piano has no such key: leave the note out"),
    "infinite": ("[[[Infinity]]]", "found Infinity; a piano has no such key"),
    "between": ([[[60.5]]], "expected whole MIDI numbers .* found 60.5; .* round it"),
    "roll": (
        [[[0] * 87 + [1]]],
        "found 0; a step lists the notes that sound, not 88 zeros and ones",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_refuses_notes(notes, case):
    content, message = SPOILT[case]
    check_refused(notes(content), message)


def test_refuses_a_set_of_a_bare_list(notes):
    with pytest.raises(
        DataError, match=r"an object with the set 'train', found a bare list .* leave group out"
    ):
        read_tracks(notes(PIECES), group="train")


@pytest.mark.parametrize("packed", [True, False])
def test_packed(tmp_path, packed):
    x = np.packbits(roll(), axis=1) if packed else roll()
    np.savez(tmp_path / "a.npz", train_X=x, train_len=[3, 1], test_X=x[:2], test_len=[2])
    tracks = read_tracks(tmp_path / "a.npz", group="train", format="piano-roll")
    assert (tracks.ids, tracks.x_names) == (["0", "1"], KEYS)
    assert [t.tolist() for t in tracks.times] == [[0, 1, 2], [0]]
    assert sounding(tracks) == SOUNDING
    assert read_tracks(tmp_path / "a.npz", group="test", format="piano-roll").lengths.tolist() == [
        2
    ]


def test_bytes_that_may_be_either_are_not_guessed_at(tmp_path):
    small = np.arange(44, dtype=np.uint8).reshape(4, 11)
    np.savez(tmp_path / "a.npz", x=small, length=[4])
    with pytest.raises(
        DataError, match=r"know what x holds.*say which: .*'piano-roll' or format='columns'"
    ):
        read_tracks(tmp_path / "a.npz")
    assert read_tracks(tmp_path / "a.npz", format="columns").x[0].tolist() == small.tolist()
    np.savez(tmp_path / "a.npz", x=small.astype(np.int16), length=[4])
    assert read_tracks(tmp_path / "a.npz").x_dim == 11


@pytest.mark.parametrize(
    ("x", "found"),
    [
        (np.packbits(roll(), axis=0), r"uint8 \(1, 88\); is it packed along the other axis"),
        (np.zeros((4, 12), np.uint8), r"uint8 \(4, 12\)"),
        (np.zeros((4, 11)), r"float64 \(4, 11\)"),
        (np.full((4, 88), 2), r"int64 \(4, 88\)"),
        (np.zeros(4, np.uint8), r"uint8 \(4,\)"),
    ],
)
def test_refuses_no_roll(tmp_path, x, found):
    np.savez(tmp_path / "a.npz", x=x, length=[len(x)])
    with pytest.raises(
        DataError, match=rf"a\.npz, x: expected a piano roll, either uint8 \(rows, 11\).*{found}"
    ):
        read_tracks(tmp_path / "a.npz", format="piano-roll")


def test_refuses_formats(notes):
    with pytest.raises(
        DataError, match=r"expected a piano roll in \.json or \.npz, found the extension '\.csv'"
    ):
        read_tracks(notes("id,t,x,y\n1,0,1,2\n", "a.csv"), format="piano-roll")
    with pytest.raises(
        ConfigError, match="format: expected one of auto, columns, piano-roll, found 'midi'"
    ):
        read_tracks(notes(PIECES), format="midi")


MUSIC = {
    "JSB_Chorales": ((229, 13807), (76, 4602), (77, 4725), 11.06),
    "Nottingham": ((694, 176561), (173, 45513), (170, 44463), 10.25),
}


@pytest.mark.parametrize("name", MUSIC)
def test_music(data_dir, name):
    """Counts are as published, and nats of independent keys as in the README of the data."""
    path = data_dir / "polymusic" / f"{name}.npz"
    sets = {s: read_tracks(path, group=s, format="piano-roll") for s in ("train", "valid", "test")}
    assert tuple((len(s), int(s.lengths.sum())) for s in sets.values()) == MUSIC[name][:3]
    p = np.clip(np.concatenate(sets["train"].x).mean(axis=0), 1e-4, 1 - 1e-4)
    x = np.concatenate(sets["test"].x)
    nats = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum() / len(x)
    assert nats == pytest.approx(MUSIC[name][3], abs=0.01)


def test_music_as_notes_is_the_same(data_dir, notes):
    packed = read_tracks(
        data_dir / "polymusic" / "JSB_Chorales.npz", group="test", format="piano-roll"
    )
    pieces = [[(np.flatnonzero(row) + 21).tolist() for row in x] for x in packed.x]
    read = read_tracks(notes({"test": pieces}), group="test")
    assert (read.ids, read.x_names) == (packed.ids, packed.x_names)
    assert all(np.array_equal(a, b) for a, b in zip(read.x, packed.x, strict=True))
    d = describe(packed)
    assert (d.binary, d.outliers, d.windows) == (True, 0, 4725 - 19 * 77)
    assert len(str(d).splitlines()) < 8
