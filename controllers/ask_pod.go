package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"time"
)

const (
	// patienceForPods and maxPodReply bound what a pod's answer may take.
	patienceForPods = 2 * time.Second
	maxPodReply     = 64 << 10
)

// podAnswer is what a pod says of Redis.
type podAnswer struct {
	// Up says whether it can use it.
	Up bool
	// Problem is the class of what keeps it from that: one word.
	Problem string
	// Stale is the class of what keeps it from using the present settings while it uses
	// former ones; empty when it uses them.
	Stale string
}

// askPod asks the pod whose admin port is at an address.
type askPod func(ctx context.Context, address netip.AddrPort) (podAnswer, error)

var problemClass = regexp.MustCompile(`^[a-z-]{1,32}$`)

// askOverHTTP reads /status of a pod. What runs there may be anything: the reply is
// bounded, leads nowhere else, and only what is expected of it is believed.
func askOverHTTP() askPod {
	client := &http.Client{
		Timeout: patienceForPods,
		// Without a proxy, whatever the environment says.
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxPodReply},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, address netip.AddrPort) (podAnswer, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address.String()+"/status", nil)
		if err != nil {
			return podAnswer{}, err
		}
		response, err := client.Do(request)
		if err != nil {
			return podAnswer{}, err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return podAnswer{}, fmt.Errorf("the pod answers with status %d", response.StatusCode)
		}
		raw, err := io.ReadAll(io.LimitReader(response.Body, maxPodReply+1))
		if err != nil {
			return podAnswer{}, err
		}
		return readPodStatus(raw)
	}
}

func readPodStatus(raw []byte) (podAnswer, error) {
	var told struct {
		Redis *struct {
			Up      *bool  `json:"up"`
			Problem string `json:"problem"`
			Stale   string `json:"stale"`
		} `json:"redis"`
	}
	if len(raw) > maxPodReply || json.Unmarshal(raw, &told) != nil || told.Redis == nil || told.Redis.Up == nil {
		return podAnswer{}, errors.New("the pod's status does not tell of Redis")
	}
	answer := podAnswer{Up: *told.Redis.Up}
	if !answer.Up {
		answer.Problem = believed(told.Redis.Problem)
	}
	if told.Redis.Stale != "" {
		answer.Stale = believed(told.Redis.Stale)
	}
	return answer, nil
}

// believed is a word if it is one.
func believed(word string) string {
	if problemClass.MatchString(word) {
		return word
	}
	return "unknown"
}
