package authz_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// encrypting is a policy for Egresses of ns, with a hostname and a ConfigMap.
func encrypting(name string, created int64, authorities string, egresses ...string) *catalog.BackendTLSPolicy {
	p := &catalog.BackendTLSPolicy{Name: meshtest.Name("ns", name), Created: time.Unix(created, 0), Hostname: name, Authorities: []string{authorities}}
	for _, egress := range egresses {
		p.Targets = append(p.Targets, catalog.PolicyTarget{Group: catalog.PolicyGroup, Kind: "Egress", Name: egress})
	}
	return p
}

// TestBackendTLS checks which policy encrypts requests, and that requests are not sent if it cannot be used.
func TestBackendTLS(t *testing.T) {
	egress := func(name string, change ...func(*catalog.Egress)) *catalog.Egress {
		e := &catalog.Egress{
			Name: meshtest.Name("ns", name), Sources: []identity.ServiceAccount{meshtest.SA("ns", "client")}, Hosts: []string{"api.example.com"},
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}, {Number: 80, Protocol: catalog.ProtocolHTTPS}},
		}
		for _, c := range change {
			c(e)
		}
		return e
	}
	gateway := func(e *catalog.Egress) { e.Gateway = &catalog.EgressGateway{} }
	elsewhere := encrypting("p", 1, "good", "one")
	elsewhere.Targets[0].Kind = "Service"
	broken := encrypting("p", 1, "good", "one")
	broken.Problem = "The policy has a problem."
	other := encrypting("p", 1, "good", "one")
	other.OtherAuthorities = "Secret s"
	for name, test := range map[string]struct {
		entries []catalog.Entry
		want    string
	}{
		"none":                             {[]catalog.Entry{egress("one")}, "allowed"},
		"one":                              {[]catalog.Entry{egress("one"), encrypting("p", 1, "good", "one")}, "allowed by p"},
		"another Egress":                   {[]catalog.Entry{egress("one"), encrypting("p", 1, "good", "two")}, "allowed"},
		"another kind":                     {[]catalog.Entry{egress("one"), elsewhere}, "allowed"},
		"the oldest":                       {[]catalog.Entry{egress("one"), encrypting("p", 2, "good", "one"), encrypting("q", 1, "good", "one")}, "allowed by q"},
		"the first by name":                {[]catalog.Entry{egress("one"), encrypting("q", 1, "good", "one"), encrypting("p", 1, "good", "one")}, "allowed by p"},
		"the oldest, which is unusable":    {[]catalog.Entry{egress("one"), encrypting("p", 2, "good", "one"), encrypting("q", 1, "bad", "one")}, "unavailable by q"},
		"of another Egress with the host":  {[]catalog.Entry{egress("one"), egress("two"), encrypting("p", 1, "good", "two")}, "allowed by p"},
		"the oldest of the oldest Egress":  {[]catalog.Entry{egress("one"), egress("two"), encrypting("p", 1, "good", "one"), encrypting("q", 2, "good", "two")}, "allowed by p"},
		"of an older Egress with the host": {[]catalog.Entry{egress("one"), egress("two"), encrypting("p", 1, "good", "one")}, "allowed by p"},
		"the oldest of two Egresses":       {[]catalog.Entry{egress("one"), egress("two"), encrypting("p", 2, "good", "one"), encrypting("q", 1, "good", "two")}, "allowed by q"},
		"unusable authorities":             {[]catalog.Entry{egress("one"), encrypting("p", 1, "bad", "one")}, "unavailable by p"},
		"unread authorities":               {[]catalog.Entry{egress("one"), encrypting("p", 1, "unread", "one")}, "unavailable by p"},
		"another kind of authorities":      {[]catalog.Entry{egress("one"), other}, "unavailable by p"},
		"a problem":                        {[]catalog.Entry{egress("one"), broken}, "unavailable by p"},
		"an Egress with the gateway":       {[]catalog.Entry{egress("one", gateway), encrypting("p", 1, "good", "one")}, "allowed through the gateway"},
		"another Egress with the gateway":  {[]catalog.Entry{egress("one", gateway), egress("two"), encrypting("p", 1, "good", "two")}, "unavailable by p"},
		"a namespace that requires it":     {[]catalog.Entry{&catalog.Namespace{Name: "ns", Monitored: true, EgressGateway: true}, egress("one"), encrypting("p", 1, "good", "one")}, "unavailable by p"},
		"more authorities than is allowed": {[]catalog.Entry{egress("one"), encrypting("p", 1, "large", "one")}, "unavailable by p"},
	} {
		entries := append([]catalog.Entry{
			&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "ns", Monitored: true},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "good"), PEM: []byte("certificates")},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "bad"), Problem: "The ConfigMap is empty."},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "large"), PEM: make([]byte, catalog.MaxAuthoritiesBytes+1)},
		}, test.entries...)
		v := meshtest.Apply(entries...).View()
		call := authz.EgressRequest{Source: meshtest.SA("ns", "client"), Port: 80, Protocol: inventory.ProtocolHTTP, Host: "api.example.com", Method: "GET", Path: "/"}
		answer := authz.DecideEgress(v, call)
		got := string(answer.Outcome) + map[bool]string{true: " through the gateway"}[answer.Gateway]
		if tls := authz.EgressPorts(v, call.Source)[0].Hosts[0].BackendTLS; tls != nil {
			got += fmt.Sprintf(" by %s", tls.Policy.Name)
			if allowed := answer.Outcome == authz.Allowed; allowed != (answer.EncryptedBy == tls.Policy) || allowed == (answer.Unencrypted == tls.Policy) {
				t.Errorf("%s: encrypted by %s, not encrypted because of %s, want one of them to be %s", name, answer.EncryptedBy, answer.Unencrypted, tls.Policy)
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if call.Protocol = catalog.ProtocolHTTPS; authz.DecideEgress(v, call).Outcome != authz.Allowed {
			t.Errorf("%s: a TLS connection of the application is not allowed", name)
		}
	}
}
