"""The body of a response: read and unpacked, but never more of it than is allowed."""

import zlib

import httpx

_GZIP = 31  # zlib's word for a gzip header around the data
_PACKED = ("gzip", "x-gzip")


class TooLarge(Exception):
    """A body is larger than it may be."""


async def read(response: httpx.Response, most: int) -> bytes:
    """The body, unpacked if it is gzip; any other encoding is left as it is.

    Args:
        most: How many bytes it may have. No more are ever held than these and what one
            read from the connection brings.

    Raises:
        TooLarge: It has more.
        httpx.RemoteProtocolError: What is said to be gzip is not, or is cut off.
    """
    is_packed = response.headers.get("content-encoding", "").lower() in _PACKED
    unpack = _Unpack() if is_packed else _keep
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += unpack(chunk, most + 1 - len(body))
        if len(body) > most:
            raise TooLarge
    if isinstance(unpack, _Unpack):
        unpack.end()
    return bytes(body)


def _keep(chunk: bytes, _most: int) -> bytes:
    return chunk


class _Unpack:
    """gzip, which may consist of several members, a bounded piece at a time."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage] - zlib names its type no other way

    def __call__(self, chunk: bytes, most: int) -> bytes:
        unpacked = b""
        try:
            while chunk and len(unpacked) < most:
                member = self._member or zlib.decompressobj(_GZIP)
                unpacked += member.decompress(chunk, most - len(unpacked))
                chunk = member.unused_data
                self._member = None if member.eof else member
        except zlib.error as error:
            raise httpx.RemoteProtocolError(f"its body is no gzip: {error}") from error
        return unpacked

    def end(self) -> None:
        if self._member:
            raise httpx.RemoteProtocolError("its body ends within the gzip")
