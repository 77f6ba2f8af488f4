package liveness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/influxdata/telegraf/config"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/browser"
)

// slow lets nothing be out of date before a slow machine has started Chromium.
func slow(l *Liveness) { l.StaleAfter = config.Duration(time.Hour) }

// TestPageFollowsStates has a component fall silent and come back without a reload.
func TestPageFollowsStates(t *testing.T) {
	p := serve(t, slow)
	p.writeNow("up")
	b := browser.Open(t, p.url("/"))
	b.Wait("2 up", browser.Headline)
	require.NotZero(t, b.Value(browser.Green))
	p.writeNow("silent")
	b.Wait("silent", browser.StateOf("audio_io"))
	b.Wait("1 silent", browser.Headline)
	b.Wait("audio_io", `document.querySelector("#rows .row")?.dataset.name ?? null`)
	b.Wait("up → silent", `document.querySelector("#events li span > bdi")?.textContent ?? null`)
	p.writeNow("up")
	b.Wait("2 up", browser.Headline)
}

// TestPageSaysWhatIsNotKnown pauses the bus, and lets reports end.
func TestPageSaysWhatIsNotKnown(t *testing.T) {
	p := serve(t, slow)
	p.writeNow("up")
	b := browser.Open(t, p.url("/"))
	b.Wait("2 up", browser.Headline)
	p.write(heard(false, time.Now()))
	b.Wait("Not known", browser.Headline)
	b.Wait("the bus cannot be heard", `document.getElementById("problem").textContent`)
	b.Wait("not known", browser.StateOf("audio_io"))
	b.Wait("– / 30 s", `document.querySelector('#rows .row > :nth-child(5)').textContent`)
	require.Zero(t, b.Value(browser.Green))
}

// TestPageSaysWhatCannotBeJudged has components whose heartbeats were due in holes.
func TestPageSaysWhatCannotBeJudged(t *testing.T) {
	const verdict, problem = `document.getElementById("verdict").className`, `document.getElementById("problem").textContent`
	p := serve(t, slow)
	p.writeNow("up")
	b := browser.Open(t, p.url("/"))
	b.Wait("verdict up", verdict)
	holes := heard(true, time.Now())
	holes.AddField("unjudged", int64(1))
	p.write(holes)
	b.Wait("all components; 1 cannot be judged", problem)
	b.Wait("verdict late", verdict)
	p.write(heard(true, time.Now()))
	b.Wait("verdict up", verdict)
}

// TestPageSaysHowOldItIs has a report that is some seconds old.
func TestPageSaysHowOldItIs(t *testing.T) {
	p := serve(t, slow)
	b := browser.Open(t, p.url("/"))
	b.Wait("no report came yet", `document.getElementById("problem").textContent`)
	b.Wait("", `document.getElementById("age").textContent`)
	b.Wait(false, `document.getElementById("no-components").hidden`)
	p.write(report("audio_io", "unseen", time.Now().Add(-5*time.Second)))
	b.Wait("1 never seen", browser.Headline)
	b.Wait(true, `document.getElementById("no-components").hidden`)
	b.Wait("None.", `document.getElementById("no-gaps").textContent`)
	other := heard(false, time.Now())
	other.AddTag("host", "other")
	p.write(other)
	b.Wait("1 never seen, others not known", browser.Headline)
	b.Wait("None, as far as is known.", `document.getElementById("no-gaps").textContent`)
	b.Wait(true, `/^last report \d+ s ago$/.test(document.getElementById("age").textContent)`)
}

// TestPageSaysWhetherGapsCanBePublished has an output that publishes, and one that cannot.
func TestPageSaysWhetherGapsCanBePublished(t *testing.T) {
	const said = `document.getElementById("delivery").textContent.replace(/ 2 h \d+ min ago/, " 2 h ago")` // the machine may be slow
	p := serve(t, slow)
	p.writeNow("up")
	b := browser.Open(t, p.url("/"))
	b.Wait("2 up", browser.Headline)
	b.Wait("", said)
	p.write(output(true, 0, time.Now()))
	b.Wait("The output can publish; no gaps waiting.", said)
	p.write(output(false, 1, time.Now()))
	b.Wait("The output cannot publish: nothing that it sends comes back from the bus; 1 gap waiting.", said)
	b.Wait("all components; gaps cannot be published", `document.getElementById("problem").textContent`)
	unknown := output(true, 0, time.Now().Add(-2*time.Hour))
	unknown.AddTag("host", "other")
	p.write(unknown, output(true, 1, time.Now()))
	b.Wait("The output of other could publish when it was reported 2 h ago; not known now."+
		"1 of 2 outputs can publish; 1 gap waiting.", said)
	p.write(output(false, 1, time.Now()))
	b.Wait("silent-now", `document.querySelector("#delivery li").className`)
	b.Wait("all components; gaps cannot be published by 1 of 2 outputs", `document.getElementById("problem").textContent`)
	require.NotEqual(t, b.Value(`getComputedStyle(document.getElementById("no-gaps")).color`),
		b.Value(`getComputedStyle(document.querySelector("#delivery li")).color`))
}

// TestPageSaysThatThereAreMoreGaps has more gaps open than the page lists.
func TestPageSaysThatThereAreMoreGaps(t *testing.T) {
	const said = `document.getElementById("no-gaps").checkVisibility() && document.getElementById("no-gaps").textContent`
	p := serve(t, slow)
	p.writeNow("silent")
	for i := range maxShownGaps + 2 {
		p.write(gap("audio_io", fmt.Sprint(i), true, time.Now()))
	}
	b := browser.Open(t, p.url("/"))
	b.Wait("And 2 more.", said)
	require.InDelta(t, maxShownGaps, b.Value(`document.querySelectorAll("#gaps li").length`), 0)
	p.write(gap("audio_io", "0", false, time.Now()))
	b.Wait("And 1 more.", said)
	p.write(gap("audio_io", "1", false, time.Now()))
	b.Wait(false, said)
}

