package liveness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// browserLimit is the timeout for a condition, not an expected time.
const browserLimit = 2 * time.Minute

// browser is a Chromium that shows the page.
type browser struct {
	*testing.T
	context context.Context

	mu       sync.Mutex
	requests []string // addresses
	problems []string // what the console says
}

// openBrowser opens the page of a plugin.
func openBrowser(t *testing.T, p *served) *browser {
	t.Helper()
	process.SkipIfShort(t, "Chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 900))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	b := &browser{T: t}
	b.context, cancel = chromedp.NewContext(allocator, chromedp.WithListener(b.take))
	t.Cleanup(cancel)
	b.run(chromedp.Navigate("about:blank"))
	_, err := chromedp.Call(b.context, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	_, err = chromedp.Call(b.context, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	b.run(chromedp.Navigate(p.url("/")))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		assert.Empty(t, b.problems, "what the console says")
		assert.NotEmpty(t, b.requests)
		for _, url := range b.requests {
			assert.Truef(t, strings.HasPrefix(url, p.url("/")), "the page loads %q", url)
		}
	})
	return b
}

// take keeps what the page requests and complains about.
func (b *browser) take(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *log.EventEntryAdded:
		b.problems = append(b.problems, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, fmt.Sprintf("exception: %+v", e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		b.problems = append(b.problems, fmt.Sprintf("console.%s", e.Type))
	}
}

func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	require.NoError(b, chromedp.Do(b.context, steps...))
}

// value returns what an expression gives.
func (b *browser) value(expression string) any {
	b.Helper()
	v, err := chromedp.Run(b.context, chromedp.Evaluate[any](expression))
	require.NoError(b, err)
	return v
}

// wait waits until an expression gives a value.
func (b *browser) wait(want any, expression string) {
	b.Helper()
	var got any
	if !assert.Eventually(b, func() bool {
		got = b.value(expression)
		return assert.ObjectsAreEqual(want, got)
	}, browserLimit, 100*time.Millisecond) {
		require.Equal(b, want, got, expression)
	}
}

const (
	headline = `document.getElementById("headline").textContent`
	// green counts what is as green as a component that is up.
	green = `(() => {
		const probe = document.createElement("i");
		probe.className = "up-now";
		document.body.append(probe);
		const up = getComputedStyle(probe).color;
		probe.remove();
		const colors = ["color", "backgroundColor", "borderLeftColor", "fill"];
		return [...document.querySelectorAll("body *")].filter((e) => colors.some((c) => getComputedStyle(e)[c] === up)).length;
	})()`
)

// stateOf is the state of a component on the page; null if it has none.
func stateOf(name string) string {
	return fmt.Sprintf(`document.querySelector('.row[data-name=%q] .state')?.textContent ?? null`, name)
}

// TestPageFollowsStates has a component fall silent and come back without a reload.
func TestPageFollowsStates(t *testing.T) {
	p := serve(t, nil)
	p.writeNow("up")
	b := openBrowser(t, p)
	b.wait("2 up", headline)
	require.NotZero(t, b.value(green))
	p.writeNow("silent")
	b.wait("silent", stateOf("audio_io"))
	b.wait("1 silent", headline)
	b.wait("audio_io", `document.querySelector("#rows .row")?.dataset.name ?? null`)
	b.wait("up → silent", `document.querySelector("#events li span > bdi")?.textContent ?? null`)
	p.writeNow("up")
	b.wait("2 up", headline)
}

// TestPageSaysWhatIsNotKnown pauses the bus, and lets reports end.
func TestPageSaysWhatIsNotKnown(t *testing.T) {
	p := serve(t, nil)
	p.writeNow("up")
	b := openBrowser(t, p)
	b.wait("2 up", headline)
	p.write(heard(false, time.Now()))
	b.wait("Not known", headline)
	b.wait("the bus cannot be heard", `document.getElementById("problem").textContent`)
	b.wait("not known", stateOf("audio_io"))
	require.Zero(t, b.value(green))
}

// TestPageSaysThatTheServerIsGone stops the plugin.
func TestPageSaysThatTheServerIsGone(t *testing.T) {
	p := serve(t, nil)
	p.writeNow("up")
	b := openBrowser(t, p)
	b.wait("2 up", headline)
	require.NoError(t, p.Liveness.Close())
	p.closed = true
	b.wait("Not known", headline)
	require.Zero(t, b.value(green))
	b.wait("not known", stateOf("audio_io"))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = nil // the browser logs that the connection is refused
}

// TestPageShowsHostileNamesAsText has names that would do something if they were taken for HTML.
func TestPageShowsHostileNamesAsText(t *testing.T) {
	p := serve(t, nil)
	now := time.Now()
	hostile := `<script>document.title="x"</script><img src=x onerror=alert(1)>`
	p.write(heard(true, now), report(hostile, "silent", now), gap(hostile, "one", true, now))
	b := openBrowser(t, p)
	b.wait(hostile, `document.querySelector("#rows .name")?.textContent ?? null`)
	b.wait(hostile, `document.querySelector("#gaps h3")?.textContent ?? null`)
	require.Zero(t, b.value(`document.querySelectorAll("main script, main img").length`))
}

// TestPageIsUsedWithTheKeyboard searches, filters and opens the details of a component.
func TestPageIsUsedWithTheKeyboard(t *testing.T) {
	p := serve(t, nil)
	p.writeNow("silent")
	p.write(report("zooid_17", "up", time.Now()))
	b := openBrowser(t, p)
	b.wait(2.0, `document.querySelectorAll("#rows .row").length`)
	// The key alone: chromedp sends the character in any case, a keyboard only if the page lets it.
	b.value(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true}))`)
	b.run(chromedp.KeyEvent("meta"))
	b.wait("meta_agent", `document.querySelector("#rows .row:only-child")?.dataset.name ?? null`)
	b.run(chromedp.KeyEvent("\x1b"))
	b.wait(2.0, `document.querySelectorAll("#rows .row").length`)
	b.run(chromedp.Focus(chromedp.CSS("#unnamed")), chromedp.KeyEvent(" "))
	b.wait(3.0, `document.querySelectorAll("#rows .row").length`)
	b.run(chromedp.Focus(chromedp.CSS("#rows .name")), chromedp.KeyEvent("\r"))
	b.wait("true", `document.querySelector("#rows .name").getAttribute("aria-expanded")`)
	b.wait(true, `document.querySelector(".details").textContent.includes("Interval of heartbeats")`)
	b.run(chromedp.Click(chromedp.CSS("#counts button")))
	b.wait(1.0, `document.querySelectorAll("#rows .row").length`)
}

// TestPageShowsThousands opens the page with 5000 components.
func TestPageShowsThousands(t *testing.T) {
	p := serve(t, nil)
	now := time.Now()
	p.write(heard(true, now))
	for i := range 5000 {
		p.write(report(fmt.Sprintf("component_%04d", i), []string{"up", "up", "up", "late", "silent"}[i%5], now))
	}
	b := openBrowser(t, p)
	b.wait("5000", `document.getElementById("shown").textContent`)
	t.Logf("shown %v ms after the navigation began", b.value(`performance.now()`))
	// More are made while one scrolls.
	b.wait(true, `(() => { scrollTo(0, document.body.scrollHeight); return document.querySelectorAll("#rows .row").length >= 1000; })()`)
	t.Logf("an update takes %v ms", b.value(`(() => {
		const begin = performance.now();
		document.getElementById("filters").dispatchEvent(new Event("input"));
		document.body.getBoundingClientRect();
		return performance.now() - begin;
	})()`))
}

// TestScreenshots writes pictures of the page to the folder that the environment names, see make screenshots.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("skipped, because SCREENSHOTS names no folder")
	}
	p := serve(t, nil)
	p.writeScene()
	b := openBrowser(t, p)
	b.wait(true, `document.querySelectorAll("#rows .row").length > 5`)
	for name, look := range map[string]struct {
		width, height int64
		scheme        string
	}{
		"light": {1280, 1400, "light"}, "dark": {1280, 1400, "dark"}, "phone": {390, 1600, "light"},
	} {
		_, err := chromedp.Call(b.context, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}})
		require.NoError(t, err)
		b.run(chromedp.EmulateViewport(look.width, look.height), chromedp.Sleep(2*time.Second))
		picture, err := chromedp.Run(b.context, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "page-"+name+".png"), picture, 0o600))
	}
}
