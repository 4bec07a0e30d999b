"""Hooks for Schemathesis: where the simulator departs from HMRC's OpenAPI files
on purpose, because the published services do. `docs/simulator.md` lists the
differences and gives the command. With these hooks a run must find nothing.

`SIMULATOR` names the simulator, `http://127.0.0.1:18099` unless set.
"""

import json
import os
import urllib.request

import schemathesis

BASE = os.environ.get("SIMULATOR", "http://127.0.0.1:18099")
TOKEN = "schemathesis"

# What the gateway in front of every API answers, and the services besides what
# their files say, by method.
EVERYWHERE = ["401", "403", "404", "405", "429"]
BY_METHOD = {"get": ["400"], "post": ["409", "415"], "put": ["415"]}

# Fields of a movement that the service writes as null while they are unknown.
NULLABLE = {
    "movementReferenceNumber",
    "localReferenceNumber",
    "movementEORINumber",
}


def refusal(path):
    """The shape of a refusal: a code and a message, but for query values."""
    return {
        "description": "A refusal that the file does not list",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["message"],
                    "properties": {
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                    },
                }
            }
        },
    }


def amend(node):
    """Walks a file and makes it say what the services do."""
    if isinstance(node, list):
        return [amend(one) for one in node]
    if not isinstance(node, dict):
        return node
    # The schemas of Create Test User are not published with its file.
    if str(node.get("$ref", "")).startswith("./schemas/"):
        return {}
    node = {name: amend(value) for name, value in node.items()}
    for name in NULLABLE & set(node):
        if isinstance(node[name], dict) and node[name].get("type") == "string":
            node[name]["nullable"] = True
    # A message in JSON is an object, though the file says it is a string.
    if node.get("type") == "object" and "body" in node.get("properties", {}):
        node["properties"]["body"] = {}
    # The answer with a place to upload to fits the schema of the answer without.
    if "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
    return node


@schemathesis.hook
def before_load_schema(context, raw_schema):
    paths = raw_schema["paths"]
    raw_schema.update(amend(raw_schema))
    for path, operations in raw_schema["paths"].items():
        for method, operation in operations.items():
            if not isinstance(operation, dict) or "responses" not in operation:
                continue
            for status in EVERYWHERE + BY_METHOD.get(method, []):
                operation["responses"].setdefault(status, refusal(path))
            if path.startswith("/create-test-user"):
                for status in ["400", "406"]:
                    operation["responses"].setdefault(status, refusal(path))
            if path.startswith("/test/"):
                # A message of the other kind of movement.
                operation["responses"].setdefault("501", refusal(path))
            if path.startswith("/customs/guarantees"):
                # The service writes NOT_ACCEPTABLE, its file ACCEPT_HEADER_INVALID.
                operation["responses"]["406"] = refusal(path)
            if path.endswith("/body"):
                # The file forgets the answer to `Accept: …+json`.
                operation["responses"]["200"]["content"]["application/json"] = {"schema": {}}
            if path.startswith("/customs/transits"):
                # The content type is `application/json` for every `Accept`.
                content = operation["responses"].get("200", {}).get("content", {})
                content.pop("application/json+xml", None)
    assert paths


def call(method, path, version, body=None, accept=None):
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Accept": accept or f"application/vnd.hmrc.{version}+json",
    }
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def seed(kind, message, version):
    """A movement with a message that can be fetched: its ids."""
    movements = f"/customs/transits/movements/{kind}s"
    opened = call("POST", movements, "3.0")
    movement = opened[f"{kind}Id"]
    injecting = f"/test{movements}/{movement}/messages"
    injected = call("POST", injecting, version, {"message": {"messageType": message}})
    return {f"{kind}Id": movement, "messageId": injected["messageId"], "boxId": opened["boxId"]}


SEEDED = {**seed("departure", "IE928", "3.0"), **seed("arrival", "IE057", "3.0")}
SEEDED["grn"] = "23GB0000010000854"


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of the requests name what is there."""
    if not isinstance(path_parameters, dict):
        return path_parameters
    known = len(str(path_parameters)) % 2 == 0
    return {
        name: SEEDED[name] if known and name in SEEDED else value
        for name, value in path_parameters.items()
    }
