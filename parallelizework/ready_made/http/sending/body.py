"""`read`: a response's body, unpacked, up to a limit."""

import zlib

import httpx

_GZIP = 31  # the window bits by which zlib expects a gzip header
_PACKED = ("gzip", "x-gzip")


class TooLarge(Exception):
    """A body has more bytes than are allowed."""


async def read(response: httpx.Response, max_bytes: int) -> bytes:
    """The body, unpacked if it is gzip; any other encoding is left as it is.

    Args:
        max_bytes: How many bytes the body may have. Never more are held than these and
            one read from the connection.

    Raises:
        TooLarge: The body has more.
        httpx.RemoteProtocolError: The gzip is invalid or cut off.
    """
    is_packed = response.headers.get("content-encoding", "").lower() in _PACKED
    unpack = _Unpack() if is_packed else _keep
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += unpack(chunk, max_bytes + 1 - len(body))
        if len(body) > max_bytes:
            raise TooLarge
    if isinstance(unpack, _Unpack):
        unpack.end()
    return bytes(body)


def _keep(chunk: bytes, _max_bytes: int) -> bytes:
    return chunk


class _Unpack:
    """Unpacks gzip, which may have several members, in pieces of bounded size."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage] - zlib names its type no other way

    def __call__(self, chunk: bytes, max_bytes: int) -> bytes:
        unpacked = b""
        try:
            while chunk and len(unpacked) < max_bytes:
                member = self._member or zlib.decompressobj(_GZIP)
                unpacked += member.decompress(chunk, max_bytes - len(unpacked))
                chunk = member.unused_data
                self._member = None if member.eof else member
        except zlib.error as error:
            raise httpx.RemoteProtocolError(f"its body is no gzip: {error}") from error
        return unpacked

    def end(self) -> None:
        if self._member:
            raise httpx.RemoteProtocolError("its body ends within the gzip")
