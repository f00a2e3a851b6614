"""The links of built pages, and which of them are broken."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

_LOADED = {"script": "src", "img": "src", "link": "href", "source": "src"}
_NOT_LOADED = {"canonical", "alternate", "next", "prev", "edit"}


@dataclass
class Links(HTMLParser):
    """The anchors, the links and the loaded files of a page."""

    anchors: set[str] = field(default_factory=set[str])
    followed: set[str] = field(default_factory=set[str])
    loaded: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the anchor and the links of an element."""
        values = {name: value for name, value in attrs if value is not None}
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "a" and "href" in values:
            self.followed.add(values["href"])
        url = values.get(_LOADED.get(tag, ""))
        if url and values.get("rel") not in _NOT_LOADED:
            self.loaded.add(url)


def problems(site: Path) -> Iterator[str]:
    """Yield the broken links of a built site, and the files loaded from other hosts."""
    pages = {path: _links(path) for path in sorted(site.rglob("*.html"))}
    for path, links in pages.items():
        name = path.relative_to(site).as_posix()
        for url in sorted(links.loaded):
            if urlsplit(url).netloc:
                yield f"{name} loads {url}, from another host"
        for url in sorted(links.followed | links.loaded):
            if urlsplit(url).scheme or urlsplit(url).netloc:
                continue
            target, anchor = _target(site, name, url)
            if not target.is_file():
                yield f"{name} links to {url}, which is not there"
            elif anchor and target in pages and anchor not in pages[target].anchors:
                yield f"{name} links to {url}: there is no such anchor"


def _links(path: Path) -> Links:
    links = Links()
    links.feed(path.read_text())
    return links


def _target(site: Path, name: str, url: str) -> tuple[Path, str]:
    """Return the file and the anchor to which a link of a page points."""
    parts = urlsplit(urljoin(f"/{name}", url))
    path = site / unquote(parts.path).lstrip("/")
    return path / "index.html" if path.is_dir() else path, unquote(parts.fragment)
