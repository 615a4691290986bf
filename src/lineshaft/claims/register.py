"""Reading registers of claims: the shipped one, and those that users add."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from lineshaft.errors import InputError, Problem
from lineshaft.scenario import reading
from lineshaft.scenario.register import Claim, Register
from lineshaft.words import suggestion


def read(*files: Path | str, shipped: bool = True, only: Sequence[str] = ()) -> tuple[Claim, ...]:
    """The claims of the shipped register (unless `shipped` is false), then those of `files`.

    With `only` just the claims of these names. Raises InputError with all problems of all files,
    where a name is taken twice, or is not there.
    """
    own = Path(str(resources.files("lineshaft") / "claims" / "register.toml"))
    found: list[Claim] = []
    problems = []
    for path in [*([own] if shipped else []), *map(Path, files)]:
        if not path.is_file():
            problems.append(Problem("", str(path), "no such file", "a TOML file of [[claim]]"))
            continue
        try:
            claims = reading.read(path, model=Register).claim
        except InputError as error:
            problems += error.problems
            continue
        taken = {claim.name for claim in found}
        problems += [
            Problem(str(path), claim.name, "is the name of another claim", fix="choose another")
            for claim in claims
            if claim.name in taken
        ]
        found += claims
    names = [claim.name for claim in found]
    problems += [
        Problem("", name, "no such claim", ", ".join(names), suggestion(name, names))
        for name in only
        if name not in names
    ]
    if not names and not problems:
        fix = "name a file with [[claim]] tables, or leave out --no-shipped"
        problems.append(Problem("", "claims", "there is none to judge", "one or more", fix))
    if problems:
        raise InputError(problems)
    return tuple(claim for claim in found if not only or claim.name in only)
