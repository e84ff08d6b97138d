package limits

import (
	"net/http"
	"testing"
)

// connectionsThatEnd: servers end connections that have been idle for long enough, and a request may come in the same moment. It fails
// with 503 unless it is sent again, which only requests that change nothing may be.
func (s *town) connectionsThatEnd(t *testing.T) {
	s.Reset(t, mesh())
	s.servers[0].reset()
	const requests = 20
	for range requests {
		if got := s.get(t, booksIP, "/once"); got.Status != 200 {
			t.Errorf("a request over a connection that its server ends = %+v, want 200", got)
		}
	}
	if n := s.servers[0].count("/once"); n == requests {
		t.Error("no request came over a connection that ended, so this test cannot tell what becomes of it")
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
