package ingest

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

func TestEgressCredential(t *testing.T) {
	ca := pki.New(t)
	chain, key := ca.Issue(t, identity.ServiceAccount{Namespace: "example", Name: "client"}, "com")
	_, otherKey := ca.Issue(t, identity.ServiceAccount{Namespace: "example", Name: "client"}, "com")
	data := func(authorities, chain, key []byte) map[string][]byte {
		return map[string][]byte{"ca.crt": authorities, "tls.crt": chain, "tls.key": key}
	}
	name := entity.Name{Namespace: "shop", Name: "outside"}
	for _, test := range []struct {
		name    string
		data    map[string][]byte
		problem string
	}{
		{"authorities", data(ca.RootPEM, nil, nil), ""},
		{"authorities and a client certificate", data(ca.RootPEM, chain, key), ""},
		{"nothing", nil, "The Secret shop/outside lacks ca.crt"},
		{"no authorities", data(nil, chain, key), "lacks ca.crt"},
		{"text", data([]byte("authorities"), nil, nil), "it has no certificate in PEM"},
		{"a key among the authorities", data(append(append([]byte{}, ca.RootPEM...), key...), nil, nil), "write certificates only"},
		{"a damaged authority", data([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), nil, nil), "certificate 1"},
		{"a certificate without a key", data(ca.RootPEM, chain, nil), "only one of tls.crt and tls.key"},
		{"a key without a certificate", data(ca.RootPEM, nil, key), "only one of tls.crt and tls.key"},
		{"the key of another certificate", data(ca.RootPEM, chain, otherKey), "has no usable certificate: tls: private key does not match public key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := EgressCredential(name, test.data)
			if !strings.Contains(got.Problem, test.problem) || (got.Problem == "") != (test.problem == "") {
				t.Errorf("problem %q, want %q", got.Problem, test.problem)
			}
			if got.Problem != "" && len(got.AuthoritiesPEM)+len(got.ChainPEM)+len(got.KeyPEM) > 0 {
				t.Error("an unusable Secret has a content")
			}
			if got.Problem == "" && string(got.AuthoritiesPEM)+string(got.ChainPEM)+string(got.KeyPEM) != string(test.data["ca.crt"])+string(test.data["tls.crt"])+string(test.data["tls.key"]) {
				t.Error("a usable Secret has another content")
			}
			if len(key) > 0 && strings.Contains(got.Problem, string(key)) {
				t.Error("the problem contains the key")
			}
		})
	}
}
