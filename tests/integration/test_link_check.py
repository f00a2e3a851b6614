"""The link check example, on the documents of this repository and on broken ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import GIVEN, ROOT, Server
from .misbehaving import Misbehaving, misbehaving

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(GIVEN, reason="its worker sees other files and hosts"),
]


@pytest.fixture(scope="module")
def target() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        yield server


def check(server: Server, target: Misbehaving, **task: Any) -> dict[str, Any]:
    """Check links, with the server instead of the internet."""
    task["instead"] = {"https://": f"{target.url}/echo/", "http://": target.url + "/"}
    return server.run("LinkCheck", task).raise_for_status().json()


@pytest.mark.parametrize("glob", ["*.md", "docs/**/*.md"])
def test_this_repository_has_no_broken_links(
    server: Server, target: Misbehaving, glob: str
) -> None:
    answer = check(server, target, folder=str(ROOT), glob=glob)

    assert answer["broken"] == []


def test_the_links_of_the_readme_are_requested(
    server: Server, target: Misbehaving
) -> None:
    target.ledger.clear()

    answer = check(server, target, folder=str(ROOT), glob="README.md")

    assert answer["links"] > 5
    assert "/echo/restate.dev" in target.counts()


def test_a_broken_link_is_reported_with_its_files(
    server: Server, target: Misbehaving, tmp_path: Path
) -> None:
    text = (
        "[a](http://status/404) [b](b.md#part) [c](nowhere.md) [d](#here)\n`[e](f)`\n"
    )
    (tmp_path / "a.md").write_text(text)
    (tmp_path / "b.md").write_text(text + "```\n[g](h)\n```\n[i]: <j.md>\n")

    answer = check(server, target, folder=str(tmp_path))

    both = [str(tmp_path / name) for name in ("a.md", "b.md")]
    broken = {each.pop("target"): each for each in answer["broken"]}
    assert answer["links"] == 4
    assert broken.keys() == {
        f"{target.url}/status/404",
        str(tmp_path / "nowhere.md"),
        str(tmp_path / "j.md"),
    }
    assert "answered 404" in broken[f"{target.url}/status/404"]["reason"]
    assert broken[str(tmp_path / "nowhere.md")] == {
        "files": both,
        "reason": "there is no such file",
    }
    assert broken[str(tmp_path / "j.md")]["files"] == both[1:]
