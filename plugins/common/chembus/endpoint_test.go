package chembus

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

func TestEndpointsComeFromConfigurationThenEnvironmentThenStandard(t *testing.T) {
	for _, side := range []struct {
		name           string
		resolve        func(string) (string, error)
		older, newer   string
		standard, port string
	}{
		{"subscribe", SubscribeEndpoint, "KLR_CHEM_XPUB", "KLR_UMN_XPUB", "tcp://127.0.0.1:5559", "9"},
		{"publish", PublishEndpoint, "KLR_CHEM_XSUB", "KLR_UMN_XSUB", "tcp://127.0.0.1:5558", "8"},
	} {
		const configured, older, newer = "tcp://configured:1", "tcp://older:2", "ipc:///newer"
		for _, test := range []struct{ configured, older, newer, expected string }{
			{configured, older, newer, configured},
			{"", older, newer, older},
			{"", "", newer, newer},
			{"", older, "", older},
			{"", "", "", side.standard},
			{configured, "nonsense", "nonsense", configured},
			{"", older, "nonsense", older},
		} {
			t.Setenv(side.older, test.older)
			t.Setenv(side.newer, test.newer)
			endpoint, err := side.resolve(test.configured)
			require.NoError(t, err, "%s %+v", side.name, test)
			require.Equal(t, test.expected, endpoint, "%s %+v", side.name, test)
		}
	}
}

func TestEndpointsThatNothingCanConnectTo(t *testing.T) {
	for endpoint, problem := range map[string]string{
		"127.0.0.1:5559":                       "is not a transport",
		"udp://127.0.0.1:5559":                 "is not a transport",
		"inproc://bus":                         "is not a transport",
		"none":                                 "is not a transport",
		"tcp://":                               "is not HOST:PORT",
		"tcp://127.0.0.1":                      "is not HOST:PORT",
		"tcp://::1:5559":                       "is not HOST:PORT",
		"tcp://*:5559":                         "nobody binds",
		"tcp://:5559":                          "nobody binds",
		"tcp://a b:5559":                       "malformed host",
		"tcp://${NOPE}:5559":                   "malformed host",
		"tcp://_bus:5559":                      "malformed host",
		"tcp://-a:5559":                        "malformed host",
		"tcp://büs:5559":                       "malformed host",
		"tcp://[abc]:5559":                     "malformed host",
		"tcp://[127.0.0.1]:5559":               "malformed host",
		"ipc://@":                              "has no path",
		"tcp://127.0.0.1:0":                    "no port between",
		"tcp://127.0.0.1:65536":                "no port between",
		"tcp://127.0.0.1:x":                    "no port between",
		"tcp://127.0.0.1:*":                    "no port between",
		"ipc://":                               "has no path",
		"ipc:///" + strings.Repeat("p", 107):   "more than 107 bytes",
		"tcp://127.0.0.1:5559;tcp://127.0.0.1": "is not HOST:PORT",
	} {
		_, err := SubscribeEndpoint(endpoint)
		require.ErrorContains(t, err, problem, endpoint)
		require.ErrorContains(t, err, `option "subscribe_endpoint"`, endpoint)
		var wrong *option.Error
		require.ErrorAs(t, err, &wrong)
		require.NotEmpty(t, wrong.Allowed)
	}
	for _, endpoint := range []string{
		"tcp://localhost:5559", "tcp://[::1]:5559", "tcp://my_bus-1:5559", "tcp://bus.example:65535", "ipc:///run/bus",
		"ipc:///" + strings.Repeat("p", 106),
	} {
		_, err := PublishEndpoint(endpoint)
		require.NoError(t, err, endpoint)
	}
}

func TestBadEndpointOfTheEnvironmentSaysWhere(t *testing.T) {
	t.Setenv("KLR_CHEM_XPUB", "")
	t.Setenv("KLR_UMN_XPUB", "localhost:5559")
	_, err := SubscribeEndpoint("")
	require.EqualError(t, err, `option "subscribe_endpoint": "localhost:5559" from the environment variable KLR_UMN_XPUB `+
		`is not a transport that the bus uses; use "tcp://HOST:PORT" or "ipc://PATH"`)
}
