"""How a page of the documentation is read: its steps, its output, its ports."""

import pytest

from tests.docs.output import difference, has_line
from tests.docs.page import Command, File, Fragment, Page, PageError, Program
from tests.docs.ports import DOCUMENTED, PagePorts
from tests.docs.service import service

PORTS = PagePorts({port: port + 20_000 for port in DOCUMENTED})


def steps(*lines: str) -> list[object]:
    return list(Page("how-to/x", "\n".join(lines)).steps())


def test_a_block_whose_first_line_names_a_file_is_that_file() -> None:
    read = steps("# Title", "", "```python", "# a.py", "x = 1", "```")

    assert read == [File(3, "a.py", "# a.py\nx = 1\n")]


def test_a_text_block_after_a_program_is_what_it_prints() -> None:
    read = steps("```python", "print(1)", "```", "", "```text", "1", "```")

    assert read == [Program(1, "print(1)\n", "1\n")]


def test_a_fragment_is_not_run() -> None:
    read = steps("<!-- fragment -->", "```python", "x: int", "```")

    assert read == [Fragment(2, "python", "x: int\n")]


def test_a_console_block_has_commands_with_what_they_print() -> None:
    read = steps("```console", "$ a \\", "> b", "1", "", "2", "$ c", "```")

    assert read == [Command(2, "a \\\nb", "1\n\n2\n"), Command(6 + 1, "c")]


def test_an_exit_code_is_that_of_the_last_command_of_the_block() -> None:
    read = steps("<!-- exit 1 -->", "```console", "$ a", "$ b", "```")

    assert read == [Command(3, "a"), Command(4, "b", code=1)]


def test_a_block_within_a_list_is_read_without_its_indentation() -> None:
    read = steps("1. Do:", "   ```console", "   $ a", "   ```")

    assert read == [Command(3, "a")]


@pytest.mark.parametrize("language", ["text", "yaml", "", "sh"])
def test_a_block_of_no_known_kind_is_an_error_that_says_where(language: str) -> None:
    with pytest.raises(PageError, match=r"how-to/x\.md:2: a .*fragment"):
        steps("words", f"```{language}", "x", "```")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a", "a\n\n"),
        ("took ... s", "took 0.3 s"),
        ("a\n...\nz", "a\nz"),
        ("a\n...\nz", "a\nb\nc\nz"),
        ('"run": "inv_1hRHGx..."', '"run": "inv_1aaaaa"'),
        ("inv_...", "inv_1x"),
        ("inv_1abc ends", "inv_9xyz ends"),
    ],
)
def test_matching_output_has_no_difference(shown: str, printed: str) -> None:
    assert not difference(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("a", "b"), ("a", "a\nb"), ("a ... c", "a\nb c"), ("a.b", "axb"), ("inv_1", "x")],
)
def test_output_that_does_not_match_is_a_difference(shown: str, printed: str) -> None:
    assert difference(shown, printed)


def test_a_difference_marks_only_the_lines_that_differ() -> None:
    lines = difference("took ... s\nb\nc", "took 1 s\nx\nc").splitlines()

    assert lines[3:] == [" took ... s", "-b", "+x", " c"]


def test_a_line_that_a_service_must_print_is_found_among_others() -> None:
    assert has_line("UI  ...", "first\nUI  http://x\nlast")
    assert not has_line("UI", "UI  http://x")


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("curl localhost:8080/X", "curl localhost:28080/X"),
        ("python3 -m http.server 8000", "python3 -m http.server 28000"),
        ('Server(("127.0.0.1", 8000), X)', 'Server(("127.0.0.1", 28000), X)'),
        ("--ingress-port 8080", "--ingress-port 28080"),
        ("8000 rows, range(8000), :80801", "8000 rows, range(8000), :80801"),
    ],
)
def test_ports_are_replaced_and_other_numbers_stay(text: str, replaced: str) -> None:
    assert PORTS.replaced(text) == replaced


def test_output_is_compared_with_the_ports_of_the_page() -> None:
    printed = "run --ingress http://127.0.0.1:28080 --admin http://127.0.0.1:29070"

    assert PORTS.as_documented(printed) == "run"
    assert PORTS.as_documented("http://x:29081/y") == "http://x:9081/y"


def started(text: str, *files: File) -> str | None:
    found = service(Command(1, text), files, PORTS)
    return found and found.text


def test_commands_that_do_not_end_are_started_on_the_ports_of_the_page() -> None:
    web = "python3 -m http.server 8000 --bind 127.0.0.1"
    own = File(1, "api.py", 'Server(("127.0.0.1", 8000), X).serve_forever()')

    assert started("A='b c' parallelizework dev x.py") == (
        "A='b c' parallelizework dev x.py --ingress-port 28080 --admin-port 29070 "
        "--worker-port 29080"
    )
    assert started("parallelizework serve") == (
        "parallelizework serve --bind 127.0.0.1:29080"
    )
    assert started("parallelizework serve --bind 127.0.0.1:9081") == (
        "parallelizework serve --bind 127.0.0.1:29081"
    )
    assert started(web) == web.replace("8000", "28000")
    assert started("python3 api.py &", own) == "python3 api.py"


@pytest.mark.parametrize(
    "text", ["parallelizework run X 1", "python3 a.py", "parallelizework dev --help"]
)
def test_other_commands_end(text: str) -> None:
    assert started(text, File(1, "a.py", "print(1)")) is None
