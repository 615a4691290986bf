"""The scenario that `require` found, as a file that runs forward by itself."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from lineshaft.errors import RunError
from lineshaft.files import whole
from lineshaft.scenario.writing import dump

if TYPE_CHECKING:
    from lineshaft.require.answer import Required


def write(found: Required, path: Path | str) -> Path:
    """Write the scenario, with every value spelled out and the answer above it.

    Whole or not at all. Raises RunError where the file exists already or cannot be written.
    """
    file = Path(path)
    free(file)
    try:
        with whole(file) as part:
            part.write_text(toml(found), "utf-8")
    except OSError as error:
        raise RunError(
            f"{file}: cannot be written ({error.strerror or error}); nothing was kept"
        ) from error
    return file


def free(file: Path) -> None:
    """Raises RunError where the file is there already, so that nothing is lost, or cannot be."""
    if file.exists():
        raise RunError(f"{file} exists; choose another file with -o, or remove it first")
    if not file.parent.is_dir():
        raise RunError(f"{file}: there is no folder {file.parent}; nothing was kept")


def toml(found: Required) -> str:
    """The scenario as TOML, the answer above it as a comment."""
    head = [
        *textwrap.wrap(found.summary, 96),
        "",
        *textwrap.wrap(
            f"Written by `lineshaft require` from {found.base}: every extensive quantity is that "
            f"of the scenario times {found.factor:.9g}; all else, the training runs among it, is "
            "as it was, with the defaults spelled out.",
            96,
        ),
    ]
    comment = "\n".join(f"# {line}".rstrip() for line in head)
    return f"{comment}\n\n{dump(found.scenario)}"
