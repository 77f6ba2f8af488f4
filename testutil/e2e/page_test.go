package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/browser"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// TestStatusPage looks at the page of a Telegraf with the drop-in's block, and at that of a second one to which the first
// hands its metrics, while a component is killed, the bus is paused and the first Telegraf is stopped.
func TestStatusPage(t *testing.T) {
	address, file := freeAddress(t), filepath.Join(t.TempDir(), "metrics.influx")
	s := newSceneWith(t, quick+pageOptions(address), pageBlock(t)+fmt.Sprintf("\n[[outputs.file]]\n  files = [%q]\n"+
		"  namepass = [\"liveness\", \"liveness_gap\", \"chembus_bus\"]\n  data_format = \"influx\"\n", file))
	other := freeAddress(t)
	second, err := telegraf.Start(telegraf.Config{
		Binary: s.config.Binary, Plugins: plugins, Options: pageOptions(other), Dir: t.TempDir(),
		Agent: fmt.Sprintf("[agent]\n  interval = \"1s\"\n  flush_interval = \"1s\"\n[[inputs.tail]]\n  files = [%q]\n"+
			"  initial_read_offset = \"beginning\"\n  path_tag = \"\"\n  data_format = \"influx\"\n", file) + pageBlock(t),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Stop()) })

	const hostile = "<script>document.title=1</script>"
	c, err := colony.New(colony.Config{XSub: s.bus.XSub()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	for _, name := range []string{"audio_io", "meta_agent", hostile} {
		require.NoError(t, c.Add(colony.Zooid{Name: name, Niche: "voice", Streams: 1, Interval: time.Second}))
	}
	gaps, err := consumer.New(consumer.Config{XPub: s.bus.XPub(), Topic: "CAPABILITY_GAP"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, gaps.Close()) })
	for _, a := range []string{address, other} {
		s.wait("the page is served at "+a, func() bool {
			connection, err := net.Dial("tcp", a)
			if err == nil {
				_ = connection.Close()
			}
			return err == nil
		})
	}
	page, far := browser.Open(t, "http://"+address+"/"), browser.Open(t, "http://"+other+"/")
	page.Wait("3 up", browser.Headline)
	far.Wait("3 up", browser.Headline)
	page.Wait("up", browser.StateOf(hostile))

	require.NoError(t, c.Kill("audio_io"))
	s.wait("a gap arrives", func() bool { return len(gaps.Handled()) > 0 })
	arrived := time.Now()
	page.Wait("silent", browser.StateOf("audio_io"))
	t.Logf("the page showed it %v after the gap was received", time.Since(arrived).Round(time.Millisecond))
	page.Wait("audio_io", `document.querySelector("#gaps h3")?.textContent ?? null`)
	page.Wait("1 silent", browser.Headline)
	far.Wait("silent", browser.StateOf("audio_io"))

	require.NoError(t, s.bus.Pause())
	page.Wait("Not known", browser.Headline)
	page.Wait("not known", browser.StateOf("meta_agent"))
	require.Zero(t, page.Value(browser.Green))
	require.NoError(t, s.bus.Resume())
	page.Wait("1 silent", browser.Headline)
	page.Wait("up", browser.StateOf("meta_agent"))
	far.Wait("up", browser.StateOf("meta_agent"))

	require.NoError(t, s.telegraf.Stop())
	page.Wait("Not known", browser.Headline)
	page.Forgive() // it logs that the connection is refused
	far.Wait("Not known", browser.Headline)
	far.Wait(true, `document.getElementById("problem").textContent.startsWith("no report for ")`)
	require.Zero(t, far.Value(browser.Green))
	page.Forgive()
	s.startAgain()
	page.Wait("up", browser.StateOf("meta_agent"))
	far.Wait("up", browser.StateOf("meta_agent"))
	page.Forgive()
}

func pageOptions(address string) string {
	return fmt.Sprintf("\n[[outputs.liveness]]\n  listen = %q\n  stale_after = \"5s\"\n", address)
}

// pageBlock returns the block of the page in the drop-in, without the marks of a comment.
func pageBlock(t *testing.T) string {
	t.Helper()
	dropIn, err := os.ReadFile(filepath.Join(root, "sample.conf"))
	require.NoError(t, err)
	_, block, found := strings.Cut(string(dropIn), "\n# outputs.liveness: ")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "\n\n")
	_, block, found = strings.Cut(block, "# [[outputs.execd]]\n")
	require.True(t, found)
	lines := strings.Split(block, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(lines[i], "#"), " ")
	}
	return "\n[[outputs.execd]]\n" + strings.Join(lines, "\n") + "\n"
}
