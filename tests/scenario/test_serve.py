"""The `[serve]` section: defaults, units, what is refused."""

import pytest

from lineshaft.errors import InputError
from lineshaft.scenario import Scenario
from lineshaft.scenario.reading import read
from lineshaft.scenario.serve import Model, Rented, Serve

PROVIDER = """
[[serve.model]]
name = "frontier"
source = "provider"
"""

RENTED = '[[serve.rented]]\nname = "{}"\naccelerator = "{}"\ncount = 8\n'


def test_an_empty_section_serves_nothing_and_documents_every_field() -> None:
    serve = Serve()
    assert (len(serve.model), len(serve.rented)) == (0, 0)
    assert (serve.slo_ttft_s, serve.slo_tpot_s, serve.percentile) == (2.0, 0.08, 0.99)
    assert serve.speed.median == pytest.approx(1.0)
    for section in (Serve, Model, Rented):
        for name, field in section.model_fields.items():
            assert field.description, name


def test_the_catalog_row_is_the_name_unless_said() -> None:
    assert Model(name="DeepSeek-V3").row == "DeepSeek-V3"
    assert Model(name="chat", model="Llama 3.1 70B").row == "Llama 3.1 70B"


def test_a_provider_with_prices_needs_no_catalog_row() -> None:
    prices = 'usd_per_mtok_input = 1\nusd_per_mtok_output = "4 to 6"\nquota = "2 Ttok"\n'
    model = read(PROVIDER + prices, model=Scenario).serve.model[0]
    assert model.quota is not None
    assert model.quota.median == 2e12


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[[serve.model]]\nname = "gpt-oss-121b"', "there is no 'gpt-oss-121b'"),
        (PROVIDER, "there is no 'frontier'"),
        (PROVIDER + 'model = "OpenAI GPT-55"', "there is no 'OpenAI GPT-55'"),
        ('[[serve.model]]\nname = "DeepSeek-V3"\nprecision = "fp3"', "'fp3' is no precision"),
        ('[[serve.model]]\nname = "DeepSeek-V3"\nsource = "leased"', "'leased' is unknown"),
        ("[serve]\nslo_ttft_s = 0", "out of bounds"),
        ("[serve]\npercentile = 1", "out of bounds"),
        ("[serve]\nrequests = 10", "out of bounds"),
        (RENTED.format("a", "GB200"), "no rent of GB200"),
        (
            RENTED.format("a", "H100") + RENTED.format("b", "H100 SXM5"),
            "two items of serve.rented (by accelerator) are named 'H100 SXM5'",
        ),
    ],
)
def test_what_is_refused(text: str, found: str) -> None:
    with pytest.raises(InputError) as error:
        read(text, model=Scenario)
    assert found in str(error.value)
