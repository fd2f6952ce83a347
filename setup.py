"""Installs the folders of the root as subpackages of dcg_econ; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ("mechanisms", "experiments", "analysis")

setup(
    packages=find_packages(include=["dcg_econ", "dcg_econ.*"])
    + [f"dcg_econ.{name}" for folder in FOLDERS for name in find_packages(include=[folder, f"{folder}.*"])],
    package_dir={f"dcg_econ.{folder}": folder for folder in FOLDERS},
)
