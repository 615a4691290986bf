"""`lineshaft schema`: the JSON Schema of a scenario."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of a scenario file, for editors and other programs."""
    import json

    from lineshaft.scenario import Scenario

    print(json.dumps(Scenario.model_json_schema(), indent=1))
