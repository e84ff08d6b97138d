package cli

import (
	"errors"
	"net"
	"testing"
)

// A forwarded port that was lost is opened again. Otherwise a command that polls a replica would never reach it again.
func TestForwards_LostPortIsOpenedAgain(t *testing.T) {
	var opened []net.Listener
	f := newForwards(func(string) (string, error) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		t.Cleanup(func() { _ = listener.Close() })
		opened = append(opened, listener)
		return listener.Addr().String(), nil
	})
	dial := func() {
		t.Helper()
		conn, err := f.dial(t.Context(), "osm-controller-a")
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	dial()
	dial()
	if len(opened) != 1 {
		t.Fatalf("%d ports are open after two connections, want 1", len(opened))
	}
	_ = opened[0].Close()
	dial()
	if len(opened) != 2 {
		t.Errorf("the port was opened %d times, want again after it was lost", len(opened))
	}
}

func TestForwards_ErrorOfOpening(t *testing.T) {
	gone := errors.New("pod not found")
	f := newForwards(func(string) (string, error) { return "", gone })
	if _, err := f.dial(t.Context(), "osm-controller-a"); !errors.Is(err, gone) {
		t.Errorf("%v, want that of opening", err)
	}
}
