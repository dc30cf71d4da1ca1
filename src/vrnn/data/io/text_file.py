"""The text of a file, or the reason why it has none."""

from pathlib import Path

from vrnn.errors import DataError


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark.

    Raises:
        DataError: a file that cannot be opened, is empty, is binary or is in another encoding. The
            message names that encoding.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror or error}") from error
    if not raw.strip():
        raise DataError(f"{path}: expected a table of tracks, found an empty file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(_other_encoding(path, raw, error.start)) from error
    if "\0" in text:
        raise DataError(
            f"{path}: expected text, found binary content (a zero byte); is the extension right? "
            "Readable are CSV, TSV, ETH/UCY, HURDAT2, TrajNet++ ndjson, notes in JSON, NPZ and "
            "Parquet"
        )
    return text


def _other_encoding(path: Path, raw: bytes, position: int) -> str:
    """Return the message for bytes that are not UTF-8 from `position` on."""
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    if raw.count(0) and not utf16:
        return f"{path}: expected UTF-8 text, found binary content; is the extension right?"
    name, origin = (
        ("UTF-16", "Excel's 'Unicode text'") if utf16 else ("WINDOWS-1252", "a Windows program")
    )
    line = 1 if utf16 else raw.count(b"\n", 0, position) + 1
    return (
        f"{path}, line {line}: expected UTF-8 text, found the byte 0x{raw[position]:02x}; "
        f"probably {name} from {origin}; "
        f"convert it: iconv -f {name} -t UTF-8 {path.name} > utf8-{path.name}"
    )
