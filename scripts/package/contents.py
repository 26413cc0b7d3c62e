"""The contents of packages: what a registry shows of one, and what must be in it."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from steps import Failed, lacking

LICENCES = ("LICENSE-MIT", "LICENSE-APACHE")
OF_A_CRATE = ("description", "license", "repository", "homepage", "documentation", "readme", "keywords", "categories")
OF_PYTHON = (
    "Summary",
    "License-Expression",
    "License-File",
    "Requires-Python",
    "Classifier",
    "Project-URL",
    "Keywords",
)
EXTRAS = {"fleet", "metrics", "opentelemetry", "ray", "streamlit", "top"}


def check_metadata(package: str, text: str) -> None:
    metadata: Message = HeaderParser().parsestr(text)
    lacking(package, [key for key in OF_PYTHON if key not in metadata])
    lacking(package, sorted(EXTRAS - set(metadata.get_all("Provides-Extra", []))))
    check_readme(package, str(metadata.get_payload()))


def check_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [folder] = {name.split("/")[0] for name in names if ".dist-info/" in name}
        check_metadata(wheel.name, archive.read(f"{folder}/METADATA").decode())
        lacking(wheel.name, [name for name in LICENCES if f"{folder}/licenses/{name}" not in names])
        lacking(wheel.name, [] if "tenure/py.typed" in names else ["py.typed"])
        listed = [name for name in names if name.startswith(f"{folder}/sboms/") and name.endswith(".cyclonedx.json")]
        lacking(wheel.name, [] if listed else ["a list of what is in it, under sboms/"])
        parts = {part["name"] for name in listed for part in json.loads(archive.read(name))["components"]}
    # What is compiled into it, and nobody sees from outside.
    lacking(f"the SBOM of {wheel.name}", sorted({"tenure", "tenure-fleet", "pyo3", "redis", "rustls"} - parts))


def check_crate(name: str, folder: Path) -> None:
    lacking(name, [file for file in (*LICENCES, "README.md") if not (folder / file).is_file()])
    manifest = tomllib.loads((folder / "Cargo.toml").read_text())["package"]
    lacking(name, [key for key in OF_A_CRATE if key not in manifest])
    lacking(name, ["package.metadata.docs.rs"] if "docs" not in manifest.get("metadata", {}) else [])
    check_readme(name, (folder / "README.md").read_text())


def check_readme(package: str, text: str) -> None:
    if not text.lstrip().startswith("# "):
        raise Failed(f"{package} has no readme")
    relative = [link for link in re.findall(r"\]\(([^)\s]+)", text) if not link.startswith(("https://", "#"))]
    if relative:
        raise Failed(f"the readme of {package} has links that lead nowhere on a registry: {', '.join(relative)}")
