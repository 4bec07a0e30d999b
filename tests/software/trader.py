#!/usr/bin/env python3
"""A trader's software, in small: no part of ctc-ready, and knows nothing of it.

It speaks HMRC's CTC Traders API by itself, with a token of its own, and is what
the tests put in the place of the software under test.

  trader.py step
      Sends one message, as ctc-ready's `command` driver asks for it. Reads
      CTC_READY_BASE_URL, CTC_READY_PROGRAMME, CTC_READY_MESSAGE,
      CTC_READY_PAYLOAD and, for a further message, CTC_READY_MOVEMENT_ID.
      The last line it prints is {"departureId": …} or {"arrivalId": …}.

  trader.py play --base-url URL --scenario S --payloads DIR [--timeout SECONDS]
      Works through a whole scenario. DIR/S/script.json says how:
        {"version": "2.1",
         "steps": [{"send": "IE015", "file": "1-IE015.xml", "expect": ["IE928"]},
                   {"expect": ["IE028", "IE029"]}]}
      Each file is sent with an LRN of its own, the MRN that NCTS allocated, a
      new messageIdentification and the time. What a step expects is waited for,
      in whatever movement it comes; the same type twice is waited for twice. After
      each message sent, and at the end, it prints a line
      {"lrn": …, "mrn": …, "departureId": …, "arrivalId": …}, as far as it has them.

Both send the token in TRADER_TOKEN, or one that the simulator takes. They ask
for news TRADER_POLLS times a second (4). `play` fetches each message that it
waits for; its LRNs begin with TRADER_LRN (TR). What goes wrong is said on standard
error; the exit code is then 1.
"""

import argparse
import json
import os
import pathlib
import re
import sys
import time
import urllib.error
import urllib.request
import uuid

VERSIONS = {"ncts6": "3.0"}
ARRIVAL = {"IE007", "IE044", "IE025", "IE043", "IE057"}


def die(text):
    sys.exit(f"trader: {text}")


class Api:
    def __init__(self, base_url, version):
        self.base = base_url.rstrip("/") + "/customs/transits/movements"
        self.version = version
        self.token = os.environ.get("TRADER_TOKEN", "traders-own-token")

    def call(self, path, body=None, what="json"):
        """One request, made again while the API asks for patience."""
        request = urllib.request.Request(self.base + path, data=body)
        request.add_header("Accept", f"application/vnd.hmrc.{self.version}+{what}")
        request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.add_header("Content-Type", "application/xml")
        for _ in range(50):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                if error.code != 429:
                    die(f"HTTP {error.code} {error.read(500).decode(errors='replace')}")
                time.sleep(0.3)
        die("the API has no time for us")

    def send(self, message, body, movement):
        """Sends a message; the name and the value of its movement's id."""
        kind = "arrival" if message in ARRIVAL else "departure"
        path = f"/{kind}s/{movement}/messages" if movement else f"/{kind}s"
        taken = json.loads(self.call(path, body))
        return f"{kind}Id", taken[f"{kind}Id"]

    def messages(self, field, movement):
        path = f"/{field[:-2]}s/{movement}/messages"
        return json.loads(self.call(f"{path}?count=500"))["messages"], path


def step():
    environ = os.environ
    message = environ["CTC_READY_MESSAGE"]
    api = Api(environ["CTC_READY_BASE_URL"], VERSIONS.get(environ["CTC_READY_PROGRAMME"], "2.1"))
    body = pathlib.Path(environ["CTC_READY_PAYLOAD"]).read_bytes()
    opens = message in ("IE015", "IE007")
    movement = None if opens else environ["CTC_READY_MOVEMENT_ID"]
    field, movement = api.send(message, body, movement)
    print(json.dumps({field: movement}))


def put(text, element, value):
    """The text with this value in the first such element."""
    return re.sub(rf"<{element}>[^<]*</{element}>|<{element}\s*/>",
                  f"<{element}>{value}</{element}>", text, count=1)


def play(args):
    folder = pathlib.Path(args.payloads) / args.scenario
    script = json.loads((folder / "script.json").read_text(encoding="utf-8"))
    api = Api(args.base_url, script["version"])
    pause = 1 / float(os.environ.get("TRADER_POLLS", "4"))
    lrn = os.environ.get("TRADER_LRN", "TR") + uuid.uuid4().hex.upper()
    known = {"lrn": lrn[:20]}
    seen = set()
    for number, step in enumerate(script["steps"], 1):
        if "send" in step:
            message = step["send"]
            field = "arrivalId" if message in ARRIVAL else "departureId"
            text = (folder / step["file"]).read_text(encoding="utf-8")
            text = put(text, "LRN", known["lrn"])
            if "mrn" in known:
                text = put(text, "MRN", known["mrn"])
            text = put(text, "messageIdentification", uuid.uuid4().hex)
            text = put(text, "preparationDateAndTime",
                       time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))
            opens = message in ("IE015", "IE007")
            field, movement = api.send(message, text.encode(), None if opens else known[field])
            known[field] = movement
            print(json.dumps(known), flush=True)
        missing = list(step.get("expect", []))
        end = time.monotonic() + args.timeout
        while missing:
            for field in ("departureId", "arrivalId"):
                if field not in known:
                    continue
                listed, path = api.messages(field, known[field])
                for one in reversed(listed):
                    if one["id"] in seen or one.get("type") not in missing:
                        continue
                    seen.add(one["id"])
                    missing.remove(one["type"])
                    xml = api.call(f"{path}/{one['id']}/body", what="xml").decode()
                    found = re.search(r"<MRN>([^<]+)</MRN>", xml)
                    if found and "mrn" not in known:
                        known["mrn"] = found.group(1)
            if missing:
                if time.monotonic() > end:
                    die(f"step {number}: {', '.join(missing)} did not come")
                time.sleep(pause)
    print(json.dumps(known))


def main():
    parser = argparse.ArgumentParser(description="A trader's software, in small.")
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("step")
    player = modes.add_parser("play")
    player.add_argument("--base-url", required=True)
    player.add_argument("--scenario", required=True)
    player.add_argument("--payloads", required=True)
    player.add_argument("--timeout", type=float, default=60)
    args = parser.parse_args()
    step() if args.mode == "step" else play(args)


main()
