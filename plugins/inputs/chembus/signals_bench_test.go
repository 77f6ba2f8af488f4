package chembus

import (
	"fmt"
	"testing"
)

func BenchmarkSignal(b *testing.B) {
	c := newPlugin()
	c.Signals = telemetryTopics
	s := testCollector{newCollector(c, testProbe, epoch)}
	payloads := make([][]byte, 10_000) // more than what is remembered of copies
	for n := range payloads {
		payloads[n] = fmt.Appendf(nil, `{"signal":"metric","ecosystem":"d_ream","intensity":1.0,"facts":{"name":"loss %d","value":0.5,"tags":{"run":"1"}},"ts":%f}`, n%100, epochOf(float64(n)/1e4))
	}
	for n := 0; b.Loop(); n++ {
		if reject := s.ReceiveSignal(frames(signalMetric, string(payloads[n%len(payloads)])), at(1)); reject != "" {
			b.Fatal(reject)
		}
		s.Take()
	}
}
