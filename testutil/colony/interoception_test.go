package colony_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

func TestOtherMonitor(t *testing.T) {
	bus := startBus(t)
	col, _ := startColonyOn(t, bus, colony.Config{})
	gaps := listen(t, bus, colony.GapTopic)
	monitor, err := colony.NewInteroception(bus.XSub(), bus.XPub(), 2*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, monitor.Close()) })
	require.NoError(t, connect(t, bus).WaitSubscribed(limit(t), colony.GapTopic))

	// The subscriptions to HEARTBEAT of the test and of the monitor cannot be told apart: the beats go on until it hears some.
	require.NoError(t, col.Add(
		colony.Zooid{Name: "dies", Interval: 20 * time.Millisecond}, colony.Zooid{Name: "lives", Interval: 20 * time.Millisecond}))
	beat := listen(t, bus, colony.Topic)
	require.NoError(t, beat.Wait(limit(t), beats("dies", 50)))
	require.NoError(t, col.Kill("dies"))
	require.NoError(t, gaps.Wait(limit(t), atLeast(2)))

	first, second := gaps.Received()[0], gaps.Received()[1]
	require.Equal(t, string(first.Payload), string(second.Payload), "the first message is sent twice")
	require.True(t, first.Handled)
	require.True(t, second.Handled, "without an incident_id each copy is handled")
	require.Equal(t, 1.5, first.Intensity)
	require.Nil(t, first.IncidentID)
	require.Equal(t, "component_silent", first.Facts["gap_type"])
	require.Equal(t, "component_dies", first.Facts["gap_name"])
	require.Equal(t, "component_health", first.Facts["gap_category"])
	require.Equal(t, "dies", first.Facts["zooid"])
	require.NotEmpty(t, first.Facts["gap_reason"])

	require.NoError(t, col.Revive("dies"))
	require.NoError(t, beat.Wait(limit(t), func(received []consumer.Message) bool {
		return len(received) > 0 && received[len(received)-1].Facts["zooid"] == "dies"
	}))
	require.NoError(t, col.Kill("dies"))
	require.NoError(t, gaps.Wait(limit(t), atLeast(3)), "a new silence")

	_, err = colony.NewInteroception(bus.XSub(), bus.XPub(), 0)
	require.ErrorContains(t, err, "above 0")
}
