package detector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// TestEndsAreBounded has more gaps closed between two reports than are repeated: the latest are.
func TestEndsAreBounded(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	for i := range maxEnded + 2 {
		d.Beat(beatOf(fmt.Sprintf("%04d", i), 0))
	}
	observe(d, 0, 31*second)
	for i := range maxEnded + 2 {
		require.Len(t, closedIn(d.Beat(beatOf(fmt.Sprintf("%04d", i), 31*second))), 1)
	}
	require.Len(t, d.Ended(), maxEnded)
	require.Equal(t, "0002", d.Ended()[0].Key)
}

// TestEndWithAReport retires a silent component at the tick that brings a report: the next two reports repeat that its gap is
// closed.
func TestEndWithAReport(t *testing.T) {
	rule := *config.Rule("", "")
	config := configOf(rule)
	rule.RetireAfter = 49 * second
	config.Rule = func(string, string) *Rule { return &rule }
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	reports := make(map[time.Duration]int)
	for at := second; at <= 90*second; at += second {
		if closed := closedIn(d.Tick(0, at)); closed != nil {
			reports[at] = len(closed)
		}
	}
	require.Equal(t, map[time.Duration]int{50 * second: 1, 60 * second: 1, 70 * second: 1}, reports)
}

// TestMembersFitIntoALine has an outage of components with long names.
func TestMembersFitIntoALine(t *testing.T) {
	config := config
	config.OutageCount = 1
	d := New(&config, "")
	d.Tick(0, 0)
	const components = 50
	for i := range components {
		d.Beat(beatOf(fmt.Sprint(i, strings.Repeat("x", 250)), 0))
	}
	var outage *Gap
	for _, f := range observe(d, 0, 60*second) {
		if f.Gap != nil && f.Gap.Type == gaptype.Outage {
			outage = f.Gap
		}
	}
	require.NotNil(t, outage)
	require.Equal(t, components-1, outage.Size)
	length := len(strings.Join(outage.Members, ""))
	require.LessOrEqual(t, length, maxMembersLength)
	require.Greater(t, length, maxMembersLength-260)
}
