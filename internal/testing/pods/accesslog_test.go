package pods_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// logLines returns the lines of the access log of a sidecar.
func (s *shop) logLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.network.Dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

// awaitLog waits for a line of JSON with the given fields.
func (s *shop) awaitLog(t *testing.T, name string, want map[string]any) {
	t.Helper()
	eventually.True(t, 20*time.Second, "a line of the log of "+name+" has the fields", func() bool {
		for _, line := range s.logLines(t, name) {
			fields := map[string]any{}
			if json.Unmarshal([]byte(line), &fields) == nil && hasFields(fields, want) {
				return true
			}
		}
		return false
	})
}

func hasFields(fields, want map[string]any) bool {
	for key, value := range want {
		if fields[key] != value {
			return false
		}
	}
	return true
}

// The line of a denied request names what denied it, with both supported versions of Envoy.
func TestAccessLogNamesDenial(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) { testAccessLogNamesDenial(t, binary) })
	}
}

func testAccessLogNamesDenial(t *testing.T, binary string) {
	t.Parallel()
	s := measuredShop(t, binary)
	server := s.serverScope()
	server.Inbound[0].Limits = &scope.Limits{
		Policy: entity.Ref{Kind: upstream.Kind, Name: entity.Name{Namespace: "shop", Name: "limits"}},
		Routes: []upstream.RouteRateLimit{{Path: "/books/.*", Limit: upstream.RequestRateLimit{RateLimit: upstream.RateLimit{Tokens: 1, Interval: time.Hour}}}},
	}
	s.configure(t, s.clientScope(), server)
	for _, step := range []struct {
		path     string
		status   float64
		deniedBy string
	}{
		{"/books/1", 200, ""},
		{"/admin", 403, "no policy"},
		{"/none", 404, "no policy"},
		{"/books/2", 429, "UpstreamTrafficSetting shop/limits"},
	} {
		if answer := s.client.Get(t, "http://"+webIP.String()+step.path); answer.Status != int(step.status) {
			t.Fatalf("%s answers %v, want %v", step.path, answer, step.status)
		}
		s.awaitLog(t, "server", map[string]any{
			"path": step.path, "response_code": step.status, envoy.DeniedByKey: step.deniedBy, envoy.SourceIdentityKey: "buyer.shop.cluster.local",
		})
	}
}

// A connection that is denied before any request has a line too.
func TestAccessLogNamesDenialOfConnections(t *testing.T) {
	t.Parallel()
	s := measuredShop(t, envoytest.Binary(t))
	server := s.serverScope()
	for i := range server.Inbound {
		server.Inbound[i].Rules.Network = []authz.NetworkRule{{Policy: "shop/other", Sources: []identity.ServiceAccount{thief}}}
	}
	s.server.Configure(t, server)
	if answer := s.client.Get(t, "http://"+webIP.String()+"/books/1"); answer.Status != 503 {
		t.Fatalf("a denied connection answers %v, want 503", answer)
	}
	s.awaitLog(t, "server", map[string]any{envoy.DeniedByKey: "no policy", envoy.SourceIdentityKey: "buyer.shop.cluster.local"})
}
