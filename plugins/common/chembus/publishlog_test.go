package chembus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/testutil"
)

func TestNothingComesBackIsLoggedWithItsCause(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	for want, view := range map[string]PublishView{
		`Nothing goes out: no connection to the bus at "tcp://bus:1" for 30s. Check that its proxy runs, and publish_endpoint`: {Refusals: 1},
		`Nothing goes out: no connection to the bus at "tcp://bus:2", from which what is published comes back, for 30s`:        {Up: true},
		`Nothing goes out: for 30s nothing that was sent to "tcp://bus:1" has come back from "tcp://bus:2"`:                    {Up: true, Hears: true},
		`probably since somebody subscribes to a topic of more than 1048576 bytes`:                                             {Refusals: 3, Hears: true},
	} {
		var log testutil.CaptureLogger
		l := PublishLog{PublishEndpoint: "tcp://bus:1", SubscribeEndpoint: "tcp://bus:2", Log: &log}
		view.Effect, view.Returned = "Nothing goes out", start
		l.Update(PublishView{Returned: start, Refusals: min(view.Refusals, 1)}, start) // one was before
		for second := range 100 {
			works := l.Update(view, start.Add(time.Duration(second)*time.Second))
			require.Equal(t, second < 30, works)
			require.Equal(t, works, len(log.Messages()) == 0)
		}
		require.Len(t, log.Messages(), 1, "once")
		require.Equal(t, testutil.LevelWarn, rune(log.Messages()[0].Level))
		require.Contains(t, log.Messages()[0].Text, want)

		view.Returned = start.Add(100 * time.Second)
		require.True(t, l.Update(view, view.Returned))
		require.Len(t, log.Messages(), 2)
		require.Equal(t, `What is published at "tcp://bus:1" comes back from the bus again`, log.Messages()[1].Text)
	}
}
