"""From `[serve]` to the service's parameters and engine inputs."""

from pathlib import Path

import numpy as np
import pytest

from lineshaft.cache import digest
from lineshaft.contracts.admitted import AdmittedTokens
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.served import Served, States
from lineshaft.contracts.trained import Reserved
from lineshaft.errors import InputError
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.parameters.serve import NO_QUOTA, engine_inputs, params, rented_path, serve_note
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws, sample
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.reading import read
from lineshaft.stages.serve import ServeInputs, characterise
from lineshaft.stages.serve.model import Serve
from lineshaft.tables import Dims
from lineshaft.traces import AZURE_CONVERSATION, Trace

SITES = """
[[build.campus]]
name = "Abilene"
[[build.campus]]
name = "Cheyenne"
"""
FLEET = """
[[build.accelerators]]
name = "{campus} {accelerator}"
campus = "{campus}"
accelerator = "{accelerator}"
count = 20000
first = "2026-01"
"""
ABILENE = FLEET.format(campus="Abilene", accelerator="GB200")
CHEYENNE = FLEET.format(campus="Cheyenne", accelerator="GB200")
RENTED = '[[serve.rented]]\nname = "cloud"\naccelerator = "{}"\ncount = 1000\n'
MODEL = '[[serve.model]]\nname = "DeepSeek-V3"\n'


def world(text: str, draws: int = 0) -> tuple[Scenario, Dims, Calendar, Draws]:
    scenario = read(text, model=Scenario, overrides=["months=24"])
    calendar = Calendar.of(scenario.start, scenario.months)
    drawn = sample(drivers(scenario), draws, 1)
    return scenario, dims_of(scenario, calendar, 1 + drawn.n), calendar, drawn


def inputs_of(text: str) -> dict[tuple[int, int], ServeInputs]:
    scenario, dims, calendar, _ = world(text)
    return engine_inputs(scenario, dims, calendar)


def test_two_campuses_with_the_same_accelerator_share_one_characterisation() -> None:
    inputs = inputs_of(SITES + ABILENE + CHEYENNE + MODEL)
    assert list(inputs) == [(0, 0), (0, 1)]
    assert digest(inputs[0, 0]) == digest(inputs[0, 1])
    one = inputs[0, 0]
    assert one.trace == AZURE_CONVERSATION
    assert (one.ttft_s, one.tpot_s, one.percentile) == (2.0, 0.08, 0.99)
    assert (one.precision, one.weight_byte, one.kv_byte) == ("fp8", 1.0, 2.0)


def test_a_replica_is_the_least_power_of_two_that_fits() -> None:
    rented = RENTED.format("A100")
    text = SITES + ABILENE + rented + MODEL + '[[serve.model]]\nname = "Llama 3.1 70B"\n'
    found = {key: (one.layout.tp, one.precision) for key, one in inputs_of(text).items()}
    # 671 GB of weights: 4 x 186 GB less a tenth do not hold them, and 8 x 80 GB neither
    assert found == {(0, 0): (8, "fp8"), (1, 0): (1, "fp8"), (1, 1): (4, "bf16")}
    wider = inputs_of(SITES + ABILENE + MODEL + "tp = 16\n")
    assert wider[0, 0].layout.tp == 16


def test_a_model_that_fits_nowhere_says_why() -> None:
    with pytest.raises(InputError) as error:
        inputs_of(RENTED.format("H800") + MODEL)
    text = str(error.value)
    assert "serve.model.DeepSeek-V3" in text
    assert "does not fit on 8 x H800 SXM5" in text
    inputs = inputs_of(RENTED.format("H800") + MODEL + "weight_bytes = 0.5\n")
    assert inputs[0, 0].layout.tp == 8
    with pytest.raises(InputError, match="does not fit on 4 x GB200"):
        inputs_of(SITES + ABILENE + MODEL + "tp = 4\n")
    with pytest.raises(InputError, match="fp4"):
        inputs_of(RENTED.format("H100") + MODEL + 'precision = "fp4"\n')


def test_a_model_may_name_its_fleets() -> None:
    text = SITES + ABILENE + CHEYENNE + MODEL
    assert list(inputs_of(text + 'fleets = ["Cheyenne"]\n')) == [(0, 1)]
    with pytest.raises(InputError, match="there is no fleet 'Houston'"):
        inputs_of(text + 'fleets = ["Houston"]\n')


