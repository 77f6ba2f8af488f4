package chembus

import "testing"

// What it takes to read a heartbeat.
//
//	go test -run '^$' -bench Parse -benchmem ./plugins/common/chembus

const onTheWire = `{"signal":"HEARTBEAT","ecosystem":"colony","intensity":1.0,"facts":{"zooid":"meta_agent",` +
	`"niche":"consciousness","uptime_s":1795446803.878135,"processed_count":7},"incident_id":null,` +
	`"trace":null,"ts":1795446803.8781514,"schema_version":1,"channel":"legacy"}`

// BenchmarkParsePlain reads one as the components write it.
func BenchmarkParsePlain(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, reject := ParseHeartbeat(onTheWire); reject != "" {
			b.Fatal(reject)
		}
	}
}

// BenchmarkParseLaidOut reads one like the one before.
func BenchmarkParseLaidOut(b *testing.B) {
	b.ReportAllocs()
	var p HeartbeatParser
	for b.Loop() {
		if _, reject := p.Parse(onTheWire); reject != "" {
			b.Fatal(reject)
		}
	}
}

// BenchmarkParseAny reads the same in the general way.
func BenchmarkParseAny(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, reject := parseAny(onTheWire); reject != "" {
			b.Fatal(reject)
		}
	}
}
