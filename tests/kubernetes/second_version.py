"""A second version of the worker, added by the commands of the documentation."""

import shutil
import subprocess
from pathlib import Path

from tests.docs.page import ROOT, Fragment, pages

from .manifests import DEPLOY, Manifests, rendered

PAGE = "how-to/deploy-on-kubernetes"


def both_versions(folder: Path) -> Manifests:
    """Return `overlays/single` with two versions, in a copy of the manifests."""
    deploy = folder / DEPLOY.relative_to(ROOT)
    shutil.copytree(DEPLOY, deploy)
    subprocess.run(["bash", "-ec", _commands()], check=True, cwd=folder)
    return rendered(deploy / "overlays" / "single")


def _commands() -> str:
    """The commands of the page that add a version, except those of a cluster."""
    [console] = [
        step.text
        for page in pages(ROOT)
        if page.name == PAGE
        for step in page.steps()
        if isinstance(step, Fragment) and "mkdir versions/v2" in step.text
    ]
    commands = [line.removeprefix("$ ") for line in console.splitlines()]
    return "\n".join(each for each in commands if not each.startswith("kubectl"))
