package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/nats"
	"github.com/kloros/telegraf-chembus/testutil/process"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const recipesPath = "plugins/processors/liveness/recipes.md"

// recipeThreshold is the recipes' one minute in the tests.
const recipeThreshold = 8 * time.Second

// recipe is a central Telegraf with the blocks of a recipe.
type recipe struct {
	*testing.T
	heading string
	changes [][2]string // to the blocks, so that they fit the test
	config  telegraf.Config
	central *telegraf.Telegraf
	written string // the file with the metrics that the central Telegraf writes
}

// newRecipe prepares a recipe whose blocks begin with a line; its central Telegraf is not started yet.
func newRecipe(t *testing.T, heading, blocks string, changes ...[2]string) *recipe {
	t.Helper()
	t.Parallel()
	r := &recipe{T: t, heading: heading, changes: changes, written: filepath.Join(t.TempDir(), "metrics.out")}
	options := documentBlock(t, recipesPath, heading, "toml", "[[processors.liveness]]")
	for _, change := range [][2]string{{`"30s"`, `"3s"`}, {`"1m"`, fmt.Sprintf("%q", recipeThreshold)}, {`"25h"`, fmt.Sprintf("%q", recipeThreshold)}} {
		options = strings.ReplaceAll(options, change[0], change[1])
	}
	require.Contains(t, options, recipeThreshold.String())
	r.config = telegraf.Config{
		Binary: telegraf.Binary(t, root), Plugins: plugins, Dir: t.TempDir(), Options: options,
		Agent: quickAgent + r.block(blocks) + fmt.Sprintf(`
[[outputs.file]]
  files = [%q]
  namepass = ["liveness", "liveness_gap"]
`, r.written),
	}
	return r
}

// block returns a block of the recipe, with its changes.
func (r *recipe) block(line string) string {
	r.Helper()
	return replaced(r.T, documentBlock(r.T, recipesPath, r.heading, "toml", line), r.changes...)
}

// start starts the central Telegraf.
func (r *recipe) start() {
	r.Helper()
	r.central = r.run("the central Telegraf", r.config)
}

func (r *recipe) run(what string, config telegraf.Config) *telegraf.Telegraf {
	r.Helper()
	p, err := telegraf.Start(config)
	require.NoError(r, err)
	r.Cleanup(func() {
		err := p.Stop()
		if r.Failed() {
			r.Logf("the log of %s:\n%s", what, p.Output())
		} else if !strings.Contains(fmt.Sprint(err), "killed") {
			assert.NoError(r, err, "telegraf must exit by itself")
		}
	})
	return p
}

// host starts the Telegraf of a host that sends cpu with a block.
func (r *recipe) host(name, output string) *telegraf.Telegraf {
	r.Helper()
	return r.run(name, telegraf.Config{
		Binary: r.config.Binary, Dir: r.TempDir(),
		Agent: strings.Replace(quickAgent, "omit_hostname = true", fmt.Sprintf("hostname = %q", name), 1) +
			"[[inputs.cpu]]\n  percpu = false\n" + output,
	})
}

func (r *recipe) wait(what string, condition func() bool) {
	r.Helper()
	require.Eventually(r, condition, limit, poll, what)
}

// metrics returns the metrics of the central Telegraf that contain all of some texts.
func (r *recipe) metrics(texts ...string) []string {
	content, _ := os.ReadFile(r.written) // it is created with the first metric
	var found []string
	for line := range strings.Lines(string(content)) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			found = append(found, line)
		}
	}
	return found
}

func (r *recipe) waitUp(tags ...string) {
	r.Helper()
	for _, tag := range tags {
		r.wait(tag+" is up", func() bool { return len(r.metrics("liveness,", tag, `state="up"`)) > 0 })
	}
}

// gaps returns a tag of each gap that was opened, or closed.
func (r *recipe) gaps(event, tag string) []string {
	var found []string
	value := regexp.MustCompile(`\b` + tag + `=([^, ]+)`)
	for _, line := range r.metrics("liveness_gap,", `event="`+event+`"`) {
		m := value.FindStringSubmatch(line)
		require.NotNil(r, m, line)
		found = append(found, m[1])
	}
	return found
}

// waitReports waits until the host a, which lives, was reported some times.
func (r *recipe) waitReports(times int) {
	r.Helper()
	before := len(r.metrics("liveness,", "host=a"))
	r.wait("host a is reported again", func() bool { return len(r.metrics("liveness,", "host=a")) >= before+times })
}

// TestRecipePolled takes one of three hosts from what is polled, and stops Telegraf for three thresholds.
func TestRecipePolled(t *testing.T) {
	r := newRecipe(t, "## Hosts that are polled", "[[inputs.internal]]")
	polled := filepath.Join(t.TempDir(), "polled")
	answer := func(hosts ...string) {
		var lines []string
		for _, host := range hosts {
			lines = append(lines, fmt.Sprintf("cpu,cpu=cpu-total,host=%s usage_idle=90\n", host))
		}
		require.NoError(t, os.WriteFile(polled+".new", []byte(strings.Join(lines, "")), 0o600))
		require.NoError(t, os.Rename(polled+".new", polled))
	}
	answer("a", "b", "c")
	r.config.Agent += fmt.Sprintf("[[inputs.file]]\n  files = [%q]\n  data_format = \"influx\"\n", polled)
	r.start()
	r.waitUp("host=a", "host=b", "host=c")

	require.NoError(t, r.central.Signal(syscall.SIGSTOP))
	<-time.After(3 * recipeThreshold)
	require.NoError(t, r.central.Signal(syscall.SIGCONT))
	answer("a", "c")
	r.wait("the gap opens", func() bool { return len(r.gaps("opened", "host")) > 0 })
	r.waitReports(1)
	require.Equal(t, []string{"b"}, r.gaps("opened", "host"))
	answer("a", "b", "c")
	r.wait("the gap closes", func() bool { return slices.Equal(r.gaps("closed", "host"), []string{"b"}) })
}

