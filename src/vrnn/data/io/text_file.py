"""The text of a file, or the reason why it has none."""

import codecs
import shlex
from pathlib import Path

from vrnn.data.io.compressed import ENDINGS, STDIN, read_bytes
from vrnn.errors import DataError

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 or UTF-16 file, without byte order marks.

    Raises:
        DataError: a file that cannot be opened, is empty, is binary or is in another encoding. The
            message names that encoding.
    """
    return decode(path, read_bytes(path))


def decode(path: Path, raw: bytes) -> str:
    """Return the text of bytes in UTF-8 or UTF-16, without byte order marks.

    Raises:
        DataError: binary content or another encoding, which the message names.
    """
    if raw[:2] in UTF_16:
        try:
            return raw.decode("utf-16").lstrip("\ufeff")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: expected text in UTF-16: {error.reason}") from error
    try:
        text = raw.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(_other_encoding(path, raw, error.start)) from error
    if "\0" in text:
        raise DataError(f"{path}: expected text, found binary content (a zero byte); {_ENDING}")
    return text


_ENDING = (
    "is the ending right? Readable are CSV and other text, GPX, GeoJSON, NPZ, Parquet, Feather "
    "and others"
)


def _other_encoding(path: Path, raw: bytes, position: int) -> str:
    """Return the message for bytes that are not UTF-8 from `position` on."""
    if raw.count(0):
        return f"{path}: expected UTF-8 text, found binary content; {_ENDING}"
    line = raw.count(b"\n", 0, position) + 1
    what = f"{path}, line {line}: expected UTF-8 text, found the byte 0x{raw[position]:02x}"
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return f"{what}; save it as UTF-8 in the program that wrote it"
    what += "; probably WINDOWS-1252 from a Windows program"
    convert = "iconv -f WINDOWS-1252 -t UTF-8"
    if str(path) == STDIN:
        return f"{what}; pass it through {convert}"
    packed = path.suffix.lower() in ENDINGS
    source = path.with_suffix("") if packed else path
    old, new = (shlex.quote(str(p)) for p in (source, source.with_name(f"utf8-{source.name}")))
    return f"{what}; {'unpack it and ' if packed else ''}convert it: {convert} {old} > {new}"
