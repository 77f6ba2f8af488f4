package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writer takes the levels of monitor 0; those of a dead process are lost.
type writer struct {
	*levels
	dead  bool
	lines []string
}

func newWriter(failures ...failure) *writer {
	w := &writer{}
	w.levels = &levels{
		start: time.Now(), failures: failures, open: make(map[int]bool), ending: make(map[int]int),
		write: func(line string) bool {
			if !w.dead {
				w.lines = append(w.lines, line)
			}
			return !w.dead
		},
		written: func(time.Time, int, levelEvent) {},
	}
	return w
}

// events are those of the lines since the last call.
func (w *writer) events() []string {
	var all []string
	for _, line := range w.lines {
		_, rest, _ := strings.Cut(line, `event="`)
		event, _, _ := strings.Cut(rest, `"`)
		all = append(all, event)
	}
	w.lines = nil
	return all
}

func TestLevelsAreRepeated(t *testing.T) {
	w := newWriter(foundByAll)
	w.turn(turn{failure: 0, event: opened})
	w.report()
	w.dead = true
	w.report()
	w.dead = false
	w.report()
	require.Equal(t, []string{"opened", "repeated", "repeated"}, w.events())
	w.dead = true
	w.turn(turn{failure: 0, event: closed})
	w.dead = false
	for range 5 {
		w.report()
	}
	require.Equal(t, []string{"closed", "closed", "closed"}, w.events(), "a lost one does not count")
}

func TestEndIsNotRepeatedOnceTheComponentFailsAgain(t *testing.T) {
	w := newWriter(foundByAll, foundByAll)
	w.turn(turn{failure: 0, event: opened})
	w.turn(turn{failure: 0, event: closed})
	w.turn(turn{failure: 1, event: opened})
	w.report()
	require.Equal(t, []string{"opened", "closed", "opened", "repeated"}, w.events())
}

func TestTurnsAreInOrder(t *testing.T) {
	unfound := foundByAll
	unfound.finds[0] = never
	later := foundByAll
	later.finds[0], later.back[0] = 90*second, 95*second
	require.Equal(t, []turn{
		{90 * second, 2, opened}, {95 * second, 2, closed}, {100 * second, 1, opened}, {140 * second, 1, closed},
	}, turns([]failure{unfound, foundByAll, later}, 0))
}
