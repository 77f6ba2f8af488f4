"""A consumer of CAPABILITY_GAP with the deduplication of the real ones.

A message is handled unless its incident_id is a string seen in the last 60 s. Prints one JSON object per line:
{"ready": true} once connected, then {"handled": bool, "payload": text} for each message.
"""

import json
import os
import sys
import time

import zmq

context = zmq.Context()
socket = context.socket(zmq.SUB)
socket.rcvhwm = 1000
socket.linger = 0
socket.connect(os.environ["KLR_CHEM_XPUB"])
socket.setsockopt(zmq.SUBSCRIBE, b"CAPABILITY_GAP")
print(json.dumps({"ready": True}), flush=True)

seen = {}
while True:
    frames = socket.recv_multipart()
    if len(frames) != 2 or frames[0] != b"CAPABILITY_GAP":
        print(json.dumps({"malformed": [f.decode(errors="replace") for f in frames]}), flush=True)
        continue
    payload = frames[1].decode()
    incident = json.loads(payload)["incident_id"]
    now = time.monotonic()
    handled = True
    if isinstance(incident, str):
        handled = now - seen.get(incident, -1e9) > 60
        seen[incident] = now
    print(json.dumps({"handled": handled, "payload": payload}), flush=True)
