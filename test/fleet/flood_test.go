package fleet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// attacker makes credentials that are not accepted, each another.
type attacker struct {
	issuer           string
	stranger, signer *tokens.Signer
	key              string
}

// header is the n-th credential, with a forged address.
func (a *attacker) header(n int, random *rand.Rand) []string {
	claims := tokens.Claims(a.issuer, "shop", fmt.Sprint("mallory-", n), time.Now())
	var credential string
	switch n % 5 {
	case 0: // a key that the issuer does not have
		credential = a.stranger.Named(fmt.Sprint("kid-", random.Uint64())).Sign(claims)
	case 1: // a signature that does not verify, with a key that it has
		credential = a.stranger.Named(a.signer.KID).Sign(claims)
	case 2: // random bytes in the form of a token
		credential = fmt.Sprintf("eyJhbGciOiJFUzI1NiJ9.%x.%x", random.Uint64(), random.Uint64())
	case 3: // an API key with a random id and secret
		credential = "nxs_" + text(random, 8) + "_" + text(random, 43)
	case 4: // the honest client's key but for its end, which is never guessed
		const end = 5
		last := a.key[len(a.key)-end:]
		for last == a.key[len(a.key)-end:] {
			last = text(random, end)
		}
		credential = a.key[:len(a.key)-end] + last
	}
	address := fmt.Sprintf("%d.%d.%d.%d", random.IntN(256), random.IntN(256), random.IntN(256), random.IntN(256))
	return []string{"Authorization", "Bearer " + credential, "X-Forwarded-For", address, "Forwarded", "for=" + address, "X-Real-IP", address}
}

func text(random *rand.Rand, n int) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[random.IntN(len(letters))]
	}
	return string(b)
}

// TestHostileFlood: 100,000 refused credentials, from one address and, through a trusted
// proxy, from as many. The issuer is asked for its keys at most once in ten seconds, memory
// stays within bounds, and the honest client keeps its 200s, with a key and with a token.
func TestHostileFlood(t *testing.T) {
	t.Run("one address", func(t *testing.T) { testFlood(t, "[]", 429) })
	t.Run("many addresses", func(t *testing.T) { testFlood(t, "[127.0.0.0/8]", 401) })
}

// testFlood floods an app with these trusted proxies; most of the flood is answered with
// the status.
func testFlood(t *testing.T, trustedProxies string, mostly int) {
	t.Helper()
	const requests, workers = 100_000, 16
	signer := tokens.NewEC("current", "ES256")
	issuer := tokens.NewTLSIssuer(signer)
	t.Cleanup(issuer.Close)
	f := newFiles(t)
	f.write("ca", "ca.crt", string(issuer.CA()))
	key := f.key("honest")
	r := f.start(1, manifest("Staging", `
  auth:
    apiKeys: {secretRef: {name: keys}}
    jwt: [{issuer: "`+issuer.URL+`", audiences: [shop]}]
  rateLimit: {requestsPerMinute: 1000000, trustedProxies: `+trustedProxies+`}
  trust: {caBundle: {configMapRef: {name: ca, key: ca.crt}}}
  logging: {level: Info, format: JSON}
`))[0]
	token := signer.Sign(tokens.Claims(issuer.URL, "shop", "ada", time.Now()))
	await(t, []*replica{r}, `nexus_jwks_keys{issuer="`+issuer.URL+`"}`, "1")
	// The honest client was there before the flood.
	if status, err := r.call(t.Context(), "Authorization", "Bearer "+token); err != nil || status != 200 {
		t.Fatalf("the honest client got %d, %v", status, err)
	}
	began, fetched := time.Now(), issuer.Fetches()

	var wg, honest sync.WaitGroup
	var over atomic.Bool
	statuses := make([]map[int]int, workers)
	for i := range workers {
		wg.Go(func() {
			a := &attacker{issuer: issuer.URL, stranger: tokens.NewEC("stranger", "ES256"), signer: signer, key: key}
			random := rand.New(rand.NewPCG(uint64(i), 1))
			statuses[i] = map[int]int{}
			for n := range requests / workers {
				status, err := r.call(t.Context(), a.header(n, random)...)
				if err != nil {
					t.Error(err)
					return
				}
				statuses[i][status]++
			}
		})
	}
	served := 0
	honest.Go(func() {
		for !over.Load() {
			for _, header := range [][]string{{"X-API-Key", key}, {"Authorization", "Bearer " + token}} {
				if status, err := r.call(t.Context(), header...); err != nil || status != 200 {
					t.Errorf("the honest client got %d, %v", status, err)
					return
				}
				served++
			}
		}
	})
	wg.Wait()
	over.Store(true)
	honest.Wait()
	elapsed := time.Since(began)

	total := map[int]int{}
	for _, s := range statuses {
		for status, n := range s {
			total[status] += n
		}
	}
	fetches := issuer.Fetches() - fetched
	t.Logf("%v in %v, %d honest calls, %d fetches of keys, at most %d MiB of memory", total, elapsed.Round(time.Millisecond), served, fetches, peakMiB(t, r))
	if total[401]+total[429] != requests || total[401] == 0 || total[mostly] < requests*9/10 {
		t.Errorf("the flood got %v, want nothing but 401 and 429, and mostly %d", total, mostly)
	}
	if most := 1 + int(elapsed/(10*time.Second)); fetches > most {
		t.Errorf("%d fetches of keys in %v, want at most %d", fetches, elapsed, most)
	}
	if peak := peakMiB(t, r); peak > 128 {
		t.Errorf("%d MiB of memory at the peak, want at most 128", peak)
	}
	if served < 100 {
		t.Errorf("only %d honest calls were served", served)
	}
}

// peakMiB is the most resident memory that a replica ever had.
func peakMiB(t *testing.T, r *replica) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatal("no VmHWM in /proc")
	return 0
}
