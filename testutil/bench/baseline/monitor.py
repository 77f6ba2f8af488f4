"""A small daemon that polls, the usual alternative to telegraf-chembus.

It stores when each zooid was last heard, checks all of them every --poll seconds, and publishes one gap for each that
was silent for longer than --threshold. After --count beats it prints "received".
"""
import argparse
import json
import time
import uuid

import zmq


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--xpub", required=True, help="endpoint of the bus for subscribers")
    arguments.add_argument("--xsub", help="endpoint of the bus for publishers; without it no gaps are published")
    arguments.add_argument("--signal", default="CAPABILITY_GAP")
    arguments.add_argument("--threshold", type=float, default=30)
    arguments.add_argument("--poll", type=float, default=15)
    arguments.add_argument("--count", type=int, default=0)
    args = arguments.parse_args()

    context = zmq.Context()
    sub = context.socket(zmq.SUB)
    sub.setsockopt(zmq.RCVHWM, 1000)
    sub.setsockopt(zmq.SUBSCRIBE, b"HEARTBEAT")
    sub.connect(args.xpub)
    pub = None
    if args.xsub:
        pub = context.socket(zmq.PUB)
        pub.setsockopt(zmq.SNDHWM, 1000)
        pub.connect(args.xsub)

    last_seen = {}
    gaps = set()
    received = 0
    next_check = time.monotonic() + args.poll
    while True:
        now = time.monotonic()
        if now >= next_check:
            next_check += args.poll
            check(last_seen, gaps, args, pub)
        if not sub.poll(max(0, next_check - now) * 1000):
            continue
        while True:
            try:
                frames = sub.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            if len(frames) != 2 or frames[0] != b"HEARTBEAT":
                continue
            try:
                zooid = json.loads(frames[1])["facts"]["zooid"]
            except (ValueError, KeyError, TypeError):
                continue
            last_seen[zooid] = time.time()
            gaps.discard(zooid)
            received += 1
            if received == args.count:
                print("received", flush=True)


def check(last_seen, gaps, args, pub):
    now = time.time()
    for zooid, seen in last_seen.items():
        if now - seen <= args.threshold or zooid in gaps:
            continue
        gaps.add(zooid)
        if pub is None:
            continue
        pub.send_multipart([args.signal.encode(), json.dumps({
            "signal": args.signal,
            "ecosystem": "monitoring",
            "intensity": 1.0,
            "facts": {
                "gap_type": "heartbeat_missing",
                "gap_name": "heartbeat_" + zooid,
                "gap_category": "liveness",
                "gap_reason": "no heartbeat",
                "zooid": zooid,
                "last_seen": seen,
                "missing_seconds": now - seen,
            },
            "incident_id": str(uuid.uuid4()),
            "trace": None,
            "ts": now,
            "schema_version": 1,
        }, separators=(",", ":")).encode()])


if __name__ == "__main__":
    main()
