package fleet

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/redistest"
)

var plotFile = flag.String("plot", "", "write the plot of docs/limits.md to this file")

// The run of the plot: a load above the limit for three stretches, Redis being away in
// the second.
const (
	stretch  = 4 * time.Second
	plotRate = 600 // a minute
	burst    = 20
)

// passes are when requests passed, from the beginning of a run.
type passes struct {
	mu sync.Mutex
	at []time.Duration
}

// record sends 90 requests a second, taking turns between the replicas, until the run
// is over.
func record(t *testing.T, replicas []*replica, key string, began time.Time) []time.Duration {
	t.Helper()
	var p passes
	var wg sync.WaitGroup
	for _, r := range replicas {
		wg.Go(func() {
			tick := time.NewTicker(time.Second / 30)
			defer tick.Stop()
			for ; time.Since(began) < 3*stretch; <-tick.C {
				status, err := r.call(t.Context(), "X-API-Key", key)
				if err != nil || status != 200 && status != 429 {
					t.Errorf("got %d, %v", status, err)
					return
				}
				if status == 200 {
					p.mu.Lock()
					p.at = append(p.at, time.Since(began))
					p.mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(p.at)
	return p.at
}

func before(at []time.Duration, d time.Duration) int {
	n, _ := slices.BinarySearch(at, d)
	return n
}

// TestOverTime sends a steady load above the limit to three replicas through an outage
// of Redis, and to three without Redis, and draws what passed.
func TestOverTime(t *testing.T) {
	server := redistest.Start(t, redistest.Options{TLS: true})
	f := newFiles(t)
	f.write("redis", "url", server.URL(""))
	f.write("redis", "ca.crt", string(server.CA()))
	key := f.key("one")
	limit := fmt.Sprintf("\n  rateLimit: {requestsPerMinute: %d, burst: %d}\n", plotRate, burst)
	shared := f.start(3, manifest("Production", sharedSpec+limit))
	alone := f.start(3, manifest("Staging", "\n  auth: {apiKeys: {secretRef: {name: keys}}}"+limit))
	await(t, shared, "nexus_redis_up", "1")

	began := time.Now()
	var together, apart []time.Duration
	var wg sync.WaitGroup
	wg.Go(func() { together = record(t, shared, key, began) })
	wg.Go(func() { apart = record(t, alone, key, began) })
	<-time.After(time.Until(began.Add(stretch))) // the load goes on meanwhile
	// Decisions that a busy machine did not get from Redis within 50 ms.
	late := 0
	for _, r := range shared {
		n, err := strconv.Atoi(r.metric("nexus_rate_limit_store_errors_total"))
		if err != nil {
			t.Fatal(err)
		}
		late += n
	}
	server.Kill()
	<-time.After(time.Until(began.Add(2 * stretch)))
	again := time.Since(began)
	server.Restart()
	await(t, shared, "nexus_redis_up", "1")
	back := time.Since(began)
	wg.Wait()

	due := bucket{plotRate, burst}.due
	if n, want := before(together, stretch), due(stretch); n < want-3 || n > want+1+late {
		t.Errorf("with Redis %d passed at first, want %d", n, want)
	}
	if n, most := before(together, again), due(stretch)+3*due(again-stretch)+3+late; n > most {
		t.Errorf("with Redis and an outage %d passed, want at most %d", n, most)
	}
	// Redis came back empty: one more burst, and until every replica has noticed, they
	// may still count by themselves.
	alike := int(3 * plotRate * (back - again).Minutes())
	if n, most := len(together)-before(together, again), alike+due(3*stretch-again)+3; n > most {
		t.Errorf("after the outage %d passed, want at most %d", n, most)
	}
	if n, want := len(apart), 3*due(3*stretch); n < want-9 || n > want+9 {
		t.Errorf("without Redis %d passed, want %d", n, want)
	}
	if *plotFile != "" {
		if err := os.WriteFile(*plotFile, []byte(draw(together, apart, back)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The plot's area, in pixels.
const left, top, width, height = 60, 20, 640, 320

// draw makes an SVG of how many requests passed over time.
func draw(together, apart []time.Duration, back time.Duration) string {
	most := float64((len(apart)/100 + 1) * 100)
	x := func(d time.Duration) float64 { return left + width*d.Seconds()/(3*stretch).Seconds() }
	y := func(n float64) float64 { return top + height - height*n/most }
	steps := func(at []time.Duration) string {
		points := []string{fmt.Sprintf("%.1f,%.1f", x(0), y(0))}
		for i, d := range at {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(d), y(float64(i+1))))
		}
		return strings.Join(points, " ")
	}
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="#333">`, left+width+20, top+height+50)
	say(`<rect width="100%%" height="100%%" fill="#fff"/>`)
	say(`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="#fbe9e7"/>`, x(stretch), top, x(back)-x(stretch), height)
	say(`<text x="%.1f" y="%d" text-anchor="middle" fill="#b71c1c">Redis is away</text>`, (x(stretch)+x(back))/2, top+height-8)
	for n := 0.0; n <= most; n += 100 {
		say(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`, left, left+width, y(n), y(n), left-8, y(n)+4, n)
	}
	for s := 0; s <= int((3 * stretch).Seconds()); s += 2 {
		say(`<text x="%.1f" y="%d" text-anchor="middle">%d</text>`, x(time.Duration(s)*time.Second), top+height+18, s)
	}
	say(`<text x="%d" y="%d" text-anchor="middle">seconds</text>`, left+width/2, top+height+38)
	say(`<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">requests passed</text>`, top+height/2)
	say(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#333" stroke-dasharray="5 4"/>`,
		x(0), y(burst), x(3*stretch), y(burst+plotRate*(3*stretch).Minutes()))
	say(`<polyline fill="none" stroke="#ef6c00" stroke-width="2" points="%s"/>`, steps(apart))
	say(`<polyline fill="none" stroke="#1565c0" stroke-width="2" points="%s"/>`, steps(together))
	for i, entry := range []struct{ colour, dash, text string }{
		{"#ef6c00", "", "three pods without Redis"}, {"#1565c0", "", "three pods with Redis, onStoreError: Local"},
		{"#333", "5 4", fmt.Sprintf("burst + rate × time (%d + %d a second)", burst, plotRate/60)},
	} {
		at := top + 16 + 20*i
		say(`<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="%s" stroke-width="2" stroke-dasharray="%s"/><text x="%d" y="%d">%s</text>`,
			left+12, left+44, at, at, entry.colour, entry.dash, left+52, at+4, entry.text)
	}
	say("</svg>")
	return b.String()
}
