"""Resources of CloudFormation templates as a flat list, each with a readable name."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]  # an object of a template


@dataclass(frozen=True)
class Resource:
    id: str
    type: str
    properties: Json
    name: str  # the construct's path within its stack, e.g. Realtime/Predict
    stack: str


def read_templates(folder: Path) -> list[Resource]:
    """Return every resource of every stack that was synthesised into the folder (cdk.out)."""
    files = sorted(Path(folder).glob("**/*.template.json"))
    if not files:
        raise FileNotFoundError(f"{folder}: no *.template.json; the CDK writes them there")
    return [resource for file in files for resource in resources(json.loads(file.read_text()), _stack_of(file))]


def _stack_of(file: Path) -> str:
    return file.name.removesuffix(".template.json").removesuffix(".nested")


def resources(template: Json, stack: str) -> list[Resource]:
    return [
        Resource(id, body["Type"], body.get("Properties", {}), name_of(id, body), stack)
        for id, body in template.get("Resources", {}).items()
    ]


def name_of(id: str, body: Json) -> str:
    """Return the construct's path; without one (`cdk synth --no-path-metadata`) the id without its hash."""
    path = body.get("Metadata", {}).get("aws:cdk:path", "").split("/")[1:]
    while len(path) > 1 and path[-1] in ("Resource", "Default"):
        path.pop()
    return "/".join(path) or re.sub(r"[0-9A-F]{8}$", "", id)


def text_of(value: Any) -> str:
    """Return the text that an intrinsic function makes, with `${Id}` for values known only after deployment."""
    if not isinstance(value, dict):
        return str(value)
    ((function, inner),) = value.items()
    if function == "Fn::Join":
        separator, parts = inner
        return str(separator).join(text_of(part) for part in parts)
    if function == "Fn::Sub":
        return str(inner if isinstance(inner, str) else inner[0])
    return "${" + (".".join(inner) if function == "Fn::GetAtt" and isinstance(inner, list) else str(inner)) + "}"


def verb_of(resource: Resource) -> str:
    """Return predict for the handler lambdas.request.predict.handler or lambdas/predict.handler; empty without a
    handler.
    """
    parts = re.split(r"[./]", text_of(resource.properties.get("Handler", "")))
    return parts[-2] if len(parts) > 1 else ""


def last_word(name: Any) -> str:
    """Return predictions for a table named flights-prod-predictions."""
    return re.split(r"[-/]", text_of(name))[-1].lower()


def definition_of(resource: Resource) -> Json:
    """Return the definition of a state machine."""
    if "Definition" in resource.properties:
        definition: Json = resource.properties["Definition"]
    else:
        definition = json.loads(text_of(resource.properties["DefinitionString"]))
    return definition


def states_of(definition: Json) -> Iterator[tuple[Json, tuple[Json, ...]]]:
    """Return (state, the enclosing Map states) for every state at any depth."""

    def walk(states: Json, maps: tuple[Json, ...]) -> Iterator[tuple[Json, tuple[Json, ...]]]:
        for state in states.values():
            yield state, maps
            inner = state.get("ItemProcessor") or state.get("Iterator")
            if inner:
                yield from walk(inner["States"], (*maps, state))
            for branch in state.get("Branches", []):
                yield from walk(branch["States"], maps)

    return walk(definition["States"], ())
