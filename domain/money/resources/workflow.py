"""State machines: transitions of their runs, and the SageMaker jobs and endpoints they create."""

from domain.money.prices import Prices
from domain.money.resources.jobs import endpoint_lines, job_lines
from domain.money.resources.lines import Line, line
from domain.money.resources.watching import trace_lines
from domain.money.template import Json, Resource, definition_of, last_word, states_of
from domain.money.usage import Month


def machine_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line] | None:
    """Price a state machine; None if no rule says how often it runs."""
    definition = definition_of(resource)
    calls = [state.get("Resource", "") for state, _ in states_of(definition)]
    name = last_word(resource.properties.get("StateMachineName", resource.name))
    flow_and_runs = runs_of(name, definition, calls, usage)
    if flow_and_runs is None:
        return None
    flow, runs = flow_and_runs
    looks = usage.looks if releases(definition, calls) else 0.0
    lines: list[Line] = [
        transitions(resource, usage, prices, definition, flow, runs),
        *([looking(resource, prices, flow, looks)] if looks else []),
        *trace_lines(resource, usage, prices, runs, fixed=True),
    ]
    for state, maps in states_of(definition):
        lines += job_lines(resource, usage, prices, flow, state, runs * times(maps, usage))
    if creates(calls, "createEndpoint"):
        lines += endpoint_lines(resource, usage, prices)
    return lines


def runs_of(name: str, definition: Json, calls: list[str], month: Month) -> tuple[str, float] | None:
    """What a machine is for shows in what it does: it trains, promotes a release, or has processing jobs alone, of
    which the name tells more.
    """
    if creates(calls, "createTrainingJob"):
        return "train", month.training_runs
    if releases(definition, calls):
        return "train", month.training_runs  # at most one release for each run
    if creates(calls, "createProcessingJob"):
        return ("watch", month.watch_runs) if name == "watch" else ("batch", month.batch_runs)
    return None


def releases(definition: Json, calls: list[str]) -> bool:
    """Whether a machine makes a release champion: it creates an endpoint, or in function mode has the state alone."""
    return creates(calls, "createEndpoint") or "Promote" in definition["States"]


def creates(calls: list[str], call: str) -> bool:
    return any(resource.removesuffix(".sync").endswith(f":{call}") for resource in calls)


def transitions(resource: Resource, usage: Month, prices: Prices, definition: Json, flow: str, runs: float) -> Line:
    """Count transitions: each state entered is one, and so is each start. A loop counts once, a retry not at all."""
    entered = sum(times(maps, usage) for _, maps in states_of(definition)) + 1
    return line(
        resource,
        prices,
        flow=flow,
        what=f"{entered:g} transitions x {runs:g} runs",
        price=("AmazonStates", "StateTransition"),
        quantity=entered * runs,
        fixed=flow != "batch",
    )


def looking(resource: Resource, prices: Prices, flow: str, looks: float) -> Line:
    """Each look of a rollout enters three states: read the evidence, decide, wait."""
    price = ("AmazonStates", "StateTransition")
    return line(
        resource,
        prices,
        flow=flow,
        what=f"3 transitions x {looks:,.0f} looks",
        price=price,
        quantity=3 * looks,
        fixed=True,
    )


def times(maps: tuple[Json, ...], month: Month) -> float:
    """Return how often a state in these maps is entered in one run: once a candidate, or once a chunk of a batch."""
    count = 1.0
    for each in maps:
        distributed = (each.get("ItemProcessor") or {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
        count *= month.chunks / (month.batch_runs or 1) if distributed else month.candidates
    return count
