package verdict_test

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

const booksCluster = "cluster.a/books|7001."

func (s *testMesh) requestsPerConnection(t *testing.T) {
	s.bounded(t, upstream.ConnectionSettings{MaxRequestsPerConnection: number(3)})
	before := s.statistic(t, s.client, booksCluster+"upstream_cx_total")
	if got := s.tally(t, booksIP, "/ok", 9); got[200] != 9 {
		t.Errorf("nine requests: %v, want none to fail", got)
	}
	if n := s.statistic(t, s.client, booksCluster+"upstream_cx_total") - before; n != 3 {
		t.Errorf("nine requests took %d connections, want 3", n)
	}
}

func (s *testMesh) idleHTTP(t *testing.T) {
	s.bounded(t, upstream.ConnectionSettings{HTTPIdleTimeout: 200 * time.Millisecond})
	before := s.statistic(t, s.client, booksCluster+"upstream_cx_idle_timeout")
	if got := s.get(t, booksIP, "/ok"); got.Status != 200 {
		t.Fatalf("a request = %+v, want 200", got)
	}
	eventually.True(t, timeout, "a connection without requests is closed", func() bool {
		return s.statistic(t, s.client, booksCluster+"upstream_cx_idle_timeout") > before
	})
	if got := s.get(t, booksIP, "/ok"); got.Status != 200 {
		t.Errorf("the next request = %+v, want 200", got)
	}
}

// idleTCP is the only limit in a listener. A change drains the connections to this port only.
func (s *testMesh) idleTCP(t *testing.T) {
	s.Reset(t, mesh())
	old, before := s.echoes(t), s.listenerChanges(t)
	s.bounded(t, upstream.ConnectionSettings{TCPIdleTimeout: 500 * time.Millisecond})
	if s.listenerChanges(t) == before {
		t.Error("no listener changed, so this test cannot detect changes by other edits")
	}
	eventually.True(t, timeout, "an open connection is drained", func() bool { return old == nil || !echo(old) })
	conn := s.echoes(t)
	if conn == nil {
		t.Fatal("the TCP port does not work")
	}
	start := time.Now()
	_, err := conn.Read(make([]byte, 1))
	if took := time.Since(start); err == nil || took < 400*time.Millisecond || took > 4*time.Second {
		t.Errorf("a silent connection ended after %s with %v, want it to be closed after 500 ms", took, err)
	}
}

// tls checks that TLS settings of the MeshConfig apply to the next connection.
func (s *testMesh) tls(t *testing.T) {
	for _, test := range []struct {
		tls    catalog.TLS
		counts []string
	}{
		{
			catalog.TLS{MinVersion: "TLSv1_2", MaxVersion: "TLSv1_2", CipherSuites: []string{"ECDHE-ECDSA-AES256-GCM-SHA384"}, ECDHCurves: []string{"P-256"}},
			[]string{"versions.TLSv1.2", "ciphers.ECDHE-ECDSA-AES256-GCM-SHA384", "curves.P-256"},
		},
		{catalog.TLS{MinVersion: "TLSv1_3", MaxVersion: "TLSv1_3", ECDHCurves: []string{"P-384"}}, []string{"versions.TLSv1.3", "curves.P-384"}},
	} {
		before := map[string]int{}
		for _, count := range test.counts {
			before[count] = max(0, s.statistic(t, s.client, booksCluster+"ssl."+count))
		}
		s.Reset(t, mesh(&catalog.Settings{Permissive: true, TLS: test.tls}))
		if got := s.get(t, booksIP, "/ok"); got.Status != 200 {
			t.Errorf("a request with %+v = %+v, want 200", test.tls, got)
		}
		for _, count := range test.counts {
			if s.statistic(t, s.client, booksCluster+"ssl."+count) <= before[count] {
				t.Errorf("no connection with %s after the setting was changed", count)
			}
		}
	}
}
