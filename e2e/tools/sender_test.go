package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// A server that cannot keep up is not sent more and more.
func TestAPacedSenderLeavesOutWhatTheServerCannotTake(t *testing.T) {
	const most = 5
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	release := make(chan struct{})
	var under, worst atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n := under.Add(1); n > worst.Load() {
			worst.Store(n)
		}
		<-release
		under.Add(-1)
	}))
	defer server.Close()
	done := make(chan error, 1)
	options := requestOptions{rate: 1000, most: most, timeout: time.Minute, method: http.MethodGet}
	go func() {
		result, err := options.run(ctx, server.URL)
		if err == nil && (result.Requests < most || result.Requests != result.Outcomes["200"] || len(result.Failures) > 0) {
			t.Errorf("it reports %+v", result)
		}
		done <- err
	}()
	for begun := time.Now(); under.Load() < most; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("%d requests are under way, want %d", under.Load(), most)
		}
	}
	time.Sleep(20 * time.Millisecond) // nothing more may come: that is the thing under test
	stop()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if worst.Load() > most {
		t.Errorf("%d requests were under way at a time, want %d at most", worst.Load(), most)
	}
}
