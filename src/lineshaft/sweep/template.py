"""A scenario whose files were read once, ready for any number of overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineshaft.parameters.check import cross_check
from lineshaft.scenario import Scenario
from lineshaft.scenario.reading import Input, read, resolved


@dataclass(frozen=True)
class Template:
    """What the files, the variant and the first overrides say, not yet checked."""

    tree: Mapping[str, Any]
    folder: Path | None
    """Where the scenario's own file is: a trace may be found beside it."""

    @classmethod
    def of(
        cls, source: Input, *, variant: str | None = None, overrides: Sequence[str] = ()
    ) -> Template:
        """From a path, a TOML text, "-" or a mapping; InputError with all problems at once."""
        tree = resolved(source, model=Scenario, variant=variant, overrides=overrides)
        return cls(tree, source.parent if isinstance(source, Path) else None)

    def scenario(self, overrides: Sequence[str] = ()) -> Scenario:
        """The checked scenario with further overrides; InputError with all problems at once."""
        found = read(self.tree, model=Scenario, overrides=overrides)
        if self.folder is not None:
            found = found.with_trace_from(self.folder)
        cross_check(found)
        return found
