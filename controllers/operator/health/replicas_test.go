package health

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/report"
	"github.com/openservicemesh/osm-operator/internal/report/client"
)

func TestReplicaOf(t *testing.T) {
	synced := report.Proxy{Namespace: "shop", Pod: "a", Connected: noon, UsesCertificates: true, CertificateIssuer: "g1", Types: map[string]report.Type{"SDS": {}}}
	behind := report.Proxy{Namespace: "shop", Pod: "b", UsesCertificates: true, Types: map[string]report.Type{"SDS": {Behind: &noon}}}
	rejecting := report.Proxy{Namespace: "shop", Pod: "c", UsesCertificates: true, Types: map[string]report.Type{"SDS": {Rejection: "no"}}}
	unserved := report.Proxy{Namespace: "shop", Pod: "d", UsesCertificates: true, Unserved: "its Envoy is 1.38.3"}
	got := replicaOf(client.Answer[report.Proxies]{Replica: "r", Value: report.Proxies{
		Authority: &report.Authority{Issuer: "g2", Trusted: []string{"g1", "g2"}, Since: noon},
		Proxies:   []report.Proxy{synced, behind, rejecting, unserved},
	}})
	proxies := []rotation.Proxy{
		{Name: "shop/a", Since: noon, UsesCertificates: true, Synced: true, Issuer: "g1"},
		{Name: "shop/b", UsesCertificates: true},
		{Name: "shop/c", UsesCertificates: true},
		{Name: "shop/d", Synced: true},
	}
	want := rotation.Replica{Name: "r", Issuer: "g2", Trusted: []string{"g1", "g2"}, Since: noon, Proxies: proxies}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReplicaWithoutAnswerIsUnknown(t *testing.T) {
	gone := replicaOf(client.Answer[report.Proxies]{Replica: "r", Err: errors.New("no route")})
	older := replicaOf(client.Answer[report.Proxies]{Replica: "r"})
	if gone.Problem != "no route" || !strings.Contains(older.Problem, "upgrade the mesh") {
		t.Errorf("problems are %q and %q", gone.Problem, older.Problem)
	}
}
