"""The `[train]` section: defaults, units, what is refused."""

import pytest

from lineshaft.errors import InputError
from lineshaft.scenario import Scenario
from lineshaft.scenario.reading import read
from lineshaft.scenario.train import Train

RUN = """
[[train.run]]
name = "base"
model = "DeepSeek-V3"
start = "2027-01"
tokens = "15 Ttok"
accelerators = "8192 GPU"
"""
LEASE = """
[[train.lease]]
name = "tenant"
fleet = "Abilene"
count = 1000
start = "2027-01"
usd_per_gpu_hour = "2 to 3"
"""


def test_an_empty_section_has_no_runs_and_a_sourced_rule() -> None:
    train = Train()
    assert (len(train.run), len(train.lease)) == (0, 0)
    assert train.reference_horizon.median == pytest.approx(3.52)
    assert train.elasticity.median == pytest.approx(0.6)
    assert train.efficiency_growth.median == pytest.approx(1.86, abs=0.01)
    for name, field in Train.model_fields.items():
        assert field.description, name


def test_quantities_are_read_with_their_units() -> None:
    run = read(RUN + LEASE, model=Scenario).train.run[0]
    assert run.tokens.median == 15e12
    assert run.accelerators.median == 8192
    assert (run.sequence, run.global_batch) == (8192, 16e6)
    assert run.speed.median == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (RUN.replace("DeepSeek-V3", "DeepSeek-V33"), "there is no 'DeepSeek-V33'"),
        (RUN + RUN, "a second item named 'base'"),
        (RUN + 'precision = "fp9"', "'fp9' is no precision"),
        (RUN + "global_batch = 100", "smaller than one sequence"),
        (RUN.replace('"15 Ttok"', "0"), "out of bounds"),
        (RUN.replace("2027-01", "2027-13"), "2027-13"),
        ('[train]\nreference = "GPT-0"', "there is no 'GPT-0'"),
        (LEASE.replace("count = 1000\n", ""), "is missing"),
    ],
)
def test_what_is_refused(text: str, found: str) -> None:
    with pytest.raises(InputError) as error:
        read(text, model=Scenario)
    assert found in str(error.value)
