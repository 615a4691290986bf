"""Where the time of a usual step goes, and what the memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lineshaft.serve.fleets import Deployment
from lineshaft.serve.instance import Instance
from lineshaft.serve.run import Outcome
from lineshaft.stages.serve.breakdown import (
    Batch,
    Chunk,
    Held,
    Term,
    explain_memory,
    explain_step,
)


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """The terms of one step."""

    name: str
    batch: Batch
    terms: tuple[Term, ...]

    @property
    def seconds(self) -> float:
        return sum(term.seconds for term in self.terms)


def usual_steps(deployed: Deployment, out: Outcome) -> Iterator[Explained]:
    """A usual step of decode, and one that computes a usual prompt too: in two pools, by itself.

    As many sequences decode as in the mean over all steps, at the mean context. Nothing where
    operator tables time the steps.
    """
    sums, requests = out.totals, out.requests
    answers = deployed.decode or deployed.one
    times, asked = answers.pool.times, answers.asked
    steps = sums.iterations
    if deployed.decode:  # steps of the pool that answers
        steps = sum(one.iterations for one in out.by_instance[deployed.instances :])
    decoding = max(1, round(sums.decode_tokens / max(steps, 1.0) / times.gain))
    decoding = min(decoding, asked.max_num_seqs * times.ranks)
    context = float((requests.input_tokens + 0.5 * requests.output_tokens).mean())
    decode = Batch(decoding, context)
    if times.tables is None:
        yield Explained("decode", decode, _terms(answers, decode))
    prompts = deployed.one
    beside = 0 if deployed.decode else decoding
    room = prompts.asked.max_num_batched_tokens - beside
    chunk = min(int(requests.input_tokens.mean()), room)
    if chunk > 0 and prompts.pool.times.tables is None:
        batch = Batch(beside, context if beside else 0.0, (Chunk(chunk),))
        yield Explained("with a prompt", batch, _terms(prompts, batch))


def held(deployed: Deployment, out: Outcome) -> dict[str, Held]:
    """What one accelerator's memory holds, by the instance's name: one, or one of each pool."""
    requests = out.requests
    mean = float((requests.input_tokens + requests.output_tokens).mean())
    return {
        one.name: explain_memory(
            one.arch,
            one.chip,
            layout=one.asked.layout,
            weight_byte=one.weight_byte,
            kv_byte=one.kv_byte,
            max_num_batched_tokens=one.asked.max_num_batched_tokens,
            mean_context=mean,
            memory_utilisation=one.asked.memory_utilisation,
        )
        for one in (deployed.one, deployed.decode)
        if one is not None
    }


def _terms(one: Instance, batch: Batch) -> tuple[Term, ...]:
    asked = one.asked
    return explain_step(
        one.arch,
        one.chip,
        batch,
        layout=asked.layout,
        engine=asked.engine,
        precision=asked.precision,
        weight_byte=one.weight_byte,
        kv_byte=one.kv_byte,
        max_tokens=asked.max_num_batched_tokens,
        draft=asked.draft,
        coefficients=one.coefficients,
    )
