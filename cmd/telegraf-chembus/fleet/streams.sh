#!/bin/sh
# Creates the two streams of a fleet, once, before the first Telegraf is started. NATS_URL names a server; REPLICAS is 3 in a
# cluster of three.
set -eu

# The window: how long heartbeats are kept for a central Telegraf that does not run.
nats stream add BEATS --subjects 'beats.*' --storage file --retention limits --discard old \
	--max-age 10m --replicas "${REPLICAS:-1}" --defaults
# The last message of each incident.
nats stream add GAPS --subjects 'gaps.*.*' --storage file --retention limits --discard old \
	--max-msgs-per-subject 1 --max-age 24h --replicas "${REPLICAS:-1}" --defaults
