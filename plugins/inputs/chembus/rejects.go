package chembus

import (
	"fmt"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// excerptLength is how much of a rejected message is shown, in bytes.
const excerptLength = 64

// rejectLog logs once a minute what was rejected, with an example of each reason.
type rejectLog struct {
	log telegraf.Logger

	limit    logging.RateLimit
	counts   map[bus.Reject]uint64
	examples map[bus.Reject]string
}

// Add takes a rejected message.
func (l *rejectLog) Add(reason bus.Reject, m bus.Frames) {
	if l.counts == nil {
		l.counts, l.examples = make(map[bus.Reject]uint64), make(map[bus.Reject]string)
	}
	if l.counts[reason]++; l.counts[reason] == 1 {
		l.examples[reason] = fmt.Sprintf("topic %q, %d bytes: %q", excerpt(m.Topic), m.Size-len(m.Topic), excerpt(m.Payload))
	}
}

// Flush writes the line if it is time.
func (l *rejectLog) Flush(now time.Time) {
	if len(l.counts) == 0 || !l.limit.Allow(now) {
		return
	}
	var parts []string
	for _, reason := range bus.Rejects {
		if n := l.counts[reason]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d for %s (first: %s)", n, reason, l.examples[reason]))
		}
	}
	l.log.Warnf("Messages rejected: %s", strings.Join(parts, "; "))
	l.counts, l.examples = nil, nil
}

func excerpt(b []byte) []byte {
	return b[:min(len(b), excerptLength)]
}
