package judge

import (
	"container/heap"
	"time"
)

// deadlines is a lazy queue: a component stands in it at or before the time of its next change, so
// that a beat, which only moves that time away, need not touch it.
type deadlines []deadline

type deadline struct {
	at        time.Duration
	component *component
}

// Add makes sure that the component is looked at when its next change is due.
func (d *deadlines) Add(c *component, at time.Duration) {
	if c.queued && c.queuedAt <= at {
		return
	}
	c.queued, c.queuedAt = true, at
	heap.Push(d, deadline{at: at, component: c})
}

// Expired removes and returns a component that was queued for a time before now; nil when there is
// none.
func (d *deadlines) Expired(now time.Duration) *component {
	for len(*d) > 0 && (*d)[0].at < now {
		first := heap.Pop(d).(deadline)
		// An entry that was overtaken by an earlier one of the same component is void.
		if c := first.component; c.queued && c.queuedAt == first.at {
			c.queued = false
			return c
		}
	}
	return nil
}

// Len, Less, Swap, Push and Pop make it a heap.Interface.
func (d deadlines) Len() int { return len(d) }
func (d deadlines) Less(i, j int) bool {
	if d[i].at != d[j].at {
		return d[i].at < d[j].at
	}
	return d[i].component.Key < d[j].component.Key // the same order in every judge
}
func (d deadlines) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *deadlines) Push(x any)   { *d = append(*d, x.(deadline)) }
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	(*d)[last] = deadline{}
	*d = (*d)[:last]
	return x
}
