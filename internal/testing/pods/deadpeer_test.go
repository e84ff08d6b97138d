package pods_test

import (
	"net/http"
	"testing"
	"time"
)

// A request on an idle HTTP/2 connection to a peer that has vanished is answered after the timeout of a ping, and not after a quarter of an hour.
func TestVanishedPeerIsNoticed(t *testing.T) {
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	const url = "http://10.96.0.1/books/1"
	if answer := s.client.GetHTTP2(t, url); answer.Status != http.StatusOK {
		t.Fatalf("the server answers %d, %v", answer.Status, answer.Err)
	}
	s.network.Vanish(t, s.server)
	time.Sleep(11 * time.Second) // the connection between the sidecars is idle
	answer := s.client.GetHTTP2Within(t, url, 30*time.Second)
	if answer.Status != http.StatusServiceUnavailable && answer.Status != http.StatusBadGateway {
		t.Errorf("the answer is %d, %v, want 502 or 503", answer.Status, answer.Err)
	}
}
