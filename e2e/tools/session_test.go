package main

import (
	"net"
	"testing"
	"time"
)

func TestSessionOverEachProtocol(t *testing.T) {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer("", "server", &health{})
	go func() { _ = server.Serve(web) }()
	t.Cleanup(func() { _ = server.Close() })
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plain.Close() })
	go acceptAll(plain, "")
	for over, address := range map[string]string{"tcp": plain.Addr().String(), "websocket": web.Addr().String(), "grpc": web.Addr().String()} {
		result := session(t.Context(), address, over, 50*time.Millisecond, time.Millisecond, false)
		if result.Failure != "" || result.Exchanges < 2 || !result.FailedAt.IsZero() {
			t.Errorf("over %s: %+v, want several exchanges", over, result)
		}
	}
	_ = server.Close()
	for _, over := range []string{"websocket", "grpc", "mail"} {
		if result := session(t.Context(), web.Addr().String(), over, 0, time.Millisecond, false); result.Failure == "" || result.FailedAt.IsZero() {
			t.Errorf("over %s: %+v, want a failure and its time without a server", over, result)
		}
	}
}
