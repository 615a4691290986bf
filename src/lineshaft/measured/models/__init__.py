"""The models behind the rows: one module a stage, one plain function a kind of measurement.

    def name(*, data: Path | None = None, argument: float, …) -> float

Each runs the stage's own engine, equation or catalog, never a copy of it. `data` is the folder of
published data sets, given where the row `needs` one. Work that rows share is kept by `lru_cache`.
"""
