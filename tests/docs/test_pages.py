"""Each page of the documentation works as shown: `pytest tests/docs -k start`.

`DOCS_ROOT` names another checkout, whose pages are run instead.
"""

import os
from pathlib import Path

import pytest

from .elsewhere import ELSEWHERE
from .page import ROOT, Page, PageError, pages
from .session import session


def is_session(page: Page) -> bool:
    """Whether a page has steps. A test reports a page that cannot be parsed."""
    try:
        return bool(page.steps())
    except PageError:
        return True


PAGES = [
    page for page in pages(Path(os.environ.get("DOCS_ROOT", ROOT))) if is_session(page)
]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_each_step_of_a_page_works_as_shown(page: Page, tmp_path: Path) -> None:
    with session(page, tmp_path) as opened:
        opened.run()


def test_commands_that_pages_do_not_run_are_run_elsewhere() -> None:
    used = {text for text in ELSEWHERE if any(f"$ {text}\n" in p.text for p in PAGES)}

    assert not [text for text in used if not ELSEWHERE[text].is_true]
