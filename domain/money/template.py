"""CloudFormation templates as a flat list of resources, each with the name that people know it by."""

import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Resource:
    id: str
    type: str
    properties: dict
    name: str  # the construct's path within its stack, e.g. Realtime/Predict
    stack: str


def read_templates(folder: Path) -> list[Resource]:
    """Every resource of every stack that was synthesised into the folder (cdk.out)."""
    files = sorted(Path(folder).glob("**/*.template.json"))
    if not files:
        raise FileNotFoundError(f"{folder}: no *.template.json; `npx cdk synth -o {folder}` writes them")
    return [resource for file in files for resource in resources(json.loads(file.read_text()), stack_of(file))]


def stack_of(file: Path) -> str:
    return file.name.removesuffix(".template.json").removesuffix(".nested")


def resources(template: dict, stack: str) -> list[Resource]:
    return [
        Resource(id, body["Type"], body.get("Properties", {}), name_of(id, body), stack)
        for id, body in template.get("Resources", {}).items()
    ]


def name_of(id: str, body: dict) -> str:
    """Its path; where the template has none (`cdk synth --no-path-metadata`) its id without the hash."""
    path = body.get("Metadata", {}).get("aws:cdk:path", "").split("/")[1:]
    while len(path) > 1 and path[-1] in ("Resource", "Default"):
        path.pop()
    return "/".join(path) or re.sub(r"[0-9A-F]{8}$", "", id)


def text_of(value) -> str:
    """The text that an intrinsic function makes, with `${Id}` for what is only known once deployed."""
    if not isinstance(value, dict):
        return str(value)
    ((function, inner),) = value.items()
    if function == "Fn::Join":
        return inner[0].join(text_of(part) for part in inner[1])
    if function == "Fn::Sub":
        return inner if isinstance(inner, str) else inner[0]
    return "${" + (".".join(inner) if function == "Fn::GetAtt" and isinstance(inner, list) else str(inner)) + "}"


def verb_of(resource: Resource) -> str:
    """predict, for the handler lambdas.request.predict.handler or lambdas/predict.handler; empty where there is no
    handler.
    """
    parts = re.split(r"[./]", text_of(resource.properties.get("Handler", "")))
    return parts[-2] if len(parts) > 1 else ""


def last_word(name) -> str:
    """predictions, for a table named flights-prod-predictions."""
    return re.split(r"[-/]", text_of(name))[-1].lower()


def definition_of(resource: Resource) -> dict:
    """What a state machine does."""
    if "Definition" in resource.properties:
        return resource.properties["Definition"]
    return json.loads(text_of(resource.properties["DefinitionString"]))


def states_of(definition: dict):
    """(state, the enclosing Map states) for every state, however deep."""

    def walk(states: dict, maps: tuple):
        for state in states.values():
            yield state, maps
            inner = state.get("ItemProcessor") or state.get("Iterator")
            if inner:
                yield from walk(inner["States"], (*maps, state))
            for branch in state.get("Branches", []):
                yield from walk(branch["States"], maps)

    return walk(definition["States"], ())
