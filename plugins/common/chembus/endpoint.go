package chembus

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// The proxy's sockets on a default host.
const (
	DefaultSubscribeEndpoint = "tcp://127.0.0.1:5559" // XPUB: subscribers connect here
	DefaultPublishEndpoint   = "tcp://127.0.0.1:5558" // XSUB: publishers connect here
)

// NoEndpoint is the value of publish_endpoint with which a plugin publishes nothing.
const NoEndpoint = "none"

// SubscribeEndpoint returns where to hear the bus: the configured endpoint, else the environment's
// (KLR_CHEM_XPUB, then KLR_UMN_XPUB), else the standard port.
func SubscribeEndpoint(configured string) (string, error) {
	return resolve("subscribe_endpoint", configured, "KLR_CHEM_XPUB", "KLR_UMN_XPUB", DefaultSubscribeEndpoint)
}

// PublishEndpoint returns where to speak on the bus: the configured endpoint, else the environment's
// (KLR_CHEM_XSUB, then KLR_UMN_XSUB), else the standard port.
func PublishEndpoint(configured string) (string, error) {
	return resolve("publish_endpoint", configured, "KLR_CHEM_XSUB", "KLR_UMN_XSUB", DefaultPublishEndpoint)
}

// IsDefaultSubscribe reports whether SubscribeEndpoint returns the standard port for want of anything else.
func IsDefaultSubscribe(configured string) bool {
	endpoint, _ := choose(configured, "KLR_CHEM_XPUB", "KLR_UMN_XPUB")
	return endpoint == ""
}

// IsDefaultPublish reports whether PublishEndpoint returns the standard port for want of anything else.
func IsDefaultPublish(configured string) bool {
	endpoint, _ := choose(configured, "KLR_CHEM_XSUB", "KLR_UMN_XSUB")
	return endpoint == ""
}

// choose returns the endpoint, empty for the standard one, and where in the environment it is from.
func choose(configured, env, newerEnv string) (endpoint, origin string) {
	if configured != "" {
		return configured, ""
	}
	for _, variable := range []string{env, newerEnv} {
		if endpoint := os.Getenv(variable); endpoint != "" {
			return endpoint, " from the environment variable " + variable
		}
	}
	return "", ""
}

func resolve(name, configured, env, newerEnv, standard string) (string, error) {
	endpoint, origin := choose(configured, env, newerEnv)
	if endpoint == "" {
		return standard, nil
	}
	if problem := endpointProblem(endpoint); problem != "" {
		return "", &option.Error{
			Name:    name,
			Problem: fmt.Sprintf("%q%s %s", endpoint, origin, problem),
			Allowed: `use "tcp://HOST:PORT" or "ipc://PATH"`,
		}
	}
	return endpoint, nil
}

// maxPath is the longest path that a Unix socket can have, in bytes.
const maxPath = 107

// hostForm is what libzmq takes for the name or the IPv4 address of a host.
var hostForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)

// wellFormed reports whether libzmq takes the host: in brackets an IPv6 address.
func wellFormed(host string, bracketed bool) bool {
	if !bracketed {
		return hostForm.MatchString(host)
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Is6()
}

// endpointProblem says why nothing can connect to the endpoint; empty if it is well-formed.
func endpointProblem(endpoint string) string {
	if path, ok := strings.CutPrefix(endpoint, "ipc://"); ok {
		switch {
		case path == "" || path == "@":
			return "has no path"
		case len(path) > maxPath:
			return fmt.Sprintf("has a path of more than %d bytes", maxPath)
		}
		return ""
	}
	address, ok := strings.CutPrefix(endpoint, "tcp://")
	if !ok {
		return "is not a transport that the bus uses"
	}
	host, port, err := net.SplitHostPort(address)
	switch n, portErr := strconv.ParseUint(port, 10, 16); {
	case err != nil:
		return "is not HOST:PORT"
	case host == "" || host == "*":
		return "names no host; everybody connects to the bus, nobody binds"
	case !wellFormed(host, strings.HasPrefix(address, "[")):
		return "has a malformed host"
	case portErr != nil || n == 0:
		return "has no port between 1 and 65535"
	}
	return ""
}
