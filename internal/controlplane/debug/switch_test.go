package debug

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// TestSwitch turns a server on, off and on again, then ends it; its first attempt to listen fails.
func TestSwitch(t *testing.T) {
	addresses, attempts := make(chan string, 10), 0
	listen := func() (net.Listener, error) {
		if attempts++; attempts == 1 {
			addresses <- ""
			return nil, errors.New("taken")
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			addresses <- listener.Addr().String()
		}
		return listener, err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") })
	s := NewSwitch(listen, handler, logr.Discard())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.Set(false)
	s.Set(true)
	if first := <-addresses; first != "" {
		t.Fatalf("listens at %s", first)
	}
	s.Set(true) // and so tries again at once
	for range 2 {
		address := <-addresses
		answers(t, address, true)
		s.Set(true) // changes nothing
		answers(t, address, true)
		s.Set(false)
		answers(t, address, false)
		s.Set(true)
	}
	last := <-addresses
	answers(t, last, true)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	answers(t, last, false)
}

// answers waits until an address answers, or no longer does.
func answers(t *testing.T, address string, want bool) {
	t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.Now().Add(10 * time.Second)
	for {
		response, err := client.Get("http://" + address)
		if err == nil {
			_ = response.Body.Close()
		}
		if (err == nil) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s answers: %t, want %t", address, err == nil, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