// TestRecipeListener kills the Telegraf of one of three hosts.
func TestRecipeListener(t *testing.T) {
	address := freeAddress(t)
	r := newRecipe(t, "## Hosts that send", "[[inputs.influxdb_listener]]",
		[2]string{"127.0.0.1:8186", address}, [2]string{`":8186"`, fmt.Sprintf("%q", address)})
	r.start()
	r.changes = [][2]string{{"central:8186", address}}
	output := r.block("[[outputs.influxdb]]")
	hosts := map[string]*telegraf.Telegraf{}
	for _, name := range []string{"a", "b", "c"} {
		hosts[name] = r.host(name, output)
	}
	r.waitUp("host=a", "host=b", "host=c")
	require.NoError(t, hosts["b"].Signal(syscall.SIGKILL))
	r.wait("the gap opens", func() bool { return len(r.gaps("opened", "host")) > 0 })
	r.waitReports(1)
	require.Equal(t, []string{"b"}, r.gaps("opened", "host"))
	r.host("b", output)
	r.wait("the gap closes", func() bool { return slices.Equal(r.gaps("closed", "host"), []string{"b"}) })
}

func TestRecipeNATS(t *testing.T) {
	behindBroker(t, "## Hosts behind NATS", "[[inputs.nats_consumer]]", "[[outputs.nats]]", "nats://nats1:4222", (*nats.Server).URL)
}

func TestRecipeMQTT(t *testing.T) {
	behindBroker(t, "## Hosts behind MQTT", "[[inputs.mqtt_consumer]]", "[[outputs.mqtt]]", "broker:1883",
		func(s *nats.Server) string { return s.MQTT })
}

// behindBroker runs the recipe whose blocks begin with an input and an output, and name a broker in place of that of the
// test. It stops the broker for three thresholds, and then a host for good.
func behindBroker(t *testing.T, heading, input, output, broker string, url func(*nats.Server) string) {
	t.Helper()
	binary := nats.Binary(t, root)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	server, err := nats.Start(ctx, binary, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	r := newRecipe(t, heading, input, [2]string{broker, url(server)})
	r.start()
	output = r.block(output)
	hosts := map[string]*telegraf.Telegraf{}
	for _, name := range []string{"a", "b", "c"} {
		hosts[name] = r.host(name, output)
	}
	r.waitUp("host=a", "host=b", "host=c")

	require.NoError(t, server.Stop())
	<-time.After(3 * recipeThreshold)
	again, cancelAgain := context.WithTimeout(t.Context(), limit)
	defer cancelAgain()
	require.NoError(t, server.Restart(again))
	r.waitReports(3)
	require.Empty(t, r.gaps("opened", "host"), "a broker that is off is no silence of a host")

	require.NoError(t, hosts["b"].Signal(syscall.SIGKILL))
	r.wait("the gap opens", func() bool { return len(r.gaps("opened", "host")) > 0 })
	r.waitReports(1)
	require.Equal(t, []string{"b"}, r.gaps("opened", "host"))
}

// TestRecipeCron lets one job never run, and another one run once.
func TestRecipeCron(t *testing.T) {
	address := freeAddress(t)
	r := newRecipe(t, "## A cron job", "[[inputs.influxdb_listener]]",
		[2]string{"127.0.0.1:8186", address}, [2]string{`":8186"`, fmt.Sprintf("%q", address)})
	r.start()
	_, command, found := strings.Cut(documentBlock(t, recipesPath, "## A cron job", "text", "0 3 * * * "), "&& ")
	require.True(t, found)
	run := func(job string) {
		script := replaced(t, command, [2]string{"central:8186", address}, [2]string{"job=backup", "job=" + job})
		output, err := exec.Command("sh", "-c", script).CombinedOutput()
		require.NoError(t, err, "%s", output)
		require.Empty(t, string(output))
	}
	r.wait("the listener answers", func() bool {
		response, err := http.Get("http://" + address + "/ping")
		if err != nil {
			return false
		}
		response.Body.Close()
		return true
	})
	run("other")
	r.waitUp("job=other")
	r.wait("both gaps open", func() bool { return len(r.gaps("opened", "job")) == 2 })
	require.ElementsMatch(t, []string{"backup", "other"}, r.gaps("opened", "job"))
	run("backup")
	r.wait("the gap of the job that ran closes", func() bool { return len(r.gaps("closed", "job")) == 1 })
	require.Equal(t, []string{"backup"}, r.gaps("closed", "job"))
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	addresses, err := process.FreeAddresses(1)
	require.NoError(t, err)
	return addresses[0]
}
