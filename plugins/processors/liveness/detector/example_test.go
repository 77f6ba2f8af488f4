package detector_test

import (
	"fmt"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// A component beats once and then falls silent for longer than its threshold.
func ExampleDetector() {
	rule := &detector.Rule{
		Threshold:   3 * time.Second,
		LateAfter:   2 * time.Second,
		RetireAfter: time.Hour,
		Severity:    "critical",
		Gaps:        true,
	}
	d := detector.New(&detector.Config{
		BlindAfter:     3 * time.Second,
		ReportInterval: time.Minute,
		Rule:           func(string, string) *detector.Rule { return rule },
		OutageCount:    5,
		OutageWindow:   10 * time.Second,
		FlapCount:      5,
		FlapWindow:     10 * time.Minute,
	}, "myhost tcp://127.0.0.1:5559")

	const run = 1 // the start time of the input
	show := func(findings []detector.Finding) {
		for _, f := range findings {
			fmt.Println(d.Now(), f.Key, f.Status.State)
			if f.Gap != nil {
				fmt.Println("  open:", f.Gap.Open, "-", f.Gap.Reason)
			}
		}
	}
	beat := &detector.Beat{Key: "audio_io", Run: run, Observed: time.Second, LastSeen: 1000, Beats: 1}
	show(d.Tick(run, 0))
	show(d.Beat(beat))
	for second := 2; second <= 5; second++ {
		show(d.Tick(run, time.Duration(second)*time.Second))
	}
	beat.Observed, beat.LastSeen = 6*time.Second, 1005
	show(d.Beat(beat))
	// Output:
	// 1s audio_io up
	// 4s audio_io late
	// 5s audio_io silent
	//   open: true - no heartbeat from "audio_io" for 4.0 s, threshold 3 s
	// 6s audio_io up
	//   open: false - no heartbeat from "audio_io" for 5.0 s, threshold 3 s
}
