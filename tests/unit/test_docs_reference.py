"""The reference pages say what the code says."""

import pytest

from tests.docs.reference import FOLDER, PAGES, written


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_up_to_date(name: str) -> None:
    assert FOLDER.joinpath(name).read_text() == written(name), (
        "run `python -m tests.docs.reference`"
    )
