package colony

import (
	"context"
	"fmt"
	"time"
)

// FloodConfig is the configuration of a Flood.
type FloodConfig struct {
	Name  string           // of the only zooid; empty: see Names
	Names int              // number of zooids that send in turn: flood_0, flood_1, …; 0: 1
	Rate  float64          // heartbeats per second of all zooids together; 0: as fast as possible
	Now   func() time.Time // clock for ts and uptime_s; nil: time.Now
}

// floodTurn is the maximum number of beats sent between two checks of the context. A flood that is ahead of its rate waits
// for floodTurnTime.
const (
	floodTurn     = 256
	floodTurnTime = time.Millisecond
)

// Flood sends heartbeats until the context ends. It returns the number sent, which includes those that ZeroMQ dropped at
// the high-water mark.
func Flood(ctx context.Context, p *Publisher, config FloodConfig) (int, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	names := make([]string, max(config.Names, 1))
	for i := range names {
		names[i] = fmt.Sprintf("flood_%d", i)
	}
	if config.Name != "" {
		names = []string{config.Name}
	}
	ticker := time.NewTicker(floodTurnTime)
	defer ticker.Stop()
	topic := []byte(Topic)
	start, sent := time.Now(), 0
	for ctx.Err() == nil {
		turn := floodTurn
		if config.Rate > 0 {
			turn = min(turn, int(config.Rate*time.Since(start).Seconds())-sent)
		}
		if turn <= 0 {
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
			continue
		}
		for range turn {
			beat := Heartbeat{
				Zooid:          names[sent%len(names)],
				Niche:          "flood",
				Uptime:         epoch(config.Now()),
				ProcessedCount: sent % 60,
				TS:             epoch(config.Now()),
			}
			if err := p.Send(topic, beat.Payload()); err != nil {
				return sent, err
			}
			sent++
		}
	}
	return sent, nil
}
