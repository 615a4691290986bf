"""The numbers of a run that an explanation reads: tables and parameters, of the median case or of
one draw. Whatever is not asked for is neither read nor made."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from lineshaft.contracts.calendar import Calendar
from lineshaft.formulas import FormulaError, columns_of, keys_of
from lineshaft.runs import Run
from lineshaft.tables import Array, Dims, Table

if TYPE_CHECKING:
    from lineshaft.characterise import Curves
    from lineshaft.contracts.tables import Tables
    from lineshaft.parameters import Parameters
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.draws import Draws


class RunBook:
    """The book of a run, in the sense of `lineshaft.formulas.Book`."""

    def __init__(self, run: Run, draw: int | None = None) -> None:
        """`draw` is one of the run's, counted from 1; None is the median case."""
        self.run, self.draw = run, draw
        self._read: dict[str, Table] = {}

    @property
    def months(self) -> int:
        """Number of months."""
        return int(self.run.info["months"])

    @property
    def place(self) -> int:
        """Position of the case on the draw axis."""
        return 0 if self.draw is None else 1

    def table(self, name: str) -> Table:
        """A table."""
        if name not in self._read:
            source = self.run if self.draw is None else self.simulated
            self._read[name] = getattr(source, name)
        return self._read[name]

    def column(self, table: str, name: str) -> Array:
        """[*keys, draw] a column. Raises FormulaError where there is none."""
        if name not in columns_of(table):
            raise FormulaError(f"there is no column {table}.{name}")
        found: Array = getattr(self.table(table), name)
        return found

    def parameter(self, stage: str, name: str) -> tuple[Array, tuple[str, ...]]:
        """A parameter [*keys, draw] and its keys. Raises FormulaError where there is none."""
        from lineshaft.lineage import parameter

        return parameter(self.parameters, stage, name)

    def labels(self, key: str) -> tuple[str, ...]:
        """The labels of a key."""
        for name, table in self._read.items():
            if key in keys_of(name):
                return tuple(table.dims.labels[key])
        return self.dims.labels[key]

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario as resolved."""
        from lineshaft.scenario import Scenario
        from lineshaft.scenario.reading import read

        return read(self.run.folder / "scenario.toml", model=Scenario)

    @cached_property
    def calendar(self) -> Calendar:
        """The months."""
        return Calendar.of(self.scenario.start, self.scenario.months)

    @cached_property
    def dims(self) -> Dims:
        """The labels of all keys."""
        from lineshaft.parameters.dims import dims

        return dims(self.scenario, self.calendar)

    @cached_property
    def curves(self) -> Curves:
        """All curves, from the cache where it has them."""
        from lineshaft.characterise import characterise

        return characterise(self.scenario)

    @cached_property
    def drawn(self) -> Draws:
        """The inputs of the case: of the median case, or of the one draw beside it."""
        from lineshaft.parameters.draws import draw

        count, seed = int(self.run.info["draws"]), int(self.run.info["seed"])
        if self.draw is None:
            return draw(self.scenario, 0, seed)
        return draw(self.scenario, count, seed).slice(self.draw - 1, self.draw)

    @cached_property
    def parameters(self) -> Parameters:
        """What the stages are given."""
        from lineshaft.parameters import assemble

        curves = self.curves if self.draw is not None else self._few_curves
        return assemble(self.scenario, curves, self.drawn, self.calendar)

    @cached_property
    def _few_curves(self) -> Curves:
        """The curves that parameters are made of: those of the floor. The others take their time,
        and the median case is in the run's tables already."""
        from lineshaft.cache import Cache
        from lineshaft.parameters import floor

        def curve(inputs: Any) -> Any:
            from lineshaft.stages.floor import engine

            return Cache.default().get("floor", inputs, lambda: engine.characterise(inputs))

        asked = floor.engine_inputs(self.scenario, self.dims, self.calendar)
        found = {i: curve(inputs) for i, inputs in asked.items()}
        return cast("Curves", SimpleNamespace(floor=found))

    @cached_property
    def simulated(self) -> Tables:
        """All tables of the median case and of the draw."""
        from lineshaft.line import simulate

        return simulate(self.parameters, self.curves)
