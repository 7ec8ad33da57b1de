# SPDX-License-Identifier: BSD-3-Clause
"""What of JSON Schema (2020-12) the files in schemas/ use. tests/peers does the same with jsonschema.

    schema.py SCHEMA FILE...      FILE: JSON, or JSON lines where it ends with .jsonl
"""
import json
import re
import sys

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KNOWN = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required", "additionalProperties",
         "items", "enum", "const", "pattern", "minimum", "maximum", "anyOf", "allOf", "if", "then"}


def is_type(value, name):
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def faults(value, schema, root, at="$"):
    """What is wrong with a value."""
    unknown = set(schema) - KNOWN
    assert not unknown, unknown
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].lstrip("#/").split("/"):
            target = target[part]
        yield from faults(value, target, root, at)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_type(value, name) for name in types):
        yield f"{at}: found {json.dumps(value)[:60]}, expected {' or '.join(types)}"
        return
    if "enum" in schema and value not in schema["enum"] or "const" in schema and value != schema["const"]:
        yield f"{at}: found {value!r}, expected {schema.get('enum', schema.get('const'))!r}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at}: found {value!r}, expected {schema['pattern']}"
    if is_type(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: found {value}, expected {schema.get('minimum')} to {schema.get('maximum')}"
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        yield from (f"{at}: has no {key!r}" for key in schema.get("required", []) if key not in value)
        for key, inner in value.items():
            own = properties.get(key, schema.get("additionalProperties", {}))
            yield from faults(inner, own, root, f"{at}.{key}")
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield from faults(inner, schema.get("items", {}), root, f"{at}[{i}]")
    if "anyOf" in schema and all(any(True for _ in faults(value, s, root, at)) for s in schema["anyOf"]):
        yield f"{at}: is none of what it may be"
    for s in schema.get("allOf", []):
        yield from faults(value, s, root, at)
    if "if" in schema and not any(True for _ in faults(value, schema["if"], root, at)):
        yield from faults(value, schema["then"], root, at)


def main(schema_path, *paths):
    schema = json.load(open(schema_path, encoding="utf-8"))
    for path in paths:
        text = open(path, encoding="utf-8").read()
        values = [json.loads(line) for line in text.splitlines()] if path.endswith(".jsonl") else [json.loads(text)]
        if not values:
            sys.exit(f"{path}: nothing to check")
        for number, value in enumerate(values, 1):
            for fault in faults(value, schema, schema):
                sys.exit(f"{path}:{number}: {fault}")
            # Whatever is required is missed: the schema says something.
            for key in schema["required"]:
                if not any(True for _ in faults({k: v for k, v in value.items() if k != key}, schema, schema)):
                    sys.exit(f"{schema_path}: {key!r} is not missed")


if __name__ == "__main__":
    main(*sys.argv[1:])
