"""docs/reference/http.md: the HTTP resources, written from the OpenAPI document that the service shows."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from foresail.docgen.markdown import linked, table
from serving.api.app import RESOURCES
from serving.api.middleware.access import ANY, SIGNED, needed_scope

PAGE = "reference/http.md"
ANY_OTHER = "default"
"""How the document names the problem that every resource may answer with."""

Json = Mapping[str, Any]


def http_page() -> str:
    """Every resource with its parameters, body, example and answers, then every schema."""
    document = RESOURCES.openapi()
    operations = [
        (method.upper(), path, one) for path, methods in document["paths"].items() for method, one in methods.items()
    ]
    return "\n".join(
        [
            "# HTTP",
            "",
            "The resources of the service. A running service shows the same document as `/v1/openapi.json`, and as a page",
            "with forms at `/v1/docs`. [Service](../guides/service.md) has keys, scopes and limits. Written by",
            "`python -m foresail.docgen.reference`.",
            "",
            *table(["resource", "scope of the key"], (_listed(method, path) for method, path, _ in operations)),
            "",
            "Every failure is a problem document of RFC 9457 (`application/problem+json`): [Problem](#problem). `type` is",
            "stable, so that programs may rely on it; `pointer` names the member of the body that is wrong.",
            *(line for operation in operations for line in _operation(*operation)),
            "",
            "## Schemas",
            *(line for name, schema in document["components"]["schemas"].items() for line in _schema(name, schema)),
            "",
        ]
    )


def _listed(method: str, path: str) -> tuple[str, str]:
    scope = "none: the message is signed" if path.startswith(SIGNED) else needed_scope(path)
    return f"[`{method} {path}`](#{_anchor(f'{method} {path}')})", "any key" if scope == ANY else scope


def _anchor(heading: str) -> str:
    """The anchor that Markdown gives a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def _operation(method: str, path: str, one: Json) -> Iterator[str]:
    yield from ["", f"## {method} {path}", "", *_paragraphs(one.get("description", ""))]
    if "parameters" in one:
        yield from ["", *table(["parameter", "in", "type", "meaning"], map(_parameter, one["parameters"]))]
    if "requestBody" in one:
        yield from _body(one["requestBody"])
    yield from ["", *table(["answer", "meaning", "body"], _answers(one["responses"]))]
    yield from _examples("Answer", one["responses"].get("200", {}))


def _paragraphs(text: str) -> Iterator[str]:
    yield from (linked(line.strip(), PAGE) for line in text.strip().splitlines())


def _parameter(one: Json) -> tuple[str, str, str, str]:
    name = f"**`{one['name']}`**" if one.get("required") else f"`{one['name']}`"
    return name, one["in"], _type(one["schema"]), _meaning(one["schema"] | one)


def _body(body: Json) -> Iterator[str]:
    for media in body["content"].values():
        if media.get("schema"):
            yield from ["", f"Body: {_type(media['schema'])}."]
    yield from _examples("Body", body)


def _examples(what: str, message: Json) -> Iterator[str]:
    for media in message.get("content", {}).values():
        named = {name: one for name, one in media.get("examples", {}).items() if "value" in one}
        for name, one in named.items():
            yield from _code(f"{what}, {one.get('summary') or name}:", one["value"])
        if not named and "example" in media:
            yield from _code(f"{what}, for example:", media["example"])


def _code(title: str, value: Any) -> Iterator[str]:
    yield from ["", title, "", "```json", json.dumps(value, indent=2, ensure_ascii=False), "```"]


def _answers(responses: Json) -> Iterator[tuple[str, str, str]]:
    for status, one in sorted(responses.items()):
        if status == ANY_OTHER:
            continue
        schemas = [_type(media["schema"]) for media in one.get("content", {}).values() if media.get("schema")]
        yield status, one["description"], ", ".join(schemas)


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield from ["", f"### {name}", "", *_paragraphs(schema.get("description", ""))]
    needed = schema.get("required", ())
    rows = [
        (_member(key, key in needed), _type(one), _meaning(one)) for key, one in schema.get("properties", {}).items()
    ]
    if rows:
        yield from ["", *table(["member", "type", "meaning"], rows)]


def _member(name: str, required: bool) -> str:
    return f"**`{name}`**" if required else f"`{name}`"


def _meaning(one: Json) -> str:
    """The description, the limits and the default of a parameter or a member."""
    said = [linked(one.get("description", ""), PAGE), *_limits(one)]
    if one.get("default") not in (None, [], ""):
        said.append(f"default `{json.dumps(one['default'], ensure_ascii=False)}`")
    return "; ".join(filter(None, said))


def _limits(one: Json) -> Iterator[str]:
    forms = [one, *one.get("anyOf", ())]
    for name, words in {
        "minimum": "at least",
        "maximum": "at most",
        "maxItems": "at most",
        "exclusiveMinimum": "above",
    }.items():
        found = next((form[name] for form in forms if name in form), None)
        if found is not None:
            yield f"{words} {found:,}"


def _type(schema: Json) -> str:
    """The type in words; a schema by its name becomes a link to it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[either])))
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "any")
