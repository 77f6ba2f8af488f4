package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHostileInput sends invalid messages, and names that must be escaped in line protocol, through the whole chain.
func TestHostileInput(t *testing.T) {
	// With a high mass_count each of the odd names has a gap of its own.
	s := newScene(t, strings.Replace(quick, "[[processors.liveness]]", "[[processors.liveness]]\n  mass_count = 1000", 1))
	gaps := s.consumer()
	c := s.colony(3)
	p := s.publisher()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.NoError(t, p.WaitSubscribed(ctx, "HEARTBEAT"))

	named := func(name any) []byte {
		payload, err := json.Marshal(map[string]any{"facts": map[string]any{"zooid": name}})
		require.NoError(t, err)
		return payload
	}
	good := named("never")
	hostile := map[string][][][]byte{
		"topic": {{[]byte("HEARTBEAT_X"), good}},
		"frames": {
			{[]byte("HEARTBEAT")},
			{[]byte("HEARTBEAT"), good, good},
		},
		"oversize": {{[]byte("HEARTBEAT"), bytes.Repeat([]byte(" "), 1<<20)}},
		"json": {
			{[]byte("HEARTBEAT"), []byte("not JSON")},
			{[]byte("HEARTBEAT"), []byte("NaN")},
			{[]byte("HEARTBEAT"), []byte(`[{"facts":{"zooid":"never"}}]`)},
			{[]byte("HEARTBEAT"), []byte("{\"facts\":{\"zooid\":\"\xff\"}}")},
			{[]byte("HEARTBEAT"), nil},
		},
		"no_zooid": {
			{[]byte("HEARTBEAT"), []byte(`{}`)},
			{[]byte("HEARTBEAT"), []byte(`{"facts":{}}`)},
		},
		"bad_name": {
			{[]byte("HEARTBEAT"), named(42)},
			{[]byte("HEARTBEAT"), named("")},
			{[]byte("HEARTBEAT"), named(strings.Repeat("x", 10<<10))},
			{[]byte("HEARTBEAT"), named("line\nbreak,zooid=never observed_s=1")},
			{[]byte("HEARTBEAT"), named("\x1b[31mred")},
			{[]byte("HEARTBEAT"), named(`ends in \`)},
		},
	}
	for _, messages := range hostile {
		for _, frames := range messages {
			require.NoError(t, p.Send(frames...))
		}
	}
	odd := []string{`"quoted"`, "a b", "a,zooid=b", "a=b", `back\slash`, `\,`, "Grüße", "💩", "# not a comment", "'; DROP DATABASE telegraf; --"}
	for _, name := range odd {
		require.NoError(t, p.Send([]byte("HEARTBEAT"), named(name)))
	}

	for reason, messages := range hostile {
		s.wait("rejected for "+reason, func() bool {
			return s.number(`SELECT last(rejected_%s) AS value FROM chembus_bus`, reason) == float64(len(messages))
		})
	}
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, name := range odd {
		s.wait(name+" is a tag of its own", func() bool { return s.up(quote.Replace(name)) >= 0 })
	}
	s.wait("the components with odd names are silent", func() bool { return len(gaps.Received()) >= len(odd) })
	s.observe(1)
	require.ElementsMatch(t, odd, zooidsOf(gaps.Received()))

	rows, err := s.influx.Query(database, `SHOW TAG VALUES FROM liveness WITH KEY = zooid`)
	require.NoError(t, err)
	var zooids []string
	for _, row := range rows {
		zooids = append(zooids, fmt.Sprint(row["value"]))
	}
	require.ElementsMatch(t, append(odd, c.Names()...), zooids, "no other names")
	log := s.telegraf.Output()
	require.Equal(t, 1, strings.Count(log, "Messages rejected"), "one line per minute")
	for line := range strings.Lines(log) {
		// Telegraf must be able to parse the metrics of input and processor.
		require.NotContains(t, line, "E! [inputs.execd]")
		require.NotContains(t, line, "E! [processors.execd]")
	}
	require.NotContains(t, log, "\x1b")
}
