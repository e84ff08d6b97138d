package verdict_test

import (
	"net/http"
	"testing"
	"time"
)

// connectionsThatEnd checks requests on connections that their server closes at the same time. They fail with 503 unless they are
// retried, which is only allowed for idempotent requests.
func (s *testMesh) connectionsThatEnd(t *testing.T) {
	s.Reset(t, mesh())
	s.servers[0].reset()
	const requests = 20
	for range requests {
		if got := s.get(t, booksIP, "/once"); got.Status != 200 {
			t.Errorf("a request over a connection that its server closes = %+v, want 200", got)
		}
	}
	if n := s.servers[0].count("/once"); n == requests {
		t.Error("no request used a closed connection, so this test has no result")
	}
	s.servers[0].reset()
	failed := 0
	for range requests {
		if got := s.client.Call(t, http.MethodPost, "http://"+booksIP.String()+"/once"); got.Status == 503 {
			failed++
		}
	}
	if n := s.servers[0].count("/once"); n != requests || failed == 0 {
		t.Errorf("%d POST requests reached the server as %d, and %d failed: want none to be sent twice, and one to fail at least", requests, n, failed)
	}
}

// applicationsWithShortKeepAlive sends requests that must not be repeated to a server that closes a connection just as the next request arrives, two seconds
// after the last one. The sidecar has closed it before.
func (s *testMesh) applicationsWithShortKeepAlive(t *testing.T) {
	const requests, keepAlive = 3, 2 * time.Second
	s.Reset(t, mesh())
	s.servers[0].reset()
	for i := range requests {
		if i > 0 {
			time.Sleep(keepAlive)
		}
		if got := s.client.Call(t, http.MethodPost, "http://"+booksIP.String()+"/once"); got.Status != 200 {
			t.Errorf("POST request %d, %s after the last one = %+v, want 200", i, keepAlive, got)
		}
	}
	if n := s.servers[0].count("/once"); n != requests {
		t.Errorf("%d POST requests reached the server as %d", requests, n)
	}
}
