package chembus

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// listedHoles is how many holes a tick lists.
const listedHoles = 8

// holeList returns the last holes of the clock, oldest first, as the text of a tick: for each what the clock showed all
// the while, and how long the hole was, as in "12.350:0.412 20.101:3.050", in seconds. What the clock showed is cut to
// milliseconds, so that no hole is ahead of the tick that lists it, and the length is rounded up, so that none is 0.
func holeList(holes []hole) string {
	var list strings.Builder
	for i, h := range holes[max(0, len(holes)-listedHoles):] {
		if i > 0 {
			list.WriteByte(' ')
		}
		fmt.Fprintf(&list, "%.3f:%.3f", math.Floor(milliseconds(h.observed))/1000, math.Ceil(milliseconds(h.end.Sub(h.start)))/1000)
	}
	return list.String()
}

func milliseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}
