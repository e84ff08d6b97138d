package verdict_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// retryOf returns a Retry of the buyer for a Service.
func retryOf(service entity.Name, policy retry.Settings) *retry.Policy {
	return &retry.Policy{Name: Name("b", "again"), Source: buyer, Destinations: []entity.Name{service}, Settings: policy}
}

func (s *testMesh) retries(t *testing.T) {
	policy := retry.Settings{On: "5xx", Count: 3, BackoffBase: time.Millisecond}
	for _, test := range []struct {
		name          string
		entries       []catalog.Entry
		fails         int
		status, asked int
	}{
		{"without a Retry", nil, 1, 503, 1},
		{"while the feature is off", []catalog.Entry{retryOf(books, policy), &catalog.Settings{Permissive: true}}, 1, 503, 1},
		{"for another Service", []catalog.Entry{retryOf(shelf, policy)}, 1, 503, 1},
		{"a healthy server", []catalog.Entry{retryOf(books, policy)}, 0, 200, 1},
		{"a server that fails twice", []catalog.Entry{retryOf(books, policy)}, 2, 200, 3},
		{"a server that fails as often as it is retried", []catalog.Entry{retryOf(books, policy)}, 3, 200, 4},
		{"a server that fails more often", []catalog.Entry{retryOf(books, policy)}, 9, 503, 4},
		{"another failure", []catalog.Entry{retryOf(books, retry.Settings{On: "connect-failure", Count: 3})}, 1, 503, 1},
	} {
		s.Reset(t, mesh(test.entries...))
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			s.servers[0].reset(test.fails)
			got := s.client.Call(t, method, "http://"+booksIP.String()+"/fail")
			if n := s.servers[0].count("/fail"); got.Status != test.status || n != test.asked {
				t.Errorf("%s, %s: %d after %d tries, want %d after %d", test.name, method, got.Status, n, test.status, test.asked)
			}
		}
	}
}

// notRepeated checks that requests rejected by the mesh, and requests too large to buffer, are not retried.
func (s *testMesh) notRepeated(t *testing.T) {
	limit := answered(hourly(1, 0), 503)
	policy := retryOf(books, retry.Settings{On: "5xx", Count: 3, BackoffBase: time.Millisecond})
	s.Reset(t, mesh(policy, setting(books, func(u *upstream.Policy) { u.RequestRate = &limit })))
	before := s.statistic(t, s.client, booksCluster+"upstream_rq_retry")
	if got := s.tally(t, booksIP, "/ok", 5); got[200] != 1 || got[503] != 4 {
		t.Errorf("a limit of one: %v, want one to pass", got)
	}
	if n := s.statistic(t, s.client, booksCluster+"upstream_rq_retry"); n != before {
		t.Errorf("%d requests beyond a rate limit were retried", n-before)
	}
	s.Reset(t, mesh(policy))
	for size, asked := range map[int]int{1 << 19: 2, 1 << 22: 1} {
		s.servers[0].reset(1)
		answer, err := s.client.NS.HTTP().Post("http://"+booksIP.String()+"/fail", "", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if n := s.servers[0].count("/fail"); n != asked {
			t.Errorf("a request with %d bytes was sent %d times, want %d", size, n, asked)
		}
	}
}

func (s *testMesh) grpcRetries(t *testing.T) {
	s.Reset(t, mesh(retryOf(books, retry.Settings{On: "unavailable", Count: 2, BackoffBase: time.Millisecond})))
	s.servers[0].reset(2)
	got := s.client.GetHTTP2(t, "http://"+booksIP.String()+"/grpc")
	if n := s.servers[0].count("/grpc"); n != 3 || got.Header.Get("Grpc-Status") != "" {
		t.Errorf("a server that is unavailable twice: %+v after %d tries, want success after 3", got, n)
	}
}

// perTryTimeout uses a server that never responds.
func (s *testMesh) perTryTimeout(t *testing.T) {
	s.Reset(t, mesh(retryOf(books, retry.Settings{On: "5xx", Count: 2, PerTryTimeout: 300 * time.Millisecond})))
	s.servers[0].reset()
	start := time.Now()
	got := s.get(t, booksIP, "/hold")
	if n, took := s.servers[0].count("/hold"), time.Since(start); got.Status != 504 || n != 3 || took < 750*time.Millisecond {
		t.Errorf("a server that hangs = %d after %d tries and %s, want 504 after 3 tries of 300 ms", got.Status, n, took)
	}
}

func (s *testMesh) requestTimeout(t *testing.T) {
	s.bounded(t, upstream.ConnectionSettings{RequestTimeout: 300 * time.Millisecond})
	start := time.Now()
	got := s.get(t, booksIP, "/hold")
	if took := time.Since(start); got.Status != 504 || took < 250*time.Millisecond {
		t.Errorf("a server that hangs = %+v after %s, want 504 after 300 ms", got, took)
	}
	if got := s.get(t, booksIP, "/ok"); got.Status != 200 {
		t.Errorf("a responding server = %+v, want 200", got)
	}
}

// split checks that settings of the root apply to its clients, and to a backend without settings.
func (s *testMesh) split(t *testing.T) {
	limit := answered(hourly(2, 0), 0)
	s.Reset(t, mesh(
		&catalog.TrafficSplit{Name: Name("a", "split"), Root: shelf, Backends: []catalog.SplitBackend{{Service: books, Weight: 1}}},
		retryOf(shelf, retry.Settings{On: "5xx", Count: 3, BackoffBase: time.Millisecond}),
		setting(shelf, func(u *upstream.Policy) { u.RequestRate = &limit }),
	))
	s.servers[0].reset(1)
	if got := s.get(t, shelfIP, "/fail"); got.Status != 200 || s.servers[0].count("/fail") != 2 {
		t.Errorf("a Retry for the root = %+v after %d tries, want 200 after 2", got, s.servers[0].count("/fail"))
	}
	if got := s.get(t, shelfIP, "/ok"); got.Status != 429 {
		t.Errorf("after the two that the root's limit allows = %+v, want 429", got)
	}
}
