package e2e

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// failureTime is how long a fault lasts: twice the threshold.
const failureTime = 2 * quickThreshold * time.Second

// TestNoFalseAlarm lets a part other than a component fail. No gap may be reported, and the death of a component afterwards
// must be found.
func TestNoFalseAlarm(t *testing.T) {
	for name, fail := range map[string]func(*scene, func()){
		"bus killed and restarted": func(s *scene, during func()) {
			require.NoError(s, s.bus.Kill())
			during()
			require.NoError(s, s.bus.Restart())
		},
		"bus paused": func(s *scene, during func()) {
			require.NoError(s, s.bus.Pause())
			during()
			require.NoError(s, s.bus.Resume())
		},
		"telegraf stopped": func(s *scene, during func()) {
			require.NoError(s, s.telegraf.Signal(syscall.SIGSTOP))
			during()
			require.NoError(s, s.telegraf.Signal(syscall.SIGCONT))
		},
		"input stopped":     stopPlugin("input"),
		"processor stopped": stopPlugin("processor"),
		"input killed":      killPlugin("input"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, quick)
			c, gaps := s.colony(10), s.consumer()
			fail(s, func() { <-time.After(failureTime) })
			s.observe(2.5 * quickThreshold)
			require.Empty(s, zooidsOf(gaps.Received()), "all components are alive")

			require.NoError(s, c.Kill("audio_io"))
			s.wait("the death is found", func() bool { return len(gaps.Received()) > 0 })
			s.observe(quickThreshold)
			require.Equal(s, []string{"audio_io"}, zooidsOf(gaps.Received()))
		})
	}
}

func stopPlugin(role string) func(*scene, func()) {
	return func(s *scene, during func()) {
		pid, err := s.telegraf.Plugin(role)
		require.NoError(s, err)
		require.NoError(s, syscall.Kill(pid, syscall.SIGSTOP))
		during()
		require.NoError(s, syscall.Kill(pid, syscall.SIGCONT))
	}
}

func killPlugin(role string) func(*scene, func()) {
	return func(s *scene, during func()) {
		s.killPlugin(role)()
		during()
	}
}

// killPlugin kills a plugin's process. What it returns waits until Telegraf has restarted it.
func (s *scene) killPlugin(role string) (waitRestarted func()) {
	s.Helper()
	pid, err := s.telegraf.Plugin(role)
	require.NoError(s, err)
	require.NoError(s, syscall.Kill(pid, syscall.SIGKILL))
	return func() {
		s.Helper()
		s.wait("telegraf restarts the "+role, func() bool {
			restarted, err := s.telegraf.Plugin(role)
			return err == nil && restarted != pid
		})
	}
}

// colony starts n components with a heartbeat every second and waits until InfluxDB has all of them as up.
func (s *scene) colony(n int) *colony.Colony {
	s.Helper()
	return s.colonyOf(colony.Field(n)...)
}

// colonyOf starts components with a heartbeat every second and waits until InfluxDB has all of them as up.
func (s *scene) colonyOf(zooids ...colony.Zooid) *colony.Colony {
	s.Helper()
	c, err := colony.New(colony.Config{XSub: s.bus.XSub()})
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, c.Close()) })
	for _, z := range zooids {
		z.Interval = time.Second
		require.NoError(s, c.Add(z))
	}
	s.waitUp(c.Names()...)
	return c
}

// waitUp waits until InfluxDB has components as up.
func (s *scene) waitUp(zooids ...string) {
	s.Helper()
	for _, zooid := range zooids {
		s.wait(zooid+" is up", func() bool { return s.up(zooid) == 1 })
	}
}

// consumer starts a consumer of gaps.
func (s *scene) consumer() *consumer.Consumer {
	s.Helper()
	return s.listener("CAPABILITY_GAP")
}

// listener starts a consumer of a topic and waits until the bus has forwarded its subscription.
func (s *scene) listener(topic string) *consumer.Consumer {
	s.Helper()
	c, err := consumer.New(consumer.Config{XPub: s.bus.XPub(), Topic: topic})
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, c.Close()) })
	p := s.publisher()
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	require.NoError(s, p.WaitSubscribed(ctx, topic))
	return c
}

func (s *scene) publisher() *colony.Publisher {
	s.Helper()
	p, err := colony.NewPublisher(s.bus.XSub())
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, p.Close()) })
	return p
}

func zooidsOf(messages []consumer.Message) []string {
	var zooids []string
	for _, m := range messages {
		zooids = append(zooids, fmt.Sprint(m.Facts["zooid"]))
	}
	return zooids
}
