// Package heap measures what a test holds in memory.
package heap

import (
	"runtime"
	"runtime/debug"
	"slices"
)

// InUse returns how many bytes of the heap of this process are in use. What nobody refers to any more is collected first.
func InUse() uint64 {
	runtime.GC()
	runtime.GC() // the first moves what is in pools aside
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// UnderRace reports whether this program has the race detector, with which all takes many times as long, and more memory.
func UnderRace() bool {
	info, known := debug.ReadBuildInfo()
	return known && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Day returns how many seconds a test goes through that is about a day: a twelfth of one under the race detector.
func Day() int {
	if UnderRace() {
		return 2 * 60 * 60
	}
	return 24 * 60 * 60
}
