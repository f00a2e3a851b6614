"""`text_of`: decodes the text of a body with the charset of its content type. Pure.

Some of Python's codecs need minutes for a megabyte (punycode), and some are not
charsets. A remote host must not choose one of them.
"""

import re
from encodings import normalize_encoding
from encodings.aliases import aliases

_UNICODE = {"utf_8", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be"}
_WESTERN = {"ascii", "latin_1", "koi8_r", "koi8_u", "cp874"}
_ASIAN = {"shift_jis", "cp932", "euc_jp", "euc_kr", "gb2312", "gbk", "gb18030", "big5"}
_KNOWN = {
    *_UNICODE,
    "utf_32_le",
    *_WESTERN,
    *_ASIAN,
    *(f"iso8859_{number}" for number in range(1, 17)),
    *(f"cp{page}" for page in range(1250, 1259)),
}
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([a-z0-9][a-z0-9._-]{0,39})', re.IGNORECASE)


def text_of(body: bytes, content_type: str) -> str | None:
    """A body as text; None if the body is not text, or its charset is not known."""
    found = _CHARSET.search(content_type)
    codec = _codec(found[1]) if found else "utf_8"
    try:
        return body.decode(codec) if codec in _KNOWN else None
    except ValueError:
        return None


def _codec(charset: str) -> str:
    """Python's name for a charset, if Python knows the charset."""
    name = normalize_encoding(charset).lower()
    name = re.sub("^windows_", "cp", name)
    return aliases.get(name, name)
