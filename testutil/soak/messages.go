package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

const (
	// floodRate is in heartbeats per second.
	floodRate = 3000
	// largeMessages is how many large messages are sent in turn.
	largeMessages = 3
	// slowSize is just below max_message_size, slowRate is in messages per second.
	slowSize = 60_000
	slowRate = 200
	// longTopic is below what a proxy of pyzmq passes on: it crashes at 105 KiB.
	longTopic = 90 << 10
	// churnedNames is how many names are used once.
	churnedNames = 200
)

func (c *campaign) flood(name string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	_, err := colony.Flood(ctx, c.publisher, colony.FloodConfig{Name: name, Rate: floodRate})
	// It must not be killed before the colony has sent another beat of it.
	c.mu.Lock()
	defer c.mu.Unlock()
	c.born[name] = c.now()
	return err
}

// sendGarbage sends invalid heartbeats that name a zooid.
func (c *campaign) sendGarbage(name string, _ time.Duration) error {
	beat := colony.Heartbeat{Zooid: name, Niche: "garbage"}.Payload()
	topic := []byte(colony.Topic)
	for _, frames := range [][][]byte{
		{topic},
		{topic, nil},
		{topic, beat, beat},
		{topic, beat[:len(beat)/2]},
		{topic, []byte("not JSON")},
		{topic, []byte(`{"facts":{"zooid":["` + name + `"]}}`)},
		{topic, []byte(`{"facts":{"zooid":"` + strings.Repeat("x", 10_000) + `"}}`)},
		{topic, []byte(strings.Repeat(" ", 1<<20))},
		{append(topic, "_X"...), beat},
	} {
		if err := c.publisher.Send(frames...); err != nil {
			return err
		}
	}
	return nil
}

// sendLargeSignals sends large messages on a topic that the input listens to. They are none of the heartbeats' business.
func (c *campaign) sendLargeSignals(string, time.Duration) error {
	return c.sendLarge([]byte(largeTopic))
}

// sendLargeHeartbeats sends messages for which the input's connection is cut.
func (c *campaign) sendLargeHeartbeats(string, time.Duration) error {
	end := c.disturb(disturbance{recovery: restarted, loses: true})
	err := c.sendLarge([]byte(colony.Topic))
	end(0, 0)
	return err
}

func (c *campaign) sendLarge(topic []byte) error {
	for range largeMessages {
		if err := c.publisher.Send(topic, make([]byte, largeSize)); err != nil {
			return err
		}
		time.Sleep(largeLead)
	}
	return nil
}

// sendSlowJSON sends heartbeats of nobody that take long to decode.
func (c *campaign) sendSlowJSON(_ string, d time.Duration) error {
	end := c.disturb(disturbance{recovery: restarted, loses: true})
	defer end(0, 0)
	message := []byte(`{"x":"` + strings.Repeat(`\u0041`, slowSize/6) + `"}`)
	ticker := time.NewTicker(time.Second / slowRate)
	defer ticker.Stop()
	for over := time.Now().Add(d); time.Now().Before(over); <-ticker.C {
		if err := c.publisher.Send([]byte(colony.Topic), message); err != nil {
			return err
		}
	}
	return nil
}

// subscribeLong has a subscriber to a very long topic, which the bus passes on to all publishers.
func (c *campaign) subscribeLong(_ string, d time.Duration) error {
	s, err := consumer.New(consumer.Config{XPub: c.bus.XPub(), Topic: strings.Repeat("q", longTopic)})
	if err != nil {
		return err
	}
	time.Sleep(d)
	return s.Close()
}

// churnNames sends a heartbeat each under many names of components without a name. Their silence is no gap.
func (c *campaign) churnNames(string, time.Duration) error {
	first := int(c.now() / time.Millisecond)
	for i := range churnedNames {
		now := float64(time.Now().UnixMicro()) / 1e6
		beat := colony.Heartbeat{Zooid: fmt.Sprintf("zooid_%d", first+i), Niche: "unknown", Uptime: now, TS: now}
		if err := c.publisher.Send([]byte(colony.Topic), beat.Payload()); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}
