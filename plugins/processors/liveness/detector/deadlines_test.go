package detector

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDeadlines(t *testing.T) {
	var d deadlines
	a, b := &component{key: "a"}, &component{key: "b"}
	require.Nil(t, d.Expired(100))

	d.Add(a, 10)
	d.Add(b, 20)
	require.Nil(t, d.Expired(10), "not past its time yet")
	require.Same(t, a, d.Expired(11))
	require.Nil(t, d.Expired(11), "each once")

	d.Add(a, 30)
	d.Add(b, 15) // earlier than before: counts
	d.Add(b, 40) // later: it stays where it is
	require.Same(t, b, d.Expired(16))
	d.Add(b, 50)
	require.Nil(t, d.Expired(25), "the entry of b at 20 was overtaken")
	require.Same(t, a, d.Expired(100))
	require.Same(t, b, d.Expired(100))
	require.Nil(t, d.Expired(100))
	require.Zero(t, entries(&d))
}

// TestDeadlinesWithinASecond adds some before their second comes, and some in it: they expire in the order of time, and of the
// name where that is the same.
func TestDeadlinesWithinASecond(t *testing.T) {
	var d deadlines
	components := make(map[string]*component)
	add := func(key string, at time.Duration) {
		if components[key] == nil {
			components[key] = &component{key: key}
		}
		d.Add(components[key], at)
	}
	second := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	add("d", second(1.8))
	add("c", second(1.6))
	add("b", second(1.6))
	add("a", second(1.2))
	require.Nil(t, d.Expired(second(1.1)))
	add("e", second(1.4))
	add("d", second(1.3)) // earlier than before
	add("f", second(1.6))
	var order []string
	for c := d.Expired(second(1.9)); c != nil; c = d.Expired(second(1.9)) {
		order = append(order, c.key)
	}
	require.Equal(t, []string{"a", "d", "e", "b", "c", "f"}, order)
	require.Zero(t, entries(&d))
}

// TestBeatsDoNotFillTheQueue shows that the queue stays small however many beats come.
func TestBeatsDoNotFillTheQueue(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	for i := range 100_000 {
		d.Beat(beatOf("a", time.Duration(i)*time.Millisecond))
	}
	require.LessOrEqual(t, entries(&d.deadlines), 2)
}

// entries is how many entries there are, void ones too.
func entries(d *deadlines) int {
	n := len(d.soon) + len(d.due) - d.next
	for _, waiting := range d.slots {
		n += len(waiting)
	}
	return n
}

// TestVoidEntriesAreRemoved has components fall silent that would be removed in a year: one after the other makes room for
// another, or comes back.
func TestVoidEntriesAreRemoved(t *testing.T) {
	const limit = minVoid + 100
	c := configOf(Rule{Threshold: 3 * second, LateAfter: 2 * second})
	c.MaxComponents = 10
	c.Rule("", "").RetireAfter = 365 * 24 * time.Hour
	for name, key := range map[string]func(turn int) string{
		"make room": strconv.Itoa,
		"come back": func(turn int) string { return strconv.Itoa(turn % 10) },
	} {
		d := New(&c, "")
		d.Tick(0, 0)
		for turn := range 5000 {
			at := time.Duration(turn) * second
			d.Tick(0, at)
			d.Beat(beatOf(key(turn), at))
			require.LessOrEqual(t, entries(&d.deadlines), limit, name)
		}
	}
}
