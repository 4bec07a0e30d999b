"""Merges HMRC's OpenAPI files into the one that Prism checks requests against,
and adds what they do not describe, so that it is passed on.

    python3 merged.py OUT FILE...
"""

import json
import sys

import yaml

# No file describes how a token is got; the mailbox for mail to officers is the
# simulator's own.
OWN = {
    "/oauth/token": "application/x-www-form-urlencoded",
    "/simulator/mailbox": "application/json",
}



def renamed(node, mark):
    """The same with its references pointing at components of that mark."""
    if isinstance(node, list):
        return [renamed(one, mark) for one in node]
    if not isinstance(node, dict):
        return node
    node = {name: renamed(value, mark) for name, value in node.items()}
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/components/"):
        node["$ref"] = f"{reference}{mark}"
    return node


def marked(known, mark):
    return {f"{part}{mark}": value for part, value in known.items()}


out, *files = sys.argv[1:]
merged = None
for mark, name in enumerate(files):
    with open(name, encoding="utf-8") as file:
        api = yaml.safe_load(file)
    # Files name their parts alike.
    api = renamed(api, mark)
    parts = {
        # How one signs in is referred to by name alone.
        kind: known if kind == "securitySchemes" else marked(known, mark)
        for kind, known in api.pop("components", {}).items()
    }
    if merged is None:
        merged = {**api, "components": {}}
    merged["paths"].update(api["paths"])
    for kind, known in parts.items():
        merged["components"].setdefault(kind, {}).update(known)

# The files describe no body of a message that is sent, only the header that
# names its type; Prism would refuse any body then.
for path, methods in merged["paths"].items():
    for method, operation in methods.items():
        if method == "post" and path.startswith("/customs/transits/"):
            body = {"content": {"application/xml": {}, "application/json": {}}}
            operation.setdefault("requestBody", body)

for path, media in OWN.items():
    merged["paths"][path] = {
        "post": {
            "security": [],
            "requestBody": {"content": {media: {}}},
            "responses": {"default": {"description": "Passed on"}},
        }
    }
with open(out, "w", encoding="utf-8") as file:
    json.dump(merged, file, default=str)
