package detector

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
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
	due   []deadline             // those that waited in it, in order, from the index next on
	next  int
	soon  queue        // those that were added for it, or for an earlier one, when it was open
	spare []*component // an empty slot, to be used again

	entries int // in slots, void ones among them
	sweepAt int // number of entries at which void ones are removed
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
	again := waits(c, slot)
	c.queued, c.queuedAt = true, at
	switch {
	case slot <= d.slot:
		heap.Push(&d.soon, deadline{at: at, component: c})
	case !again:
		if d.slots == nil {
			d.slots = make(map[int64][]*component)
		}
		waiting, known := d.slots[slot]
		if !known {
			waiting, d.spare = d.spare, nil
		}
		d.slots[slot] = append(waiting, c)
		if d.entries++; d.entries > d.sweepAt {
			d.sweep()
		}
	}
}

// minVoid is the smallest number of entries, beside those that were left by the last sweep, at which void ones are removed.
const minVoid = 100

// sweep removes the entries of components that were removed or are queued for another time. Those would stay for as long
// as a component that is silent is kept.
func (d *deadlines) sweep() {
	d.entries = 0
	for slot, waiting := range d.slots {
		waiting = slices.DeleteFunc(waiting, func(c *component) bool { return !waits(c, slot) })
		if d.slots[slot] = waiting; len(waiting) == 0 {
			delete(d.slots, slot)
		}
		d.entries += len(waiting)
	}
	d.sweepAt = d.entries + max(d.entries/4, minVoid)
}

// waits reports whether the entry of a component in a slot is not void.
func waits(c *component, slot int64) bool {
	return c.queued && slotOf(c.queuedAt) == slot
}

// Expired removes and returns a component that was queued for a time before now, the earliest first; nil
// when there is none.
func (d *deadlines) Expired(now time.Duration) *component {
	for {
		for first, ok := d.pop(now); ok; first, ok = d.pop(now) {
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

// pop removes and returns the earliest entry, if it is for a time before now.
func (d *deadlines) pop(now time.Duration) (first deadline, ok bool) {
	waited := d.next < len(d.due) && d.due[d.next].at < now
	if len(d.soon) > 0 && d.soon[0].at < now && (!waited || d.soon[0].compare(d.due[d.next]) < 0) {
		return heap.Pop(&d.soon).(deadline), true
	}
	if waited {
		first, d.due[d.next] = d.due[d.next], deadline{}
		d.next++
	}
	return first, waited
}

// open opens the next slot that is not empty, or the last. All entries of the one before have expired.
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
	d.entries -= len(waiting)
	d.due, d.next = d.due[:0], 0
	for _, c := range waiting {
		if !waits(c, d.slot) {
			continue
		}
		next := c.queuedAt
		if d.Next != nil {
			next = max(next, d.Next(c))
		}
		if slotOf(next) == d.slot {
			c.queuedAt = next
			d.due = append(d.due, deadline{at: next, component: c})
			continue
		}
		c.queued = false
		if next != never {
			d.Add(c, next)
		}
	}
	slices.SortFunc(d.due, deadline.compare) // which is quick, for most are in order
	clear(waiting)
	d.spare = waiting[:0]
}

// compare is in the order of time, and of the name where that is the same: so it is the same in every detector.
func (e deadline) compare(o deadline) int {
	if e.at != o.at {
		return cmp.Compare(e.at, o.at)
	}
	return strings.Compare(e.component.key, o.component.key)
}

// queue is a heap.Interface.
type queue []deadline

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].compare(q[j]) < 0 }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(deadline)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = deadline{}
	*q = (*q)[:last]
	return x
}
