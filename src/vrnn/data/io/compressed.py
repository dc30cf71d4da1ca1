"""The bytes of a file, out of gzip, bzip2, xz, zstd or zip where it is compressed."""

import bz2
import gzip
import io
import lzma
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from vrnn.errors import DataError
from vrnn.stored import cut_off

STDIN = "-"
"""The path that stands for standard input."""


def _unzip(raw: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/") and "__MACOSX" not in n]
        if len(names) != 1:
            raise DataError(
                expected="an archive of one file",
                found=f"{len(names)}: {', '.join(names[:5])}" if names else "none",
                hint="unpack it into a folder, and name the folder" if names else "is it complete?",
            )
        return archive.read(names[0])


def _unzstd(raw: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
        return stream.read()


ENDINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": _unzstd,
    ".zip": _unzip,
}
"""How each ending is unpacked."""


def kind_of(path: Path) -> str:
    """Return the ending that names the format of a file, in lower case, without compression.

    >>> kind_of(Path("walks.CSV.gz")), kind_of(Path("walks.zip")), kind_of(Path("-"))
    ('.csv', '', '')
    """
    endings = [e.lower() for e in path.suffixes]
    if endings and endings[-1] in ENDINGS:
        endings.pop()
        path = Path(path.name[: -len(path.suffix)])
    return path.suffix.lower() if endings else ""


def renamed(path: Path, ending: str) -> str:
    """Return the name of a file with another ending for its format; that of a compression stays.

    >>> renamed(Path("data/walks.csv"), ".parquet"), renamed(Path("walks.csv.gz"), ".parquet")
    ('walks.parquet', 'walks.parquet.gz')
    """
    packed = path.suffix if path.suffix.lower() in ENDINGS else ""
    return Path(path.name.removesuffix(packed)).stem + ending + packed


def unpacked(path: Path) -> Path | io.BytesIO:
    """Return a file for readers that take no compressed one: itself, or its bytes unpacked.

    Raises:
        DataError: as `read_bytes` does.
    """
    return io.BytesIO(read_bytes(path)) if path.suffix.lower() in ENDINGS else path


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, unpacked where its ending names a compression.

    Args:
        path: the file, or "-" for standard input.

    Raises:
        DataError: a file that cannot be opened, is empty or is damaged, or an archive of several
            files.
    """
    try:
        raw = sys.stdin.buffer.read() if str(path) == STDIN else path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror or error}") from error
    unpack = ENDINGS.get(path.suffix.lower())
    if unpack is not None and raw:
        try:
            raw = unpack(raw)
        except DataError as error:
            raise DataError(error, where=path) from error
        except Exception as e:  # each library has its own kinds
            raise DataError(
                where=path,
                expected=f"a file compressed as {path.suffix.lower()[1:]}",
                found=cut_off(str(e)) or type(e).__name__,
                hint="is it complete?",
            ) from e
    if not raw.strip():
        raise DataError(f"{path}: expected a table of tracks, found an empty file")
    return raw
