package detector

import (
	"container/heap"
	"time"
)

// deadlines is a lazy queue: a component stands in it at or before the time of its next change, so
// that a beat, which only moves that time away, need not touch it.
//
// Components wait unsorted in the slot of their second. When it comes, those that were heard meanwhile
// go on to a later one, and only the rest is put in order.
type deadlines struct {
	// Next is when the next change of a component is due by now; nil: when it was queued for.
	Next func(*component) time.Duration

	slot  int64                  // the last one that was opened
	slots map[int64][]*component // those after it
	soon  queue                  // of those up to it
	spare []*component           // an empty slot, to be used again
}

// slotWidth is the time that one slot stands for.
const slotWidth = time.Second

type deadline struct {
	at        time.Duration
	component *component
}

func slotOf(at time.Duration) int64 {
	return int64(at / slotWidth)
}

// Add makes sure that the component is looked at when its next change is due.
func (d *deadlines) Add(c *component, at time.Duration) {
	if c.queued && c.queuedAt <= at {
		return
	}
	slot := slotOf(at)
	waits := c.queued && slotOf(c.queuedAt) == slot
	c.queued, c.queuedAt = true, at
	switch {
	case slot <= d.slot:
		heap.Push(&d.soon, deadline{at: at, component: c})
	case !waits:
		if d.slots == nil {
			d.slots = make(map[int64][]*component)
		}
		waiting, known := d.slots[slot]
		if !known {
			waiting, d.spare = d.spare, nil
		}
		d.slots[slot] = append(waiting, c)
	}
}

// Expired removes and returns a component that was queued for a time before now, the earliest first; nil
// when there is none.
func (d *deadlines) Expired(now time.Duration) *component {
	for {
		for len(d.soon) > 0 && d.soon[0].at < now {
			first := heap.Pop(&d.soon).(deadline)
			// An entry that was overtaken by an earlier one of the same component is void.
			if c := first.component; c.queued && c.queuedAt == first.at {
				c.queued = false
				return c
			}
		}
		if d.slot >= slotOf(now) {
			return nil
		}
		d.open(slotOf(now))
	}
}

// open opens the next slot that is not empty, or the last.
func (d *deadlines) open(last int64) {
	d.slot++
	if last-d.slot > int64(len(d.slots)) {
		d.slot = last
		for slot := range d.slots {
			d.slot = min(d.slot, slot)
		}
	}
	waiting, ok := d.slots[d.slot]
	if !ok {
		return
	}
	delete(d.slots, d.slot)
	for _, c := range waiting {
		if !c.queued || slotOf(c.queuedAt) != d.slot {
			continue // overtaken, too
		}
		next := c.queuedAt
		if d.Next != nil {
			next = max(next, d.Next(c))
		}
		c.queued = false
		if next != never {
			d.Add(c, next)
		}
	}
	clear(waiting)
	d.spare = waiting[:0]
}

// queue is in the order of time, and of the name where that is the same: so it is the same in every detector.
// It is a heap.Interface.
type queue []deadline

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].component.key < q[j].component.key
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(deadline)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = deadline{}
	*q = (*q)[:last]
	return x
}
