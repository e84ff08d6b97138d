package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// The number of requests in flight stays limited when the server is too slow.
func TestSendAtRateSkipsTurnsAboveMaxInFlight(t *testing.T) {
	const most = 5
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	release := make(chan struct{})
	var inFlight, maximum atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n := inFlight.Add(1); n > maximum.Load() {
			maximum.Store(n)
		}
		<-release
		inFlight.Add(-1)
	}))
	defer server.Close()
	done := make(chan error, 1)
	options := requestOptions{rate: 1000, maxInFlight: most, timeout: time.Minute, method: http.MethodGet}
	go func() {
		result, err := options.run(ctx, server.URL)
		if err == nil && (result.Requests < most || result.Requests != result.Outcomes["200"] || len(result.Failures) > 0) {
			t.Errorf("the report is %+v", result)
		}
		done <- err
	}()
	for start := time.Now(); inFlight.Load() < most; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d requests are in flight, want %d", inFlight.Load(), most)
		}
	}
	time.Sleep(20 * time.Millisecond) // No more requests may arrive in this time.
	stop()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if maximum.Load() > most {
		t.Errorf("%d requests were in flight at a time, want at most %d", maximum.Load(), most)
	}
}

// Connections stay open between their requests, except those that were idle for too long.
func TestHoldConnections(t *testing.T) {
	for _, test := range []struct {
		keep   time.Duration
		reused bool
	}{{0, true}, {time.Millisecond, false}} {
		ctx, stop := context.WithCancel(t.Context())
		var opened, answered atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			if answered.Add(1) == 30 {
				stop()
			}
		}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		server.Start()
		options := requestOptions{connections: 3, pause: 50 * time.Millisecond, keep: test.keep, keepAlive: true, timeout: time.Minute, method: http.MethodPost}
		result, err := options.run(ctx, server.URL)
		server.Close()
		if err != nil || result.Failed() > 0 || result.Requests < 30 {
			t.Errorf("keep %s: the report is %+v, %v", test.keep, result, err)
		}
		if (opened.Load() == 3) != test.reused {
			t.Errorf("keep %s: %d connections were opened for 3 with %d requests", test.keep, opened.Load(), answered.Load())
		}
	}
}