def test_without_fleets_nothing_is_served_and_nothing_wrong() -> None:
    assert inputs_of(MODEL) == {}
    scenario, dims, calendar, drawn = world(MODEL)
    p = params(scenario, drawn, dims, calendar)
    assert p.it_w.shape == (0, 1)
    assert p.rent_usd_per_h.shape == (24, 0, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "cannot be read"),
        ("", "is empty"),
        ("a,b\n1,2\n", "unknown format"),
        ('{"timestamp": 0, "input_length": 5}\n', "output_length"),
        ('{"timestamp": 0, "input_length": 5, "output_length": 7}\n' * 50, "50 requests"),
    ],
)
def test_a_trace_that_cannot_be_used(tmp_path: Path, text: str | None, found: str) -> None:
    path = tmp_path / "trace.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as error:
        inputs_of(SITES + ABILENE + MODEL + f"[serve]\ntrace = {str(path)!r}\n")
    assert found in str(error.value)
    assert "serve.trace" in str(error.value)


def test_a_trace_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    row = '{{"timestamp": {}, "input_length": 30000, "output_length": 10}}\n'
    path.write_text("".join(row.format(100 * i) for i in range(200)))
    text = SITES + ABILENE + f"[serve]\ntrace = {str(path)!r}\n"
    one = inputs_of(text + '[[serve.model]]\nname = "Llama 3.1 8B"\n')[0, 0]
    assert isinstance(one.trace, Trace)
    assert len(one.trace) == 200
    # a changed file is read anew
    path.write_text("".join(row.format(100 * i) for i in range(150)))
    one = inputs_of(text + '[[serve.model]]\nname = "Llama 3.1 8B"\n')[0, 0]
    assert isinstance(one.trace, Trace)
    assert len(one.trace) == 150


@pytest.mark.shared
def test_a_public_trace() -> None:
    path = Path("../shared/data/traces/AzureLLMInferenceTrace_code.csv")
    if not path.exists():
        pytest.skip("the published traces are not here")
    one = inputs_of(SITES + ABILENE + MODEL + f"[serve]\ntrace = {str(path)!r}\n")[0, 0]
    assert isinstance(one.trace, Trace)
    assert len(one.trace) == 8819


def test_the_note_says_where_volume_comes_from() -> None:
    scenario, *_ = world(SITES + ABILENE + MODEL)
    assert "comes from the demand" in serve_note(scenario)
    assert "Azure" in serve_note(scenario)
    assert serve_note(world("")[0]) == ""


def test_prices_of_providers() -> None:
    text = """
[[serve.model]]
name = "GPT"
source = "provider"
model = "OpenAI GPT-5"
[[serve.model]]
name = "DeepSeek-V3"
[[serve.model]]
name = "own price"
source = "provider"
usd_per_mtok_input = "1 to 2"
usd_per_mtok_output = 8
quota = "2 Ttok"
[[serve.model]]
name = "Anthropic Claude Haiku 4.5"
source = "provider"
usd_per_mtok_output = 4
"""
    scenario, dims, calendar, drawn = world(text, draws=2)
    p = params(scenario, drawn, dims, calendar)
    assert p.provider_models.tolist() == [0, 2, 3]
    np.testing.assert_allclose(p.price_per_token[0, :, 0] * 1e6, [1.25, 0.125, 10])
    assert not p.price_per_token[1].any()
    np.testing.assert_allclose(p.price_per_token[2, :, 0] * 1e6, [2**0.5, 2**0.5, 8])
    np.testing.assert_allclose(p.price_per_token[3, :, 0] * 1e6, [1, 1, 4])
    assert p.price_per_token.shape == (4, 3, 3)
    np.testing.assert_allclose(p.quota_tokens[5, :, 0], [NO_QUOTA, 2e12, NO_QUOTA])


def test_rented_accelerators_grow_start_and_end() -> None:
    text = SITES + ABILENE + RENTED.format("H100") + 'start = "2026-03"\nmonths = 13\ngrowth = 1\n'
    scenario, dims, calendar, _ = world(text)
    path = rented_path(scenario, dims, calendar)
    assert path.shape == (24, 2, 1)
    assert not path[:, 0].any()
    np.testing.assert_allclose(
        path[[0, 1, 2, 8, 14, 15], 1, 0], [0, 0, 1000, 1414.21, 2000, 0], 1e-4
    )


