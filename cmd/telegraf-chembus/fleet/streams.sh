#!/bin/sh
# Creates the two streams of a fleet, once, before the first Telegraf is started. NATS_URL names a server; REPLICAS is 3 in a
# cluster of three, PARTITIONS the number of partitions.
set -eu

# The window: how long heartbeats are kept for a central Telegraf that does not run. What HOST publishes on beats.HOST is
# kept as fleet.PARTITION.HOST.
nats stream add BEATS --subjects 'beats.*,fleet.*.*' --storage file --retention limits --discard old \
	--transform-source 'beats.*' \
	--transform-destination "fleet.{{partition(${PARTITIONS:-16},1)}}.{{wildcard(1)}}" \
	--max-age 10m --replicas "${REPLICAS:-1}" --defaults
# The last message of each incident, kept as gaps.PARTITION.HOST.INCIDENT. Each host has a consumer; a server's default are 1000.
nats stream add GAPS --subjects 'gaps.*.*,gaps.*.*.*' --storage file --retention limits --discard old \
	--transform-source 'gaps.*.*' \
	--transform-destination "gaps.{{partition(${PARTITIONS:-16},1)}}.{{wildcard(1)}}.{{wildcard(2)}}" \
	--max-msgs-per-subject 1 --max-consumers 100000 --max-age 24h --replicas "${REPLICAS:-1}" --defaults
