"""Makes the exports under tests/analysis/data/otree anew: python tests/otree_apps/make_exports.py, with oTree's Python.

Needs `otree` and `requests` in an environment of their own (the README beside the data says why). No network is used.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "analysis" / "data" / "otree"
OTREE = "from otree.main import execute_from_command_line as run; run()"


def project(folder):
    """A copy of the project, with the folder for static files that oTree insists on."""
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__", "make_exports.py"))
    (folder / "_static").mkdir()
    return folder


def otree(cwd, *arguments, **environment):
    command = [sys.executable, "-c", OTREE, *arguments]
    subprocess.run(command, cwd=cwd, check=True, env=os.environ | environment | {"OTREE_IN_MEMORY": "1"})


def main():
    with tempfile.TemporaryDirectory() as scratch:
        cwd = project(Path(scratch) / "project")
        otree(cwd, "test", f"--export={DATA / 'bots'}")
        otree(cwd, "test", "public_goods_high", "6", f"--export={DATA / 'euro'}", OTREE_APPS_EURO="1")
        people = [sys.executable, "people.py", str(DATA / "people")]
        subprocess.run(people, cwd=cwd, check=True, env=os.environ | {"OTREE_IN_MEMORY": "1"})


if __name__ == "__main__":
    main()
