"""Files as streams of octets, decompressed by what they begin with, not by what they are called.

Archives are cut and damaged in practice: all that can be read comes first, then `DamagedFile` says where it stopped.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 20
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"


class DamagedFile(Exception):
    """A file that cannot be read further."""

    def __init__(self, path: Path | str, compressed_offset: int, why: str) -> None:
        super().__init__(f"{path}: damaged near octet {compressed_offset}: {why}")
        self.path = path
        self.compressed_offset = compressed_offset
        self.why = why


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the manners of those of bz2 and lzma: it keeps what it did not come to."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class CompressedFile:
    """One file on its way to memory: iterate for its octets; `position` of `size` are read from the disk."""

    def __init__(self, path: Path | str, chunk: int = CHUNK) -> None:
        self.path = Path(path)
        self.size = self.path.stat().st_size
        self.position = 0
        self.chunk = chunk

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of at most a chunk; OSError if the file cannot be read, DamagedFile if it cannot be decompressed."""
        with self.path.open("rb") as file:

            def read() -> bytes:
                data = file.read(self.chunk)
                self.position += len(data)
                return data

            first = read()
            make = _decompressor(first)
            if make is None:
                while first:
                    yield first
                    first = read()
            else:
                yield from _streams(make, first, read, self)


class _InMemory:
    """Octets that are here already, for a decompressor."""

    def __init__(self, name: str, size: int) -> None:
        self.path: Path | str = name
        self.position = size
        self.chunk = CHUNK


def _streams(
    make: Callable[[], _Decompressor], data: bytes, read: Callable[[], bytes], where: CompressedFile | _InMemory
) -> Iterator[bytes]:
    """Decompress one stream after the other, as gzip, bzip2 and xz allow."""
    while data:
        stream = make()
        while not stream.eof:
            try:
                piece = stream.decompress(data, where.chunk)
            except (OSError, zlib.error, lzma.LZMAError, EOFError) as error:
                raise DamagedFile(where.path, where.position, str(error)) from error
            if piece:
                yield piece
                data = b""
            elif not stream.eof and not (data := read()):
                raise DamagedFile(where.path, where.position, "the compressed stream has no end")
        data = stream.unused_data.lstrip(b"\0")  # padding is allowed between streams and behind them
        while not data and (more := read()):
            data = more.lstrip(b"\0")


def decompressed(path: Path | str, chunk: int = CHUNK) -> Iterator[bytes]:
    """The octets of a file, plain or compressed with gzip, bzip2 or xz, in pieces of at most `chunk`."""
    return iter(CompressedFile(path, chunk))


def whole(path: Path, most: int) -> bytes:
    """All octets of a file, decompressed; a plain one is read in one piece, so that it is in memory only once.

    Raises OSError, and DamagedFile for a file that is no good or longer than `most`.
    """
    size = path.stat().st_size
    return _joined(CompressedFile(path, max(CHUNK, min(size, most) + 1)), path, most)


def decompressed_octets(octets: bytes, name: str, most: int) -> bytes:
    """The same for octets that are in memory already."""
    make = _decompressor(octets)
    if make is None:
        return octets
    return _joined(_streams(make, octets, lambda: b"", _InMemory(name, len(octets))), name, most)


def _joined(pieces: Iterable[bytes], name: Path | str, most: int) -> bytes:
    kept, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise DamagedFile(name, size, f"longer than {most:,} octets")
        kept.append(piece)
    return kept[0] if len(kept) == 1 else b"".join(kept)


def _decompressor(first: bytes) -> Callable[[], _Decompressor] | None:
    if first.startswith(_GZIP):
        return _Gzip
    if first.startswith(_BZIP2):
        return bz2.BZ2Decompressor
    return lzma.LZMADecompressor if first.startswith(_XZ) else None
