package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the user and system CPU time of a process, including its exited threads.
func cpuTime(pid int) (time.Duration, error) {
	// The id of a process's clock as returned by clock_getcpuclockid(3); CPUCLOCK_SCHED is 2.
	clock := int32(^pid<<3 | 2)
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// spending returns the CPU seconds that each of the processes uses while do runs.
func spending(pids []int, do func() error) ([]float64, error) {
	spent := make([]float64, len(pids))
	read := func(sign float64) error {
		for i, pid := range pids {
			t, err := cpuTime(pid)
			if err != nil {
				return err
			}
			spent[i] += sign * t.Seconds()
		}
		return nil
	}
	if err := read(-1); err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	return spent, read(1)
}

// memory returns the sum of the proportional set sizes of processes, in bytes. A page shared by n processes counts 1/n for
// each.
func memory(pids ...int) (float64, error) {
	sum := 0.0
	for _, pid := range pids {
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		pss, err := pssOf(rollup)
		if err != nil {
			return 0, fmt.Errorf("process %d: %w", pid, err)
		}
		sum += float64(pss)
	}
	return sum, nil
}

// pssOf returns the total in the content of a smaps_rollup file, in bytes.
func pssOf(rollup []byte) (int64, error) {
	lines := bufio.NewScanner(bytes.NewReader(rollup))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "Pss:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no Pss in %q", rollup)
}
