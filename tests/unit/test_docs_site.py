"""The documentation site: each page has its place, and no link leads nowhere."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from tests.docs.links import problems
from tests.docs.page import ROOT, File, pages
from tests.docs.site import DOCS, misplaced

PYTHON = DOCS / "reference" / "python.md"


def test_each_page_is_in_the_navigation_once_and_is_there() -> None:
    assert not list(misplaced())


@pytest.mark.parametrize("name", ["client", "events", "testing", "errors", ""])
def test_the_python_reference_has_each_public_name(name: str) -> None:
    module = importlib.import_module(f"parallelizework.{name}".rstrip("."))
    public = getattr(module, "__all__", None) or [
        each
        for each, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]

    listed = re.findall(r"^::: ([\w.]+)$", PYTHON.read_text(), re.MULTILINE)

    names = {f"{module.__name__}.{each}" for each in public}
    assert names - {"parallelizework.ParallelizeworkError"} <= set(listed)


@pytest.mark.parametrize("name", ["README", "index"])
def test_the_first_example_has_at_most_15_lines(name: str) -> None:
    page = next(page for page in pages(ROOT) if page.name == name)

    first = next(step for step in page.steps() if isinstance(step, File))

    code = [line for line in first.text.splitlines()[1:] if line]
    assert len(code) <= 15


def test_the_files_that_the_readme_links_to_are_there() -> None:
    links = re.findall(r"\]\(([^)#\s]+)", ROOT.joinpath("README.md").read_text())

    assert links
    assert not [
        link for link in links if "://" not in link and not ROOT.joinpath(link).exists()
    ]


def built(site: Path, **pages: str) -> list[str]:
    for name, text in pages.items():
        site.joinpath(f"{name}.html").write_text(text)
    return list(problems(site))


def test_a_link_to_a_page_and_to_an_anchor_is_no_problem(tmp_path: Path) -> None:
    one = '<a href="two.html#b">x</a> <a href="#a" id="a">y</a> <a href=".">z</a>'

    assert not built(tmp_path, index=one, two='<p id="b">')


def test_a_link_to_a_missing_page_anchor_or_picture_is_a_problem(
    tmp_path: Path,
) -> None:
    wrong = built(tmp_path, one='<a href="no/">x</a> <a href="#no">y</a>', two="")
    wrong += built(tmp_path, one='<img src="no.png">')

    assert [line.partition(" links to ")[2] for line in wrong] == [
        "#no: there is no such anchor",
        "no/, which is not there",
        "no.png, which is not there",
    ]


def test_a_script_from_another_host_is_a_problem_but_a_link_to_it_is_not(
    tmp_path: Path,
) -> None:
    one = '<script src="https://x.test/a.js"></script><a href="https://x.test/">x</a>'

    assert built(tmp_path, one=one) == [
        "one.html loads https://x.test/a.js, from another host"
    ]
