package demo

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// status requests a URL and returns the status code and whether the server closes the connection afterwards.
func status(t *testing.T, client *http.Client, url string) (int, bool) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Close
}

func TestServe_FailsReadinessAndKeepsServing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + listener.Addr().String()
	web := NewWeb(func() Page { return Page{} }, func() any { return map[string]int{"n": 1} })
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	linger := 2 * time.Second
	go func() { ended <- serveOn(ctx, listener, linger, web, slog.New(slog.DiscardHandler)) }()
	client := Client(true, time.Second)
	if code, closes := status(t, client, base+"/health"); code != 200 || closes {
		t.Fatalf("while serving, /health gives %d, closes %v; want 200 on a connection that is kept", code, closes)
	}
	stop()
	began := time.Now()
	for code := 200; code != 503; code, _ = status(t, client, base+"/health") {
		if time.Since(began) > linger {
			t.Fatal("readiness did not fail before the server stopped serving")
		}
	}
	if code, closes := status(t, client, base+"/counters"); code != 200 || !closes {
		t.Errorf("while stopping, /counters gives %d, closes %v; want 200 and an end of the connection", code, closes)
	}
	if code, _ := status(t, client, base+"/health/live"); code != 200 {
		t.Errorf("while stopping, liveness gives %d, want 200", code)
	}
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if got := time.Since(began); got < linger {
		t.Errorf("the server continued to serve for %s, want at least %s", got, linger)
	}
	if got := NewVisitor("x", base, client).Get(context.Background(), "/"); got.Outcome != Refused {
		t.Errorf("after the end the outcome is %q, want %q", got.Outcome, Refused)
	}
}

func TestCounters_AreJSON(t *testing.T) {
	tally := NewTally("bookthief")
	web := NewWeb(func() Page { return Page{} }, func() any { return tally.Counters() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: web}
	go server.Serve(listener)
	defer server.Close()
	resp, err := http.Get("http://" + listener.Addr().String() + "/counters")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"app", "requests", "outcomes", "paths", "identities", "percent", "recentPercent"} {
		if _, ok := got[key]; !ok {
			t.Errorf("/counters lacks %q: %v", key, got)
		}
	}
	if resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the content type is %q", resp.Header.Get("Content-Type"))
	}
}

func TestEvery_KeepsPaceUntilDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(context.Background(), 3500*time.Millisecond)
		defer stop()
		began := time.Now()
		var at []time.Duration
		Every(ctx, time.Second, func(context.Context) { at = append(at, time.Since(began)) })
		if len(at) != 4 || at[0] != 0 || at[3] != 3*time.Second {
			t.Errorf("called at %v, want at once and then each second until the end", at)
		}
	})
}
