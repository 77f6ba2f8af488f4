package watch

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestJSONIsASCII requires that names are escaped and can be read back.
func TestJSONIsASCII(t *testing.T) {
	s := Snapshot{Time: at.UTC(), Notes: []string{"a note"}, Zooids: []Zooid{}}
	for _, name := range append(hostileNames, "plain", `"quoted" \ <b>`) {
		s.Zooids = append(s.Zooids, Zooid{Name: name, Niche: name})
	}
	var out bytes.Buffer
	require.NoError(t, s.WriteJSON(&out))
	text, last := out.Bytes()[:out.Len()-1], out.Bytes()[out.Len()-1]
	require.Equal(t, byte('\n'), last)
	for _, c := range text {
		require.True(t, c >= ' ' && c < 0x7f, "%q", text)
	}
	var read Snapshot
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, s, read)
}
