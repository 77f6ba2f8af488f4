package chembus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

func TestGapsThatWaitAreLogged(t *testing.T) {
	for _, test := range []struct {
		connected, hearing, listened bool
		want                         string
	}{
		{false, false, false, `3 gaps wait: no connection to the bus at "tcp://bus:1"`},
		{true, false, false, `3 gaps wait: no connection to the bus at "tcp://bus:2", from which the acks come`},
		{true, true, false, `3 gaps wait: nobody on the bus at "tcp://bus:1" subscribes to "CAPABILITY_GAP"`},
		{true, true, true, `3 gaps wait: the bus at "tcp://bus:1" does not forward them`},
	} {
		log := &testutil.CaptureLogger{}
		w := waitLog{waits: logging.Problem{Tolerance: waitTolerance}, plugin: &ChemBus{Log: log, endpoint: "tcp://bus:1", subscribeEndpoint: "tcp://bus:2", Signal: topic}}
		update := func(pending int, at time.Time) {
			w.Update(pending, test.connected, test.hearing, test.listened, at)
		}
		update(0, now)
		update(2, now)
		update(2, now.Add(waitTolerance-1))
		require.Empty(t, log.Messages())
		update(3, now.Add(waitTolerance))
		update(3, now.Add(time.Hour))
		require.Len(t, log.Messages(), 1, "once")
		require.Contains(t, log.Messages()[0].Text, test.want)
		update(0, now.Add(time.Hour))
		require.Len(t, log.Messages(), 2, "and when it clears")
	}
}
