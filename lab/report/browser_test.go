package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// browsers are the commands by which a Chromium is known.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell"}

// TestInBrowser opens report.html as a reader would, in a Chromium without a screen: it opens
// without an error and asks for nothing but itself, links lead to what they name, and the
// boxes and buttons do what they say. Where there is no Chromium it is skipped;
// EVENKEEL_BROWSER_TEST=required makes that a failure.
func TestInBrowser(t *testing.T) {
	b := startBrowser(t)
	dir := t.TempDir()
	if err := Write(dir, inputForBrowser(t)); err != nil {
		t.Fatal(err)
	}
	page := (&url.URL{Scheme: "file", Path: filepath.Join(dir, HTMLFile)}).String()
	b.open(t, page)

	for _, theme := range []string{"light", "dark", "light"} {
		b.run(t, fmt.Sprintf("document.getElementById('theme-%s').click()", theme))
		want := map[string]string{"light": "rgb(253, 252, 250)", "dark": "rgb(22, 24, 26)"}[theme]
		if got := b.run(t, "getComputedStyle(document.documentElement).backgroundColor"); got != want {
			t.Errorf("%s: the ground is %v, want %s", theme, got, want)
		}
	}
	t.Run("links", func(t *testing.T) { testLinks(t, b, page) })
	t.Run("boxes", func(t *testing.T) { testBoxes(t, b) })
	t.Run("verdicts", func(t *testing.T) { testOnlyVerdicts(t, b) })
	t.Run("keyboard", func(t *testing.T) { testKeyboard(t, b) })
	t.Run("narrow", func(t *testing.T) { testNarrow(t, b) })

	for _, e := range b.events {
		switch e.Method {
		case "Network.requestWillBeSent":
			if u := e.Params.Request.URL; !strings.HasPrefix(u, page) {
				t.Errorf("the page asks for %s", u)
			}
		case "Runtime.exceptionThrown", "Log.entryAdded":
			t.Errorf("%s: %s", e.Method, e.raw)
		}
	}
}

// inputForBrowser is a report in which everything is to be seen.
func inputForBrowser(t *testing.T) Input {
	in := input(t)
	in.Digests, in.Summary = nil, stat.Summary{}
	for _, scenario := range []string{"one-slow", "calm"} {
		var trials []*record.Trial
		for block := range 8 {
			slow, keep := 12.0, 0.2
			if scenario == "calm" {
				slow, keep = 1, 1
			}
			trials = append(trials, play(scenario, record.Sim, "round-robin", block, 60, slow, 1), play(scenario, record.Sim, "p2c-ewma", block, 60, slow, keep))
		}
		for _, first := range trials[:2] {
			first.Header.Inside = insideOf(&first.Header)
		}
		digests, sc := digest(t, []string{"round-robin", "p2c-ewma"}, trials...)
		in.Digests, in.Summary.Scenarios = append(in.Digests, digests...), append(in.Summary.Scenarios, sc)
	}
	stat.Judge(&in.Summary, stat.NewRule("p2c-ewma", 0))
	return in
}

// Each link leads to an element of its name, and a click brings that to the top of the window.
func testLinks(t *testing.T, b *browser, page string) {
	links := b.run(t, `[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))`).([]any)
	if len(links) < 6 {
		t.Fatalf("%d links", len(links))
	}
	for i, href := range links {
		name, ok := strings.CutPrefix(href.(string), "#")
		if !ok {
			t.Errorf("a link leads away, to %v", href)
			continue
		}
		got := b.run(t, fmt.Sprintf(`(() => {
			const links = document.querySelectorAll('a[href]');
			window.scrollTo(0, 0);
			links[%d].click();
			const to = document.getElementById(%q);
			return to && location.hash === '#' + to.id && Math.round(to.getBoundingClientRect().top) + (innerHeight + scrollY >= document.documentElement.scrollHeight - 1 ? -1e6 : 0);
		})()`, i, name))
		if top, ok := got.(float64); !ok || top > 60 {
			t.Errorf("%v: a click leaves what it leads to at %v", href, got)
		}
	}
}

// shown counts the elements of a kind that can be seen.
const shown = `(what => [...document.querySelectorAll(what)].filter(e => e.getClientRects().length > 0).length)`

// A box hides what it names, and shows it again.
func testBoxes(t *testing.T, b *browser) {
	see := func(what string) float64 { return b.run(t, fmt.Sprintf("%s(%q)", shown, what)).(float64) }
	for box, what := range map[string]string{
		"#show-time": ".p-time", "#show-heat": ".p-heat", "#show-share": ".p-share", "#show-pending": ".p-pending",
		"#show-limit": ".p-limit", "#show-modes": ".p-modes", "#show-breakers": ".p-breakers",
		"section[id='one-slow.sim'] .pick-0": "section[id='one-slow.sim'] .of-0",
		"section[id='one-slow.sim'] .pick-1": "section[id='one-slow.sim'] .of-1",
	} {
		before := see(what)
		if before == 0 {
			t.Errorf("%s: there is no %s to hide", box, what)
		}
		b.run(t, fmt.Sprintf("document.querySelector(%q).click()", box))
		if left := see(what); left != 0 {
			t.Errorf("%s: %v of %s are left", box, left, what)
		}
		b.run(t, fmt.Sprintf("document.querySelector(%q).click()", box))
		if again := see(what); again != before {
			t.Errorf("%s: %v of %s come back, of %v", box, again, what, before)
		}
	}
	if see("section[id='calm.sim'] .of-0") == 0 {
		t.Error("a box of one scenario hides a subject of another")
	}
}

