package health

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

func TestReplicaOf(t *testing.T) {
	synced := report.Proxy{Namespace: "shop", Pod: "a", Connected: noon, UsesCertificates: true, CertificateIssuer: "g1", CertificateTrustDomain: "cluster.local", Types: map[string]report.Type{"SDS": {}}}
	behind := report.Proxy{Namespace: "shop", Pod: "b", UsesCertificates: true, AwaitsCertificate: true, Types: map[string]report.Type{"SDS": {Behind: &noon}}}
	rejecting := report.Proxy{Namespace: "shop", Pod: "c", UsesCertificates: true, Types: map[string]report.Type{"SDS": {Rejection: "no"}}}
	unserved := report.Proxy{Namespace: "shop", Pod: "d", UsesCertificates: true, Unserved: "its Envoy is 1.38.3"}
	got := ReplicaOf(client.Answer[report.Proxies]{Replica: "r", Value: report.Proxies{
		Authority: &report.Authority{
			Issuer: "g2", Trusted: []string{"g1", "g2"}, Since: noon,
			TrustDomain: "cluster.local", ClientTrustDomains: []string{"cluster.local"}, ServerTrustDomains: []string{"cluster.local"},
		},
		Proxies: []report.Proxy{synced, behind, rejecting, unserved},
	}})
	proxies := []rotation.Proxy{
		{Name: "shop/a", Since: noon, UsesCertificates: true, Synced: true, UpToDate: true, Issuer: "g1", Domain: "cluster.local"},
		{Name: "shop/b", UsesCertificates: true, AwaitsCertificate: true},
		{Name: "shop/c", UsesCertificates: true},
		{Name: "shop/d", Synced: true, UpToDate: true},
	}
	domain := []string{"cluster.local"}
	want := rotation.Replica{
		Name: "r", Issuer: "g2", Trusted: []string{"g1", "g2"}, Domains: identity.TrustDomains{Issued: domain[0], Clients: domain, Servers: domain},
		Since: noon, Proxies: proxies,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The proof of a trust domain needs all configuration but endpoints, which change often.
func TestReplicaOf_TrustDomains(t *testing.T) {
	proxy := func(pod, behind string) report.Proxy {
		return report.Proxy{
			Namespace: "shop", Pod: pod, UsesCertificates: true, CertificateIssuer: "g", CertificateTrustDomain: "old.example",
			Types: map[string]report.Type{"SDS": {}, behind: {Behind: &noon}},
		}
	}
	got := ReplicaOf(client.Answer[report.Proxies]{Replica: "r", Value: report.Proxies{
		Authority: &report.Authority{
			Issuer: "g", Trusted: []string{"g"}, TrustDomain: "new.example",
			ClientTrustDomains: []string{"new.example", "old.example"}, ServerTrustDomains: []string{"new.example"},
		},
		Proxies: []report.Proxy{proxy("a", "EDS"), proxy("b", "RDS")},
	}})
	want := rotation.Replica{
		Name: "r", Issuer: "g", Trusted: []string{"g"},
		Domains: identity.TrustDomains{Issued: "new.example", Clients: []string{"new.example", "old.example"}, Servers: []string{"new.example"}},
		Proxies: []rotation.Proxy{
			{Name: "shop/a", UsesCertificates: true, Synced: true, UpToDate: true, Issuer: "g", Domain: "old.example"},
			{Name: "shop/b", UsesCertificates: true, Synced: true, Issuer: "g", Domain: "old.example"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReplicaWithoutAnswerIsUnknown(t *testing.T) {
	gone := ReplicaOf(client.Answer[report.Proxies]{Replica: "r", Err: errors.New("no route")})
	older := ReplicaOf(client.Answer[report.Proxies]{Replica: "r"})
	if gone.Problem != "no route" || !strings.Contains(older.Problem, "certificate authority") {
		t.Errorf("problems are %q and %q", gone.Problem, older.Problem)
	}
}
