package colony

import (
	"container/heap"
	"time"
)

// idle is how long the colony sleeps if no stream exists. Adding one wakes it.
const idle = time.Hour

// run sends each beat when it is due until the colony is closed.
func (c *Colony) run() {
	defer close(c.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-c.wake:
		case <-timer.C:
		}
		timer.Reset(c.sendDue())
	}
}

// sendDue sends the beats that are due and returns the time until the next one. Beats are scheduled by the clock of the
// machine; Config.Now, which a test may step, is used for their content only.
func (c *Colony) sendDue() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 {
		s := c.queue[0]
		if s.life.dead || s.life.muted && !s.runtime {
			heap.Pop(&c.queue)
			continue
		}
		now := time.Now()
		if wait := s.due.Sub(now); wait > 0 {
			return wait
		}
		err := s.life.publisher.Send([]byte(Topic), s.next(c.now, now, c.random))
		s.life.lastBeat = now
		if c.err == nil {
			c.err = err
		}
		heap.Fix(&c.queue, 0)
	}
	return idle
}

// schedule is a heap of streams, ordered by due.
type schedule []*stream

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)        { *s = append(*s, x.(*stream)) }
func (s *schedule) Pop() any {
	old := *s
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return last
}