// TestPageSaysThatTheServerIsGone stops the plugin.
func TestPageSaysThatTheServerIsGone(t *testing.T) {
	p := serve(t, slow)
	p.writeNow("up")
	b := browser.Open(t, p.url("/"))
	b.Wait("2 up", browser.Headline)
	require.NoError(t, p.Liveness.Close())
	p.closed = true
	b.Wait("Not known", browser.Headline)
	require.Zero(t, b.Value(browser.Green))
	b.Wait("not known", browser.StateOf("audio_io"))
	b.Forgive() // it logs that the connection is refused
}

// TestPageShowsHostileNamesAsText has names that would do something if they were taken for HTML.
func TestPageShowsHostileNamesAsText(t *testing.T) {
	p := serve(t, slow)
	now := time.Now()
	hostile := `<script>document.title="x"</script><img src=x onerror=alert(1)>`
	p.write(heard(true, now), report(hostile, "silent", now), gap(hostile, "one", true, now))
	b := browser.Open(t, p.url("/"))
	b.Wait(hostile, `document.querySelector("#rows .name")?.textContent ?? null`)
	b.Wait(hostile, `document.querySelector("#gaps h3")?.textContent ?? null`)
	require.Zero(t, b.Value(`document.querySelectorAll("main script, main img").length`))
}

// TestPageIsUsedWithTheKeyboard searches, filters and opens the details of a component.
func TestPageIsUsedWithTheKeyboard(t *testing.T) {
	p := serve(t, slow)
	p.writeNow("silent")
	p.write(report("zooid_17", "up", time.Now()))
	b := browser.Open(t, p.url("/"))
	b.Wait(2.0, `document.querySelectorAll("#rows .row").length`)
	// The key alone: chromedp sends the character in any case, a keyboard only if the page lets it.
	b.Value(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true}))`)
	b.Run(chromedp.KeyEvent("meta"))
	b.Wait("meta_agent", `document.querySelector("#rows .row:only-child")?.dataset.name ?? null`)
	b.Run(chromedp.KeyEvent("\x1b"))
	b.Wait(2.0, `document.querySelectorAll("#rows .row").length`)
	b.Run(chromedp.Focus(chromedp.CSS("#unnamed")), chromedp.KeyEvent(" "))
	b.Wait(3.0, `document.querySelectorAll("#rows .row").length`)
	b.Run(chromedp.Focus(chromedp.CSS("#rows .name")), chromedp.KeyEvent("\r"))
	b.Wait("true", `document.querySelector("#rows .name").getAttribute("aria-expanded")`)
	b.Wait(true, `document.querySelector(".details").textContent.includes("Interval of heartbeats")`)
	b.Run(chromedp.Click(chromedp.CSS("#counts button")))
	b.Wait(1.0, `document.querySelectorAll("#rows .row").length`)
}

// TestPageShowsThousands opens the page with 5000 components.
func TestPageShowsThousands(t *testing.T) {
	p := serve(t, slow)
	now := time.Now()
	p.write(heard(true, now))
	for i := range 5000 {
		p.write(report(fmt.Sprintf("component_%04d", i), []string{"up", "up", "up", "late", "silent"}[i%5], now))
	}
	b := browser.Open(t, p.url("/"))
	b.Wait("5000 components", `document.getElementById("shown").textContent`)
	t.Logf("shown %v ms after the navigation began", b.Value(`performance.now()`))
	// inView is whether the row of a component is.
	inView := func(name string) string {
		return fmt.Sprintf(`(() => {
			const at = document.querySelector('.row[data-name=%q]')?.getBoundingClientRect();
			return Boolean(at) && at.bottom > 0 && at.top < innerHeight;
		})()`, name)
	}
	// press presses a key until a condition holds, again if need be: Chromium scrolls as far as the page was long when it was
	// drawn last, and may drop a key while it is busy.
	press := func(key, condition string) {
		require.Eventually(t, func() bool {
			b.Run(chromedp.KeyEvent(key))
			return b.Value(condition) == true
		}, time.Minute, time.Second, condition)
	}
	for range 2 {
		press(kb.End, inView("component_4997")) // the last of those that are up
		b.Wait(true, `document.querySelectorAll("#rows .row").length < 300`)
		bottom := b.Value(`scrollY`)
		press(kb.PageUp, fmt.Sprintf(`scrollY < %v`, bottom))
		b.Wait(true, `Boolean(document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest(".row"))`)
		press(kb.Home, inView("component_0004")) // the first of those that are silent
	}
	require.Equal(t, "5001", b.Value(`document.getElementById("table").getAttribute("aria-rowcount")`))
	t.Logf("an update takes %v ms", b.Value(`(() => {
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
	p := serve(t, slow)
	p.writeScene()
	b := browser.Open(t, p.url("/"))
	b.Wait(true, `document.querySelectorAll("#rows .row").length > 5`)
	for name, look := range map[string]struct {
		width, height int64
		scheme        string
	}{
		"light": {1280, 1400, "light"}, "dark": {1280, 1400, "dark"}, "phone": {390, 1600, "light"},
	} {
		picture := b.Picture(look.width, look.height, look.scheme)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "page-"+name+".png"), picture, 0o600))
	}
}
