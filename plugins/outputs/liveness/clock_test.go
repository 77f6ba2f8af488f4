package liveness

import (
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/stretchr/testify/require"
)

// TestWaitForTheLockIsNoStepOfTheClock has metrics and a page wait for longer than a step of the clock that counts, while
// others take their turn. They come last, and their time must not look set back.
func TestWaitForTheLockIsNoStepOfTheClock(t *testing.T) {
	for name, wait := range map[string]func(*served){
		"metrics": func(p *served) { _ = p.Write([]telegraf.Metric{heard(true, time.Now())}) },
		"page":    func(p *served) { p.show() },
	} {
		t.Run(name, func(t *testing.T) {
			p := serve(t, nil)
			p.write(gap("audio_io", "one", true, time.Now()))
			opened := p.show().view.Gaps[0].Opened
			p.shown = nil
			p.mu.Lock()
			begun, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				close(begun)
				wait(p)
			}()
			<-begun
			<-time.After(1500 * time.Millisecond)
			p.status.View(time.Now())
			p.mu.Unlock()
			<-ended
			require.Equal(t, opened, p.status.View(time.Now()).Gaps[0].Opened)
		})
	}
}
