"""docs/fidelity.md: what the app relies on, how it is checked, what others do, in Markdown."""

from collections import Counter

from bench.fidelity.behaviours import Behaviour

# Of the same kind of behaviours, each run without Docker and without a JVM, as this product runs (2026-11-28).
PEERS = """\
| | behaviours really executed | how it was found |
| --- | --- | --- |
| Fairway's local AWS | {passed} of {tried} | this command |
| moto 5.2.5 | 6 of 29 | run: SageMaker's answers are canned, code of functions wants Docker, JSONata a JVM |
| LocalEmu 1.3.2 | 8 of 29 | run: SageMaker's answers are canned, functions want Docker, JSONata is removed |
| LocalStack | not run | its pages: SageMaker from the Ultimate plan on, functions in Docker |
| Floci | not run | its pages and code: training and endpoints in Docker |
| AWS Emulator | not run | AWS's own, not to be had here; publishes tests verified on AWS |
"""
REFUSED = """\
| what | by what it is held | where |
| --- | --- | --- |
| requests of SageMaker | botocore's model, SageMaker's own rules, quotas as a setting | `local/sagemaker/` |
| requests of sixteen services | botocore's model, and limits it does not name | `local/requests/`, `local/limits.py` |
| requests of DynamoDB, S3, SQS | MiniStack's own checks | - |
| state machines | a checker of both query languages | `local/asl/` |
| properties in templates | the registry's schemas, out of cfn-lint's distribution | `local/registry.py` |
| references, names, exports, capabilities | as CloudFormation | `local/ministack/cloudformation_checks.py` |
| schedules | EventBridge's grammar, also in `fairway check` | `domain/schedules.py` |
| identity policies | conditions that are filled, and only those; iam:PassRole | `local/ministack/condition_keys.py` |
"""
HEAD = """\
# The local AWS, held to others

Made by `make bench-fidelity`; do not edit. The local AWS is MiniStack with the plugins of `local/ministack/` and a SageMaker
of its own. What it does not simulate it refuses or lists as declared (`fairway status`).
"""
KINDS = ("passed", "not simulated", "accepted", "refused", "another answer")


def page(behaviours: list[tuple[Behaviour, str]], suites: dict[str, Counter[str]], *, moto: str, limit_s: int) -> str:
    passed = sum(not problem for _, problem in behaviours)
    return "\n".join(
        [
            HEAD,
            "## What the app relies on\n",
            "| flow | behaviour | |",
            "| --- | --- | --- |",
            *(f"| {each.relied_on_by} | {each.does} | {problem or 'yes'} |" for each, problem in behaviours),
            "\n## What others do\n",
            PEERS.format(passed=passed, tried=len(behaviours)),
            "## What is refused as on AWS\n",
            REFUSED,
            f"## moto {moto}'s own tests, run against the local AWS\n",
            (
                "*Not simulated* is refused by name; *accepted* is what moto refuses and this does "
                "not; *refused* the reverse,"
            ),
            "or another error than the test names; *another answer* differs in a value. moto is not AWS: many of its",
            f"values are its own. A service had {limit_s} s at most.\n",
            f"| service | run | {' | '.join(KINDS)} |",
            f"| --- |{' ---: |' * (len(KINDS) + 1)}",
            *(row(service, outcomes) for service, outcomes in suites.items()),
            row("**all**", sum(suites.values(), Counter())),
            "",
        ]
    )


def row(service: str, outcomes: Counter[str]) -> str:
    return f"| {service} | {ran(outcomes)} | {' | '.join(str(outcomes[kind]) for kind in KINDS)} |"


def ran(outcomes: Counter[str]) -> int:
    return sum(outcomes[kind] for kind in KINDS)