def test_rents_and_leases() -> None:
    text = SITES + ABILENE + RENTED.format("H100") + "price_growth = -0.5\n"
    text += '[[serve.rented]]\nname = "x"\naccelerator = "GB200"\ncount = 8\n'
    text += 'usd_per_gpu_hour = "8 to 12"\n'
    scenario, dims, calendar, drawn = world(text, draws=2)
    rent = params(scenario, drawn, dims, calendar).rent_usd_per_h
    assert rent.shape == (24, 3, 3)
    assert not rent[:, 0].any()
    np.testing.assert_allclose(rent[:, 1, 0], 2.99 * 0.5**calendar.years)
    np.testing.assert_allclose(rent[0, 2, 0], 96**0.5)


def test_power_of_an_accelerator() -> None:
    text = SITES + ABILENE + RENTED.format("H100")
    text += "[serve]\nhost_idle_share = 0.5\n"
    scenario, dims, calendar, drawn = world(text)
    p = params(scenario, drawn, dims, calendar)
    assert p.on_site[:, 0].tolist() == [1, 0]
    # chip at 11.5 % of 700 W, the other 575 W of the node's share at a half
    assert p.it_w[1, 0] == 1275
    np.testing.assert_allclose(p.idle_share[1, 0] * 1275, 0.115 * 700 + 0.5 * 575)
    assert 0.7 < p.training_share[0, 0] < 0.82


def test_the_cost_of_a_million_output_tokens_is_that_of_deepseeks_day() -> None:
    """DeepSeek's day (open-infra-index, day 6): $0.52 of rent at $2 an hour per million output
    tokens of V3 and R1, on H800 with prompts and answers apart and wide expert parallelism. The
    measured engines are slower than DeepSeek's own, which hides its exchanges behind arithmetic:
    up to three times the cost. Prompts from the cache cost nothing here, as the default trace has
    no prefixes."""
    layout = "dp = 32\nep = 32\nprompt_instances = 3\nanswer_instances = 1\nengine = 'sglang'\n"
    text = RENTED.format("H800") + "usd_per_gpu_hour = 2\n" + MODEL + layout
    text += "[serve]\nrequests = 8000\n"
    scenario, dims, calendar, drawn = world(text)
    curves = {
        key: characterise(one) for key, one in engine_inputs(scenario, dims, calendar).items()
    }
    model = Serve(params(scenario, drawn, dims, calendar), dims, calendar, curves)
    accelerators, reserved = Accelerators.allocate(dims), Reserved.allocate(dims)
    energised, admitted = Energised.allocate(dims), AdmittedTokens.allocate(dims)
    served, states = Served.allocate(dims), States.allocate(dims)
    ledger = Ledger.opening(dims, 0)
    model.open(ledger)
    accelerators.installed[:] = 3000.0
    day = {"input_tokens": 266e9, "cached_tokens": 342e9, "output_tokens": 168e9}
    for name, tokens in day.items():
        admitted[name][0] = 10 * tokens
    admitted.admitted[0] = 10 * sum(day.values())
    offer = model.offer(0, energised, accelerators, reserved)
    model.advance(0, ledger, accelerators, reserved, admitted, offer, served, states)
    assert served.refused[0, 0, 0] == pytest.approx(0, abs=1)
    hours = states.busy[0, 0, 0] * calendar.seconds[0] / 3600
    usd_per_mtok = hours * 2.0 / (served.output_tokens[0, 0, 0] / 1e6)
    assert 0.4 < usd_per_mtok < 1.6
    # the chain from tokens to rent closes
    assert states.rent_usd[0, 0, 0] == pytest.approx(3000 * 2 * 744)
    assert served.tpot_s[0, 0, 0] < 0.08


def test_an_empty_section() -> None:
    scenario, dims, calendar, drawn = world("")
    p = params(scenario, drawn, dims, calendar)
    assert p.provider_models.shape == (0,)
    assert p.peak_over_mean.shape[0] == 0
    assert rented_path(scenario, dims, calendar).shape == (24, 0, 1)
    assert engine_inputs(scenario, dims, calendar) == {}
