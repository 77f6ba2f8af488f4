package liveness

import (
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// mostListed is more than how many holes an input lists in a tick, mostHoleList more than how long their text is.
const mostListed, mostHoleList = 64, 4096

// readHoles reads how many holes a tick says there were in its run, and the last of them. A list that is none counts as
// empty: the number says that there were holes.
func (l *Liveness) readHoles(m telegraf.Metric, observed time.Duration) (holes int, listed []detector.Hole) {
	if text, listing := m.GetField("hole_list"); listing {
		list, ok := text.(string)
		if ok {
			listed, ok = parseHoles(list, observed)
		}
		if !ok {
			l.warnOfHoleLists()
		}
	}
	return count(m, "holes", 0), listed
}

func (l *Liveness) warnOfHoleLists() {
	if n := l.badHoleLists.Count(l.now()); n > 0 {
		l.Log.Warnf("%d ticks had a hole_list that cannot be read, so how long these holes were is not known: "+
			"see which plugin between inputs.chembus and this one changes it", n)
	}
}

// parseHoles reads a list of holes, as in "12.350:0.412 20.101:3.050": for each what the input's clock showed, and how long
// it was, oldest first, and none ahead of the tick.
func parseHoles(list string, observed time.Duration) (holes []detector.Hole, ok bool) {
	if len(list) > mostHoleList {
		return nil, false
	}
	for entry := range strings.FieldsSeq(list) {
		at, length, both := strings.Cut(entry, ":")
		var h detector.Hole
		if both {
			h.Observed, ok = parseSeconds(at)
		}
		if both && ok {
			h.Length, ok = parseSeconds(length)
		}
		if !both || !ok || h.Observed > observed || len(holes) == mostListed || len(holes) > 0 && h.Observed < holes[len(holes)-1].Observed {
			return nil, false
		}
		holes = append(holes, h)
	}
	return holes, true
}

func parseSeconds(text string) (time.Duration, bool) {
	s, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	return durationOf(s)
}
