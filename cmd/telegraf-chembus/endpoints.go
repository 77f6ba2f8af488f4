//go:build cgo

package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	input "github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	output "github.com/kloros/telegraf-chembus/plugins/outputs/chembus"
)

// endpoints are where a plugin connects to the bus, as the options, the environment or the defaults say.
type endpoints struct {
	subscribe, publish string // publish is empty if the plugin publishes nothing
}

// endpointsOf returns the endpoints of a plugin; false if it has none, or bad ones, which its Init reports.
func endpointsOf(plugin telegraf.PluginDescriber) (endpoints, bool) {
	var e endpoints
	var subscribe, publish string
	switch p := plugin.(type) {
	case *input.ChemBus:
		subscribe, publish = p.SubscribeEndpoint, p.PublishEndpoint
		if !p.Probe && p.AnnounceAs == "" {
			publish = bus.NoEndpoint
		}
	case *output.ChemBus:
		subscribe, publish = p.SubscribeEndpoint, p.PublishEndpoint
	default:
		return e, false
	}
	var err error
	if e.subscribe, err = bus.SubscribeEndpoint(subscribe); err != nil {
		return e, false
	}
	if publish != bus.NoEndpoint {
		if e.publish, err = bus.PublishEndpoint(publish); err != nil {
			return e, false
		}
	}
	return e, true
}

// hostAndPort splits an endpoint. Of an ipc endpoint the path is the port. All names of this host are one.
func hostAndPort(endpoint string) (host, port string) {
	address, isTCP := strings.CutPrefix(endpoint, "tcp://")
	if !isTCP {
		return "this host", endpoint
	}
	host, port, _ = net.SplitHostPort(address) // it is well-formed
	if ip := net.ParseIP(host); strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback() {
		return "this host", port
	}
	return strings.ToLower(host), port
}

// sameEndpoint reports whether two endpoints are one.
func sameEndpoint(a, b string) bool {
	hostA, portA := hostAndPort(a)
	hostB, portB := hostAndPort(b)
	return hostA == hostB && portA == portB
}

// exchanged are the ports for publishers by those for subscribers, if the two of a known proxy are exchanged.
var exchanged = map[string]string{"5558": "5559", "5556": "5557"}

// checkEndpoints returns what keeps a plugin from hearing or reaching the bus.
func checkEndpoints(plugin telegraf.PluginDescriber) error {
	e, ok := endpointsOf(plugin)
	if !ok || e.publish == "" {
		return nil
	}
	if sameEndpoint(e.subscribe, e.publish) {
		return &option.Error{
			Name:    "publish_endpoint",
			Problem: fmt.Sprintf("%q is also the subscribe_endpoint, and a bus has one socket for each", e.publish),
			Allowed: "use the endpoint of its XSUB socket, by default port 5558",
		}
	}
	_, subscribe := hostAndPort(e.subscribe)
	if _, publish := hostAndPort(e.publish); exchanged[subscribe] == publish {
		return &option.Error{
			Name: "subscribe_endpoint",
			Problem: fmt.Sprintf("%q has the port for publishers, and publish_endpoint, %q, the one for subscribers",
				e.subscribe, e.publish),
			Allowed: "exchange them",
		}
	}
	return nil
}

// suspiciousEndpoints returns what may be meant so, but most likely is not: two hosts, and tables for two buses.
func suspiciousEndpoints(plugin telegraf.PluginDescriber, others []telegraf.PluginDescriber) []error {
	e, ok := endpointsOf(plugin)
	if !ok {
		return nil
	}
	var found []error
	subscribeHost, _ := hostAndPort(e.subscribe)
	if host, _ := hostAndPort(e.publish); e.publish != "" && host != subscribeHost {
		found = append(found, &option.Error{
			Name:    "publish_endpoint",
			Problem: fmt.Sprintf("%q is on another host than subscribe_endpoint, %q, and a bus has both on one", e.publish, e.subscribe),
			Allowed: "name the same host in both, unless it has two names",
		})
	}
	if _, ok := plugin.(*output.ChemBus); !ok {
		return found
	}
	for _, other := range others {
		in, ok := other.(*input.ChemBus)
		if !ok {
			continue
		}
		of, ok := endpointsOf(in)
		if !ok {
			continue
		}
		differs := func(name, here, there string) {
			if here != "" && there != "" && !sameEndpoint(here, there) {
				found = append(found, &option.Error{
					Name: name,
					Problem: fmt.Sprintf("%q is not that of [[inputs.chembus]], %q, so gaps go to another bus than the one that is monitored",
						here, there),
					Allowed: "use the same in both tables, unless that is meant",
				})
			}
		}
		differs("publish_endpoint", e.publish, of.publish)
		differs("subscribe_endpoint", e.subscribe, of.subscribe)
	}
	return found
}
