package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// chromium is a browser that is spoken to over a pipe, in the DevTools protocol: without a
// port, and it ends when the pipe does.
type chromium struct {
	to     io.WriteCloser
	ended  chan struct{}
	mu     sync.Mutex
	last   int
	wait   map[int]chan answer
	events func(event)
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

type event struct {
	Method  string
	Params  json.RawMessage
	Session string
}

// launch starts the browser at the path. It reaches nothing but this machine.
func launch(ctx context.Context, t *testing.T, path string, events func(event)) *chromium {
	t.Helper()
	toRead, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, fromWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile := t.TempDir()
	cmd := exec.CommandContext(ctx, path,
		"--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--window-size=1280,1000",
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--user-data-dir="+profile, "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+profile)
	cmd.ExtraFiles = []*os.File{toRead, fromWrite} // 3 and 4
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = toRead.Close(), fromWrite.Close()
	c := &chromium{to: to, ended: make(chan struct{}), wait: map[int]chan answer{}, events: events}
	go func() {
		defer close(c.ended)
		c.read(from)
	}()
	t.Cleanup(func() {
		_ = to.Close() // which ends the browser
		<-c.ended
		_ = from.Close()
		if err := cmd.Wait(); err != nil && t.Failed() {
			t.Logf("chromium: %v\n%s", err, said.String())
		}
	})
	return c
}

// read takes messages, each of which ends with a zero byte.
func (c *chromium) read(from io.Reader) {
	messages := bufio.NewReader(from)
	for {
		raw, err := messages.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			answer
			SessionID string
		}
		if json.Unmarshal(raw[:len(raw)-1], &m) != nil {
			continue
		}
		if m.ID == 0 {
			c.events(event{m.Method, m.Params, m.SessionID})
			continue
		}
		c.mu.Lock()
		waiting := c.wait[m.ID]
		delete(c.wait, m.ID)
		c.mu.Unlock()
		if waiting != nil {
			waiting <- m.answer
		}
	}
}

// do makes the browser do something, and reads what came of it into out unless that is nil.
func (c *chromium) do(ctx context.Context, session, method string, params map[string]any, out any) error {
	c.mu.Lock()
	c.last++
	id, reply := c.last, make(chan answer, 1)
	c.wait[id] = reply
	message := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		message["sessionId"] = session
	}
	raw, err := json.Marshal(message)
	if err == nil {
		_, err = c.to.Write(append(raw, 0))
	}
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a := <-reply:
		if a.Error != nil {
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(a.Result, out)
	case <-c.ended:
		return fmt.Errorf("%s: the browser has ended", method)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// tab is a page in the browser.
type tab struct {
	t       *testing.T
	ctx     context.Context // that of the test
	browser *chromium
	session string
	mu      sync.Mutex
	// complaints are the errors that the page's console shows, and requests what it loaded.
	complaints, requests []string
	loaded               chan struct{}
}

// note keeps what happens in a page.
func (p *tab) note(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Method {
	case "Page.loadEventFired":
		select {
		case p.loaded <- struct{}{}:
		default:
		}
	case "Network.requestWillBeSent":
		var sent struct{ Request struct{ URL string } }
		_ = json.Unmarshal(e.Params, &sent)
		p.requests = append(p.requests, sent.Request.URL)
	case "Runtime.exceptionThrown", "Audits.issueAdded":
		p.complaints = append(p.complaints, string(e.Params))
	case "Runtime.consoleAPICalled":
		var called struct{ Type string }
		if _ = json.Unmarshal(e.Params, &called); called.Type == "error" || called.Type == "warning" {
			p.complaints = append(p.complaints, string(e.Params))
		}
	case "Log.entryAdded":
		var added struct{ Entry struct{ Level string } }
		if _ = json.Unmarshal(e.Params, &added); added.Entry.Level == "error" || added.Entry.Level == "warning" {
			p.complaints = append(p.complaints, string(e.Params))
		}
	}
}

func (p *tab) do(method string, params map[string]any, out any) {
	p.t.Helper()
	if err := p.browser.do(p.ctx, p.session, method, params, out); err != nil {
		p.t.Fatal(err)
	}
}

// open opens a page and returns once it is loaded. dark chooses the colours.
func open(ctx context.Context, t *testing.T, path, url string, dark bool) *tab {
	t.Helper()
	p := &tab{t: t, ctx: ctx, loaded: make(chan struct{}, 1)}
	p.browser = launch(ctx, t, path, p.note)
	var target struct{ TargetID string }
	p.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	p.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network", "Audits"} {
		p.do(domain+".enable", nil, nil)
	}
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	p.do("Page.navigate", map[string]any{"url": url}, nil)
	select {
	case <-p.loaded:
	case <-ctx.Done():
		t.Fatal("the page was not loaded")
	}
	return p
}

// evaluate runs a script in the page and returns its value as text, once a promise of it
// is kept.
func (p *tab) evaluate(script string) (string, error) {
	var got struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	params := map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true}
	if err := p.browser.do(p.ctx, p.session, "Runtime.evaluate", params, &got); err != nil {
		return "", err
	}
	if e := got.ExceptionDetails; e != nil {
		return "", errors.New(e.Text + ": " + e.Exception.Description)
	}
	return fmt.Sprint(got.Result.Value), nil
}

// await returns the value of an expression as soon as it is one: it is looked at whenever
// the page changes.
func (p *tab) await(expression string) string {
	p.t.Helper()
	value, err := p.evaluate(`new Promise((done) => {
		const look = () => { const value = (() => ` + expression + `)(); if (value) { observer.disconnect(); done(value); } };
		const observer = new MutationObserver(look);
		observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
		look();
	})`)
	if err != nil {
		text, _ := p.evaluate("document.body.innerText")
		p.t.Fatalf("%s: %v; the page says:\n%s\nand complains: %q", expression, err, text, p.complaints)
	}
	return value
}

// fill types a text into the field that a label names.
func (p *tab) fill(label, text string) {
	p.t.Helper()
	quoted, _ := json.Marshal(label) // a text can always be written
	p.await(`[...document.querySelectorAll('label')].find((l) => l.firstChild.textContent === ` + string(quoted) + ` && l.control.offsetParent)?.control.focus() ?? document.activeElement.tagName !== 'BODY'`)
	p.do("Input.insertText", map[string]any{"text": text}, nil)
}

// press presses Enter in the field that has the focus.
func (p *tab) press() {
	p.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		p.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}, nil)
	}
}

// picture keeps what the page looks like, where 'go test -artifacts' says.
func (p *tab) picture(name string) {
	p.t.Helper()
	var shot struct{ Data string }
	p.do("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name+".png"), raw, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
