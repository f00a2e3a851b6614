"""`Disk`: a small file system that a test can fill and empty."""

import errno
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

SIZE_MIB = 1_024  # restate-server allocates about 150 MiB at once
_MIB = 1024 * 1024
_LEAST = 4_096  # bytes


class Disk:
    """A separate file system at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Fill the disk."""
        with self._filler.open("ab") as filler:
            size = shutil.disk_usage(self.folder).free
            while size >= _LEAST:
                try:
                    os.posix_fallocate(filler.fileno(), filler.seek(0, 2), size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2  # another process has used some of the space

    def empty(self) -> None:
        """Free the space that `fill` used."""
        with suppress(FileNotFoundError):
            self._filler.unlink()


def reason_against_disk() -> str | None:
    """Return the reason why this machine cannot mount a disk, or None."""
    if os.geteuid() or not shutil.which("mount"):
        return "only root may mount a file system"
    return None


@contextmanager
def disk(folder: Path, size_mib: int = SIZE_MIB) -> Generator[Disk, None, None]:
    """Mount a file system in memory at `folder` until the block ends.

    Raises:
        CalledProcessError: `mount` failed.
    """
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs"]
    subprocess.run(["mount", *options, folder], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
