"""A component that sends heartbeats as the emitters on ChemBus do.

usage: emitter.py NAME NICHE INTERVAL STREAMS
"""

import json
import os
import sys
import threading
import time

import zmq

name, niche, interval, streams = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])


def stream(context):
    socket = context.socket(zmq.PUB)
    socket.sndhwm = 1000
    socket.linger = 0
    socket.connect(os.environ["KLR_CHEM_XSUB"])
    time.sleep(0.2)  # the real emitters wait for the connection, too
    first = True
    while True:
        facts = {"zooid": name, "niche": niche, "uptime_s": time.time(), "processed_count": 0}
        message = {
            "signal": "HEARTBEAT", "ecosystem": "colony", "intensity": 1.0, "facts": facts,
            "incident_id": None, "trace": None, "ts": time.time(), "schema_version": 1, "channel": "legacy",
        }
        frames = [b"HEARTBEAT", json.dumps(message, separators=(",", ":")).encode()]
        socket.send_multipart(frames)
        if first:
            time.sleep(0.15)
            socket.send_multipart(frames)
            first = False
        time.sleep(interval)


context = zmq.Context()
threads = [threading.Thread(target=stream, args=(context,)) for _ in range(streams)]
for thread in threads:
    thread.start()
    time.sleep(0.1)
for thread in threads:
    thread.join()
