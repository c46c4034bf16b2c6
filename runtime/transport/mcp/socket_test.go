package mcp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// TestWebSocketSlowMessage: a message that does not arrive gives back what it took.
func TestWebSocketSlowMessage(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	a.handler.messageTimeout = 50 * time.Millisecond
	c := a.connect(t, a.key)
	w, err := c.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	// More than is buffered here, so that it begins to arrive, and no end.
	if _, err := w.Write([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("x", 64<<10))); err != nil {
		t.Fatal(err)
	}
	if status := c.ends(); status != -1 {
		t.Errorf("closed with %v", status)
	}
	a.handler.Drain()
	a.handler.Wait(t.Context())
}

// TestWebSocketIsNotRead: a client that does not read its answers stops no run of its own,
// and leaves nothing behind when it goes.
func TestWebSocketIsNotRead(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	t.Cleanup(a.client.CloseIdleConnections)
	c := a.connect(t, a.key)
	large := callID("x", "echo", `{"a":"`+strings.Repeat("x", 50<<10)+`"}`)
	for i := range maxInFlight {
		c.write(strings.Replace(large, `"x"`, fmt.Sprint(i), 1))
	}
	other := a.connect(t, a.key)
	other.write(callID(1, "echo", `{}`))
	if got := other.read(); got.Result == nil {
		t.Errorf("the other connection: %s", got.text)
	}
	_, _ = c.CloseNow(), other.CloseNow()
	a.handler.Wait(t.Context())
	if free := a.handler.engine.Bodies.Free(); free != 8<<20 {
		t.Errorf("%d bytes of the budget are free", free)
	}
}

// TestBudget: whatever becomes of a message, what it held is given back.
func TestBudget(t *testing.T) {
	a := start(t, "")
	inputs := `{"it":[` + strings.Repeat(`{"a":"b"},`, 2000) + `1]}`
	c := a.connect(t, a.key)
	for _, tool := range []string{"echo", "pick", "show_it", "owners", "nothing", "add", "raises", "scarce"} {
		for _, revision := range []string{dated, stateless} {
			a.call(revision, tool, inputs)
			a.send(revision, callOf(revision, tool, inputs, `"progressToken":1`))
			a.send(revision, strings.Replace(callOf(revision, tool, inputs), "[", `[{"__proto__":1},`, 1))
		}
		c.write(callID(tool, tool, inputs))
		c.read()
	}
	c.write(callID("last", "echo", `{}`))
	c.read()
	_ = c.CloseNow()
	a.handler.Drain()
	a.handler.Wait(t.Context())
	if free := a.handler.engine.Bodies.Free(); free != 8<<20 {
		t.Errorf("%d bytes of the budget are free", free)
	}
}
