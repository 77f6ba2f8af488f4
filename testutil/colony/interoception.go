package colony

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// GapTopic is the topic of the gaps that monitors publish.
const GapTopic = "CAPABILITY_GAP"

// Interoception is another monitor on the bus, like the colony's InteroceptionDaemon: it publishes each silence once as
// component_silent, without an incident_id. It knows neither maintenance nor announced stops nor the kill signal.
type Interoception struct {
	publisher *Publisher
	beats     *consumer.Consumer

	mu       sync.Mutex
	silences silences

	stop chan struct{}
	done chan struct{}
	err  error // the first failure to publish; to be read after done
}

// NewInteroception connects the monitor to a bus, which may start later. The threshold is the silence that it reports, by
// the clock of this machine. Close it after use.
func NewInteroception(xsub, xpub string, threshold time.Duration) (*Interoception, error) {
	if threshold <= 0 {
		return nil, fmt.Errorf("colony: the threshold %v of the other monitor must be above 0", threshold)
	}
	p, err := NewPublisher(xsub)
	if err != nil {
		return nil, err
	}
	m := &Interoception{
		publisher: p,
		silences:  silences{threshold: threshold, heard: make(map[string]time.Time), silent: make(map[string]bool)},
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	m.beats, err = consumer.New(consumer.Config{XPub: xpub, Topic: Topic, OnMessage: m.beat})
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	go m.run()
	return m, nil
}

// Close disconnects the monitor. It returns the first error in publishing, if any.
func (m *Interoception) Close() error {
	close(m.stop)
	<-m.done
	return errors.Join(m.err, m.beats.Close(), m.publisher.Close())
}

func (m *Interoception) beat(beat consumer.Message) {
	name, ok := beat.Facts["zooid"].(string)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silences.Beat(name, beat.Received)
}

// checksPerThreshold is how often in a threshold the monitor looks for silence.
const checksPerThreshold = 10

func (m *Interoception) run() {
	defer close(m.done)
	ticker := time.NewTicker(max(m.silences.threshold/checksPerThreshold, time.Millisecond))
	defer ticker.Stop()
	tapped := false
	for {
		select {
		case <-m.stop:
			return
		case now := <-ticker.C:
			m.mu.Lock()
			found := m.silences.Check(now)
			m.mu.Unlock()
			for _, s := range found {
				copies := 1
				if !tapped {
					copies, tapped = 2, true // the first message of a topic, which every publisher repeats
				}
				if err := m.publish(s.gap(now), copies); m.err == nil {
					m.err = err
				}
			}
		}
	}
}

func (m *Interoception) publish(gap Signal, copies int) error {
	for n := range copies {
		if n > 0 {
			select {
			case <-m.stop:
				return nil
			case <-time.After(tapDelay):
			}
		}
		if err := m.publisher.Publish(gap); err != nil {
			return err
		}
	}
	return nil
}

// silences finds components without a beat for longer than a threshold. Time is passed in.
type silences struct {
	threshold time.Duration
	heard     map[string]time.Time // the last beat, by component
	silent    map[string]bool      // reported, and without a beat since
}

// silence is a component that has just become silent.
type silence struct {
	zooid string
	heard time.Time
}

// Beat takes a heartbeat.
func (s *silences) Beat(zooid string, now time.Time) {
	s.heard[zooid] = now
	delete(s.silent, zooid)
}

// Check returns the components that have become silent, ordered by name.
func (s *silences) Check(now time.Time) []silence {
	var found []silence
	for _, zooid := range slices.Sorted(maps.Keys(s.heard)) {
		if !s.silent[zooid] && now.Sub(s.heard[zooid]) > s.threshold {
			s.silent[zooid] = true
			found = append(found, silence{zooid: zooid, heard: s.heard[zooid]})
		}
	}
	return found
}

func (s silence) gap(now time.Time) Signal {
	return Signal{
		Name:      GapTopic,
		Ecosystem: "interoception",
		Intensity: 1.5,
		Facts: map[string]any{
			"gap_type":     "component_silent",
			"gap_name":     "component_" + s.zooid,
			"gap_category": "component_health",
			"gap_reason":   fmt.Sprintf("no heartbeat of %s for %.1f s", s.zooid, now.Sub(s.heard).Seconds()),
			"zooid":        s.zooid,
		},
		TS: epoch(now),
	}
}
