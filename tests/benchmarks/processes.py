"""Fresh interpreters, for what a process starts with: imports, devices, platforms."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.benchmarks.table import ROOT


def printed(*arguments: str, **environment: str | None) -> str:
    """What `python ARGUMENTS` prints, in an environment changed by this (None takes a variable away); raises where it fails."""
    changed = {name: value for name, value in (os.environ | environment).items() if value is not None}
    start = [sys.executable, *arguments]
    return subprocess.run(start, env=changed, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
