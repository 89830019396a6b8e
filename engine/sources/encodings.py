"""Which characters a file is written in. A byte order mark is honoured, UTF-8 is tried, German Excel's habit is known.

What was found is said in the preview and in the result; `--encoding` overrides all of it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from engine.errors import TreuepostError, UsageError
from engine.sources.tables import shortened

LONGEST_LINE = 16 * 1024 * 1024
_CHUNK = 1 << 20
_SAMPLE = 200_000
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LABELS = {
    "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32", "cp1252": "Windows-1252",
    "iso8859-1": "Latin-1", "iso8859-15": "Latin-9", "mac-roman": "Mac Roman", "cp850": "DOS (cp850)",
}  # fmt: skip
_OTHERS = ["cp850", "mac_roman", "cp1250", "cp1251"]
_GARBLED = re.compile("[ÃÂ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€[\x80-\xbf™œ“”¦žšŸ]")
_IN_A_WORD = re.compile(rb"(?<=[A-Za-z])[\x80-\xbf](?=[A-Za-z])")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Writing:
    """How a file is written, how many line ends it has, whether it holds NUL bytes, and what the owner should know."""

    codec: str
    line_ends: int
    has_nul: bool
    note: str = ""

    @property
    def label(self) -> str:
        """Return the encoding's everyday name."""
        return _LABELS.get(codecs.lookup(self.codec).name, self.codec)


class _NotInThis(Exception):
    """A byte that has no place in the encoding being tried."""

    def __init__(self, line: int) -> None:
        self.line = line


def examine(path: Path, told: str | None) -> Writing:
    """Find out how a file is written, reading it once from end to end; raise where it cannot be read at all."""
    with path.open("rb") as file:
        head = file.read(4096)
    mark = next((codec for bytes_, codec in _MARKS if head.startswith(bytes_)), None)
    codec = mark or (_known(told) if told else None)
    if codec:
        return _as_told(path, codec, told)
    _refuse_utf16_without_mark(path, head)
    try:
        return _through(path, "utf-8")
    except _NotInThis as unfit:
        return _older(path, unfit.line)


def _known(told: str) -> str:
    try:
        info = codecs.lookup(told)
    except LookupError as error:
        raise UsageError(
            f'--encoding "{told}" is not known.', "For instance utf-8, cp1252, latin-1, utf-16."
        ) from error
    if info.name == "utf-8":
        return "utf-8-sig"
    return info.name


def _as_told(path: Path, codec: str, told: str | None) -> Writing:
    try:
        return _through(path, codec)
    except _NotInThis as unfit:
        label = _LABELS.get(codec, codec)
        hint = "Leave --encoding out: it is then found out." if told else "Save the file again as CSV UTF-8."
        raise TreuepostError(f"{path.name}: row {unfit.line} is not {label}.", hint) from unfit


def _refuse_utf16_without_mark(path: Path, head: bytes) -> None:
    if len(head) >= 8 and head[1::2].count(0) > len(head) // 4:
        raise TreuepostError(f"{path.name} looks like UTF-16.", "Run again with --encoding utf-16-le.")
    if len(head) >= 8 and head[::2].count(0) > len(head) // 4:
        raise TreuepostError(f"{path.name} looks like UTF-16.", "Run again with --encoding utf-16-be.")


def _older(path: Path, line: int) -> Writing:
    """Read a file that is not UTF-8: as Windows-1252 where that makes words, else say what it looks like."""
    sample = _telling_bytes(path)
    if not _makes_words(sample):
        guess = from_bytes(sample, cp_isolation=_OTHERS).best()
        codec = guess.encoding if guess else "cp850"
        raise TreuepostError(
            f"{path.name}: row {line} is not UTF-8, nor Windows-1252; it looks like {_LABELS.get(codec, codec)}.",
            f"Run again with --encoding {codec}, and look at the names in the preview.",
        )
    try:
        found = _through(path, "cp1252")
    except _NotInThis:
        found = _through(path, "latin-1")
    note = f"read as {found.label}, because row {line} is not UTF-8; --encoding says otherwise"
    return Writing(found.codec, found.line_ends, found.has_nul, note)


def _telling_bytes(path: Path) -> bytes:
    """Return the lines that hold anything beyond ASCII, as many as tell."""
    telling = bytearray()
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(LONGEST_LINE), b""):
            if not line.isascii():
                telling += line
            if len(telling) > _SAMPLE:
                break
    return bytes(telling)


def _makes_words(sample: bytes) -> bool:
    """Say whether Windows-1252 makes words: its signs and quotes never stand between two letters, umlauts do."""
    odd = len(_IN_A_WORD.findall(sample.replace(b"\x92", b"'")))
    return odd * 2 <= len(_BEYOND_ASCII.findall(sample))


def _through(path: Path, codec: str) -> Writing:
    """Decode a file from end to end; raise for a byte that does not fit, and for text that was garbled before."""
    line_ends, has_nul, since_line_end = 0, False, 0
    for text in _decoded(path, codec):
        if "Ã" in text or "â€" in text or "Â" in text:
            _refuse_garbled(path, codec, text, line_ends)
        last = text.rfind("\n")
        since_line_end = since_line_end + len(text) if last < 0 and "\r" not in text else 0
        if since_line_end > LONGEST_LINE:
            raise TreuepostError(f"{path.name}: row {line_ends + 1} does not end.", "Is this really a CSV file?")
        line_ends += text.count("\n") or text.count("\r")
        has_nul = has_nul or "\0" in text
    return Writing(codec, line_ends, has_nul)


def _decoded(path: Path, codec: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(codec)()
    lines = 1
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = _next(decoder, chunk, lines, final=False)
            lines += text.count("\n")
            yield text
        yield _next(decoder, b"", lines, final=True)


def _next(decoder: codecs.IncrementalDecoder, chunk: bytes, lines: int, *, final: bool) -> str:
    try:
        return decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(error.encoding, "ignore")
        raise _NotInThis(lines + before.count("\n")) from error


def _refuse_garbled(path: Path, codec: str, text: str, line_ends: int) -> None:
    found = _GARBLED.search(text)
    if not found:
        return
    line = line_ends + text.count("\n", 0, found.start()) + 1
    word = re.search(r"[^\s;,\t|\"]*\Z", text[: found.start()])
    shown = (word.group() if word else "")[-20:] + (re.match(r"[^\s;,\t|\"]*", text[found.start() :]) or found).group()
    hint = (
        "The file itself holds these signs: it was garbled before. Export it again from where it comes from."
        if codec.startswith("utf")
        else "Run again with --encoding utf-8; if that fails, the file mixes two encodings: export it again."
    )
    raise TreuepostError(
        f'{path.name}: row {line} holds "{shortened(shown)}", which is UTF-8 read as Windows-1252.', hint
    )
