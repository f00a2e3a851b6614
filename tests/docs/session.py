"""`Session`: execute the steps of a page in one folder, as a reader does."""

import ast
import importlib
import json
import os
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from parallelizework.local.binaries import find

from . import programs
from .elsewhere import ELSEWHERE, PROGRAMS
from .output import difference, has_line
from .page import ROOT, Command, File, Fragment, Page, Program
from .ports import ADMIN, INGRESS, PagePorts
from .processes import MARK, eventually
from .service import Service, service
from .shell import Shell, ShellError, Started, shell

_READY_SECONDS = 60.0  # for a cold start on a busy machine; usually two seconds
_SHOWN_SECONDS = 10.0  # for a service to print a line that the page shows
_PACKAGE = "parallelizework"


class SessionError(AssertionError):
    """A step did not work as the page shows. The message has the page and the line."""


class Session:
    """The steps of a page, in one shell."""

    def __init__(self, page: Page, folder: Path, ports: PagePorts, bash: Shell) -> None:
        self._page = page
        self._folder = folder
        self._ports = ports
        self._shell = bash
        self._files: list[File] = []
        self._shown: list[tuple[Service, Started]] = []

    def run(self) -> None:
        """Execute all steps.

        Raises:
            SessionError: A step does not work as shown.
        """
        for step in self._page.steps():
            match step:
                case File():
                    self._write(step)
                case Program():
                    self._execute(step)
                case Command():
                    self._type(step)
                case Fragment():
                    self._check(step)
        for started in self._shown:
            self._check_shown(*started)

    def _write(self, file: File) -> None:
        path = self._folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._ports.replaced(file.text))
        self._files.append(file)

    def _execute(self, program: Program) -> None:
        """Run a program. The reader may choose the name of its file."""
        path = self._folder.parent / "scratch" / f"line_{program.line}.py"
        path.write_text(self._ports.replaced(program.text))
        text = f'PYTHONPATH="{self._folder}" python3 "{path}"'
        code, printed = self._ended(program.line, text)
        self._compare(program.line, "the program", (program.output, printed), (0, code))

    def _type(self, command: Command) -> None:
        if command.text in ELSEWHERE:
            return
        if command.text.split()[0] in PROGRAMS:
            problem = "no page can run this: add it to tests/docs/elsewhere.py"
            raise self._error(command.line, f"$ {command.text}", problem)
        if found := service(command, self._files, self._ports):
            self._start(found)
            return
        # An HTTP error must fail the command, unless the page shows the output.
        options = "--fail-with-body" if command.output is None else ""
        text = self._ports.replaced(command.text)
        text = f"{programs.CURL_OPTIONS}={options}\n{text}"
        code, printed = self._ended(command.line, text)
        outputs, codes = (command.output, printed), (command.code, code)
        self._compare(command.line, f"$ {command.text}", outputs, codes)

    def _ended(self, line: int, text: str) -> tuple[int, str]:
        try:
            code, printed = self._shell.run(text)
        except ShellError as error:
            raise self._error(line, f"$ {text}", str(error)) from None
        return code, self._ports.as_documented(printed)

    def _compare(
        self,
        line: int,
        what: str,
        outputs: tuple[str | None, str],
        codes: tuple[int, int],
    ) -> None:
        shown, printed = outputs
        if codes[0] != codes[1]:
            problem = f"ended with exit code {codes[1]}, not {codes[0]}:\n{printed}"
            raise self._error(line, what, problem)
        if shown is not None and (diff := difference(shown, printed)):
            raise self._error(line, what, f"does not print the shown output:\n{diff}")

    def _start(self, found: Service) -> None:
        started = self._shell.start(found.text)

        def is_ready_or_ended() -> bool:
            return started.has_ended or found.is_ready(started.output)

        in_time = eventually(is_ready_or_ended, _READY_SECONDS)
        if not in_time or started.has_ended:
            problem = "ended at its start" if in_time else "is not ready in time"
            what = f"$ {found.command.text}"
            raise self._error(found.command.line, what, f"{problem}:\n{started.output}")
        self._shown.append((found, started))

    def _check_shown(self, found: Service, started: Started) -> None:
        """Check that a service has printed each line that is shown after it."""

        def printed() -> str:
            return self._ports.as_documented(started.output)

        for shown in (found.command.output or "").splitlines():
            if not eventually(lambda s=shown: has_line(s, printed()), _SHOWN_SECONDS):
                what = f"$ {found.command.text}"
                problem = f"has not printed the line\n{shown}\nbut\n{printed()}"
                raise self._error(found.command.line, what, problem)

    def _check(self, fragment: Fragment) -> None:
        """Check that a fragment is valid JSON or Python, and that its names exist."""
        if fragment.language == "json":
            json.loads(fragment.text)
        if fragment.language == "python":
            flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            tree = compile(fragment.text, self._page.name, "exec", flags)
            assert isinstance(tree, ast.Module)
            for module, name in _imported(tree):
                if not hasattr(importlib.import_module(module), name):
                    problem = f"{module}.{name} does not exist"
                    raise self._error(fragment.line, "the fragment", problem)

    def _error(self, line: int, what: str, problem: str) -> SessionError:
        return SessionError(f"{self._page.name}.md:{line}: {what}\n{problem}")


@contextmanager
def session(page: Page, folder: Path) -> Generator[Session, None, None]:
    """Open a session in a new folder, on free ports; end its processes at the end."""
    here, scratch = folder / "here", folder / "scratch"
    here.mkdir()
    scratch.mkdir()
    if "examples/" in page.text:
        here.joinpath("examples").symlink_to(ROOT / "examples")
    ports = PagePorts.chosen()
    path = programs.install(folder / "bin")
    with shell(here, scratch, _environment(ports, path)) as bash:
        yield Session(page, here, ports, bash)


def _environment(ports: PagePorts, path: str) -> Mapping[str, str]:
    """Return the variables of a reader's shell, without the variables of the test."""
    usual = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PARALLELIZEWORK_", "PYTEST_", "RESTATE_"))
    }
    ingress = f"http://localhost:{ports.free[INGRESS]}"
    admin = f"http://localhost:{ports.free[ADMIN]}"
    return {
        **usual,
        programs.CURL_OPTIONS: "",
        MARK: uuid.uuid4().hex,
        "PATH": f"{path}:{usual['PATH']}",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PARALLELIZEWORK_INGRESS_URL": ingress,
        "PARALLELIZEWORK_ADMIN_URL": admin,
        "PARALLELIZEWORK_RESTATE_SERVER": str(find("restate-server")),
        "RESTATE_ADMIN_URL": admin,
    }


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of this package in a fragment, as module and name."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                if module.partition(".")[0] == _PACKAGE:
                    yield from ((module, each.name) for each in names)
            case ast.Attribute(value=ast.Name(id="parallelizework"), attr=name):
                yield _PACKAGE, name
            case _:
                pass
