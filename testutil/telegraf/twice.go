package telegraf

import (
	"regexp"
	"strings"
)

var natsOutput = regexp.MustCompile(`(?ms)^\[\[outputs\.nats\]\]$.*?disable_stream_creation = true\n`)

// SentTwice returns a drop-in of a fleet that sends everything to NATS twice, the second time up to three seconds later. JetStream
// delivers messages twice in this way, but few.
func SentTwice(dropIn string) string {
	for _, block := range natsOutput.FindAllString(dropIn, -1) {
		dropIn += strings.ReplaceAll(block, `flush_interval = "1s"`, `flush_interval = "3s"`)
	}
	return dropIn
}
