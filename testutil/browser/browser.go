// Package browser looks at the status page with a headless Chromium.
package browser

import (
	"context"
	"fmt"
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

// limit is the timeout for a condition, not an expected time.
const limit = 2 * time.Minute

// Browser is a Chromium that shows a page.
type Browser struct {
	*testing.T
	context context.Context

	mu       sync.Mutex
	requests []string // addresses
	problems []string // what the console says
}

// Open opens a page. At the end of the test the page must have loaded nothing from elsewhere, and the console be empty.
func Open(t *testing.T, url string) *Browser {
	t.Helper()
	process.SkipIfShort(t, "Chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 900))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	b := &Browser{T: t}
	b.context, cancel = chromedp.NewContext(allocator, chromedp.WithListener(b.take))
	t.Cleanup(cancel)
	b.Run(chromedp.Navigate("about:blank"))
	_, err := chromedp.Call(b.context, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	_, err = chromedp.Call(b.context, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	b.Run(chromedp.Navigate(url))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		assert.Empty(t, b.problems, "what the console says")
		assert.NotEmpty(t, b.requests)
		for _, loaded := range b.requests {
			assert.Truef(t, strings.HasPrefix(loaded, url), "the page loads %q", loaded)
		}
	})
	return b
}

// take keeps what the page requests and complains about.
func (b *Browser) take(event any) {
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

// Run does some steps.
func (b *Browser) Run(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	require.NoError(b, chromedp.Do(b.context, steps...))
}

// Value returns what an expression gives.
func (b *Browser) Value(expression string) any {
	b.Helper()
	v, err := chromedp.Run(b.context, chromedp.Evaluate[any](expression))
	require.NoError(b, err)
	return v
}

// Wait waits until an expression gives a value.
func (b *Browser) Wait(want any, expression string) {
	b.Helper()
	var got any
	if !assert.Eventually(b, func() bool {
		got = b.Value(expression)
		return assert.ObjectsAreEqual(want, got)
	}, limit, 100*time.Millisecond) {
		require.Equal(b, want, got, expression)
	}
}

const (
	// Headline is what the page says on the whole.
	Headline = `document.getElementById("headline").textContent`
	// Green counts what is as green as a component that is up.
	Green = `(() => {
		const probe = document.createElement("i");
		probe.className = "up-now";
		document.body.append(probe);
		const up = getComputedStyle(probe).color;
		probe.remove();
		const colors = ["color", "backgroundColor", "borderLeftColor", "fill"];
		return [...document.querySelectorAll("body *")].filter((e) => colors.some((c) => getComputedStyle(e)[c] === up)).length;
	})()`
)

// StateOf is the state of a component on the page; null if it has none.
func StateOf(name string) string {
	return fmt.Sprintf(`document.querySelector('.row[data-name=%q] .state')?.textContent ?? null`, name)
}

// Picture returns a picture of the page in a size and a color scheme, as PNG.
func (b *Browser) Picture(width, height int64, scheme string) []byte {
	b.Helper()
	_, err := chromedp.Call(b.context, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	require.NoError(b, err)
	b.Run(chromedp.EmulateViewport(width, height), chromedp.Sleep(2*time.Second))
	picture, err := chromedp.Run(b.context, chromedp.CaptureScreenshot())
	require.NoError(b, err)
	return picture
}

// Forgive leaves out what the console says so far.
func (b *Browser) Forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = nil
}