// The matrix shows what is asked for: of the two scenarios one has a LOSS.
func testOnlyVerdicts(t *testing.T, b *browser) {
	for button, want := range map[string]float64{"only-all": 2, "only-loss": 1} {
		b.run(t, fmt.Sprintf("document.getElementById(%q).click()", button))
		if got := b.run(t, shown+`(".matrix tbody tr")`); got != want {
			t.Errorf("%s: %v rows, want %v", button, got, want)
		}
	}
	b.run(t, "document.getElementById('only-all').click()")
}

// What can be clicked or scrolled can be reached with the keyboard, and has a name.
func testKeyboard(t *testing.T, b *browser) {
	got := b.run(t, `[...document.querySelectorAll('input, summary, a, .scroll')].filter(e => e.tabIndex < 0).length`)
	if got != 0.0 {
		t.Errorf("%v elements cannot be reached", got)
	}
	got = b.run(t, `[...document.querySelectorAll('input')].filter(e => !e.labels.length || !e.labels[0].textContent.trim()).length`)
	if got != 0.0 {
		t.Errorf("%v inputs have no name", got)
	}
	b.run(t, "document.querySelector('summary').focus()")
	b.call(t, "Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13})
	b.call(t, "Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13})
	if open := b.run(t, "document.querySelector('details').open"); open != true {
		t.Error("the view does not open by the keyboard")
	}
}

// On a phone nothing but tables and wide figures, which scroll by themselves, is wider than
// the window.
func testNarrow(t *testing.T, b *browser) {
	b.call(t, "Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true})
	if got := b.run(t, "document.documentElement.scrollWidth"); got != 360.0 {
		t.Errorf("the page is %v wide on a window of 360", got)
	}
}

// browser is a Chromium that is spoken to over two pipes, in its DevTools protocol: JSON,
// each message ended by a zero byte.
type browser struct {
	to      *os.File
	from    *bufio.Reader
	session string
	last    int
	events  []event
}

// event is what the browser tells by itself.
type event struct {
	Method string `json:"method"`
	Params struct {
		Request struct {
			URL string `json:"url"`
		} `json:"request"`
	} `json:"params"`
	raw string
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range browsers {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("EVENKEEL_BROWSER_TEST") == "required" {
			t.Fatalf("none of %v is there", browsers)
		}
		t.Skipf("SKIPPED: report.html was not looked at in a browser: none of %v is there", browsers)
	}
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	c.ExtraFiles = []*os.File{theirs, answers} // 3 and 4, as the protocol has it
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	answers.Close()
	from.SetReadDeadline(time.Now().Add(2 * time.Minute)) // a browser that hangs does not hang the test
	b := &browser{to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		b.session = ""
		b.call(t, "Browser.close", nil)
		to.Close()
		c.Wait()
		from.Close()
	})
	target := b.call(t, "Target.createTarget", map[string]any{"url": "about:blank"})
	attached := b.call(t, "Target.attachToTarget", map[string]any{"targetId": target["targetId"], "flatten": true})
	b.session = attached["sessionId"].(string)
	for _, domain := range []string{"Page", "Network", "Runtime", "Log"} {
		b.call(t, domain+".enable", nil)
	}
	return b
}

// open opens a page and waits until it is there.
func (b *browser) open(t *testing.T, page string) {
	t.Helper()
	b.call(t, "Page.navigate", map[string]any{"url": page})
	for {
		for _, e := range b.events {
			if e.Method == "Page.loadEventFired" {
				return
			}
		}
		b.read(t)
	}
}

// run runs JavaScript in the page and returns what it comes to.
func (b *browser) run(t *testing.T, script string) any {
	t.Helper()
	got := b.call(t, "Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true})
	if got["exceptionDetails"] != nil {
		t.Fatalf("%s: %v", script, got["exceptionDetails"])
	}
	return got["result"].(map[string]any)["value"]
}

// call calls a method of the protocol.
func (b *browser) call(t *testing.T, method string, params any) map[string]any {
	t.Helper()
	b.last++
	message := map[string]any{"id": b.last, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	for {
		if id, result := b.read(t); id == b.last {
			return result
		}
	}
}

// read reads the next message: an answer, or an event, which is kept and has no id.
func (b *browser) read(t *testing.T) (id int, result map[string]any) {
	t.Helper()
	text, err := b.from.ReadBytes(0)
	if err != nil {
		t.Fatalf("the browser is gone: %v", err)
	}
	text = text[:len(text)-1]
	var answer struct {
		ID     int            `json:"id"`
		Result map[string]any `json:"result"`
		Error  *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != nil {
		t.Fatalf("the browser says %s", answer.Error.Message)
	}
	if answer.ID == 0 {
		e := event{raw: string(text)}
		json.Unmarshal(text, &e) // params of other shapes have no URL
		b.events = append(b.events, e)
	}
	return answer.ID, answer.Result
}
