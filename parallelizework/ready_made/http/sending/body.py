"""`read`: reads and unpacks the body of a response, up to a limit."""

import zlib

import httpx

_GZIP = 31  # zlib's window bits for data with a gzip header
_PACKED = ("gzip", "x-gzip")


class TooLarge(Exception):
    """A body is larger than allowed."""


async def read(response: httpx.Response, max_bytes: int) -> bytes:
    """The body of a response; only gzip is unpacked.

    Args:
        max_bytes: The largest size of the body, in bytes. The memory never holds more
            than this and one read from the connection.

    Raises:
        TooLarge: The body is larger.
        httpx.RemoteProtocolError: The gzip data is invalid or incomplete.
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
        self._member: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage] - zlib has no public name for the type

    def __call__(self, chunk: bytes, max_bytes: int) -> bytes:
        unpacked = b""
        try:
            while chunk and len(unpacked) < max_bytes:
                member = self._member or zlib.decompressobj(_GZIP)
                unpacked += member.decompress(chunk, max_bytes - len(unpacked))
                chunk = member.unused_data
                self._member = None if member.eof else member
        except zlib.error as error:
            raise httpx.RemoteProtocolError(
                f"the body is not valid gzip: {error}"
            ) from error
        return unpacked

    def end(self) -> None:
        if self._member:
            raise httpx.RemoteProtocolError("the gzip data of the body is incomplete")
