package chembus

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func level(incident string, open bool, missing float64) *gap {
	return &gap{incident: incident, open: open, zooid: "of " + incident, missing: missing}
}

func newTestOutbox(t *testing.T, maxPending int) *outbox {
	t.Helper()
	o, err := newOutbox(maxPending)
	require.NoError(t, err)
	return o
}

// publishAll empties the outbox and returns what was in it.
func publishAll(o *outbox) []gap {
	var all []gap
	for g := o.Next(); g != nil; g = o.Next() {
		all = append(all, *g)
		o.Published(g)
	}
	return all
}

func TestOutbox(t *testing.T) {
	for _, test := range []struct {
		name   string
		levels []*gap
		want   []gap
	}{
		{"nothing", nil, nil},
		{"in the order in which they came", []*gap{level("b", true, 1), level("c", true, 1), level("a", true, 1)},
			[]gap{*level("b", true, 1), *level("c", true, 1), *level("a", true, 1)}},
		{"a repeated level keeps its place and brings the silence of now",
			[]*gap{level("a", true, 31), level("b", true, 32), level("a", true, 41)},
			[]gap{*level("a", true, 41), *level("b", true, 32)}},
		{"closed before anybody could hear of it", []*gap{level("a", true, 31), level("b", true, 32), level("a", false, 41)},
			[]gap{*level("b", true, 32)}},
		{"closed without having been open", []*gap{level("a", false, 41)}, nil},
		{"said to be open by another monitor after it was closed",
			[]*gap{level("a", true, 31), level("a", false, 41), level("a", true, 42)}, []gap{*level("a", true, 42)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newTestOutbox(t, 10)
			for _, g := range test.levels {
				require.Nil(t, o.Offer(g))
			}
			require.Equal(t, len(test.want), o.Pending())
			require.Equal(t, test.want, publishAll(o))
			require.Zero(t, o.Pending())
		})
	}
}

func TestOutboxPublishesOnce(t *testing.T) {
	o := newTestOutbox(t, 10)
	for range 3 {
		o.Offer(level("a", true, 31))
		require.Len(t, publishAll(o), 1)
		for range 3 {
			o.Offer(level("a", true, 41))
			require.Empty(t, publishAll(o))
		}
		o.Offer(level("a", false, 51))
		o.Offer(level("a", true, 51))
		require.Empty(t, publishAll(o))
		o = newTestOutbox(t, 10) // another run
	}
}

func TestOutboxDropsTheOldest(t *testing.T) {
	o := newTestOutbox(t, 3)
	for _, incident := range []string{"a", "b", "c"} {
		require.Nil(t, o.Offer(level(incident, true, 1)))
	}
	require.Nil(t, o.Offer(level("a", true, 2)), "it has its place already")
	require.Equal(t, "a", o.Offer(level("d", true, 1)).incident)
	require.Equal(t, "b", o.Offer(level("e", true, 1)).incident)
	require.Equal(t, 3, o.Pending())
	require.Equal(t, []gap{*level("c", true, 1), *level("d", true, 1), *level("e", true, 1)}, publishAll(o))

	o = newTestOutbox(t, 1)
	require.Nil(t, o.Offer(level("a", true, 1)))
	require.Equal(t, "a", o.Offer(level("b", true, 1)).incident)
	require.Equal(t, []gap{*level("b", true, 1)}, publishAll(o))
	require.Nil(t, o.Offer(level("a", true, 1)), "the level of what was dropped counts again")
	require.Equal(t, []gap{*level("a", true, 1)}, publishAll(o))
}

func TestOutboxRemembersWhatIsStillOpen(t *testing.T) {
	const maxPending = 10
	o := newTestOutbox(t, maxPending)
	o.Offer(level("open", true, 1))
	require.Len(t, publishAll(o), 1)
	for i := range 10 * rememberedFactor * maxPending {
		o.Offer(level(fmt.Sprint(i), true, 1))
		require.Len(t, publishAll(o), 1)
		o.Offer(level("open", true, 1)) // the next report
		require.Empty(t, publishAll(o))
	}
	require.LessOrEqual(t, o.published.Len(), rememberedFactor*maxPending)
}
