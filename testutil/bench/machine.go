package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// machine describes the machine and the versions for the report.
func machine(telegraf string) string {
	major, minor, patch := zmq.Version()
	return fmt.Sprintf(`%s, %d cores, %s of memory, Linux %s, load average %s
%s, libzmq %d.%d.%d, %s, Telegraf %s, %s`,
		cpuModel(), runtime.NumCPU(), total(), firstLine("/proc/sys/kernel/osrelease"), loadAverage(),
		runtime.Version(), major, minor, patch,
		output(python, "-c", `import platform, zmq; print("Python", platform.python_version(), "with pyzmq", zmq.__version__)`),
		telegrafVersion(telegraf), time.Now().UTC().Format(time.DateOnly))
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func total() string {
	var kib int64
	info, _ := os.ReadFile("/proc/meminfo")
	if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kib); err != nil {
		return "unknown size"
	}
	return fmt.Sprintf("%.0f GB", float64(kib<<10)/1e9)
}

// loadAverage returns the load average of the last minute.
func loadAverage() string {
	load, _, _ := strings.Cut(firstLine("/proc/loadavg"), " ")
	return load
}

func firstLine(file string) string {
	content, _ := os.ReadFile(file)
	line, _, _ := strings.Cut(string(content), "\n")
	return line
}

// telegrafVersion returns the version of the module that Telegraf was built from, else that which it prints.
func telegrafVersion(binary string) string {
	if info, err := buildinfo.ReadFile(binary); err == nil && strings.HasPrefix(info.Main.Version, "v") {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	if fields := strings.Fields(output(binary, "--version")); len(fields) > 1 {
		return fields[1]
	}
	return "unknown"
}

func output(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output() // an error only shortens the description
	return strings.TrimSpace(string(out))
}
