package liveness

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
)

// TestReadmeHasTheAPI requires that the README names each key of the API, and that its example has no other.
func TestReadmeHasTheAPI(t *testing.T) {
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, api, found := strings.Cut(string(content), "\n## API\n")
	require.True(t, found)
	api, example, found := strings.Cut(api, "\n## Example Output\n")
	require.True(t, found)
	for _, answer := range []any{summarized{}, status.BusRow{}, status.OutputRow{}, status.Row{}, status.GapRow{}, status.Event{}} {
		for _, key := range keys(reflect.TypeOf(answer)) {
			require.Regexp(t, `\b`+key+`\b`, api, "%T", answer)
		}
	}

	_, example, found = strings.Cut(example, "```json\n")
	require.True(t, found)
	example, _, _ = strings.Cut(example, "```")
	decoder := json.NewDecoder(bytes.NewBufferString(example))
	decoder.DisallowUnknownFields()
	var answer summarized
	require.NoError(t, decoder.Decode(&answer))
	encoded, err := json.Marshal(answer)
	require.NoError(t, err)
	require.JSONEq(t, string(encoded), example, "every key that is not optional is there")
}

// keys returns the keys of a struct in JSON, but not those of structs in it that have a key.
func keys(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name != "":
			names = append(names, name)
		case of.Field(i).Anonymous:
			names = append(names, keys(of.Field(i).Type)...)
		}
	}
	return names
}
