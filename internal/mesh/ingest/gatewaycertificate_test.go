package ingest

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// secretOf returns the data of a Secret with a pair.
func secretOf(pair pki.Pair) map[string][]byte {
	return map[string][]byte{corev1.TLSCertKey: pair.Chain, corev1.TLSPrivateKeyKey: pair.Key}
}

// TestGatewayCertificate_WhatEnvoyRejects checks that no certificate reaches a gateway that its Envoy would reject. Another test validates those that do.
func TestGatewayCertificate_WhatEnvoyRejects(t *testing.T) {
	pairs := pki.Unusual(t)
	for name, key := range pki.Keys(t) {
		pairs[name] = pki.SelfSigned(t, key)
	}
	problems := map[string]string{
		"P-224":                        "its key has the curve P-224, use P-256, P-384 or P-521",
		"RSA 1024":                     "its RSA key has 1024 bits, use 2048 to 8192",
		"RSA of three primes":          "its RSA key has 3 primes, use 2",
		"a damaged intermediate":       "certificate 2: x509: malformed certificate",
		"an incomplete intermediate":   "the block after certificate 1 has no end",
		"the start of an intermediate": "the block after certificate 1 has no end",
		"a key to agree on keys":       "its key usage lacks digitalSignature",
		"must staple":                  "it requires OCSP stapling",
	}
	name := entity.Name{Namespace: "shop", Name: "tls"}
	for kind, pair := range pairs {
		t.Run(kind, func(t *testing.T) {
			got := GatewayCertificate(name, secretOf(pair), time.Now())
			if want := problems[kind]; !strings.Contains(got.Problem, want) || (got.Problem == "") != (want == "") {
				t.Errorf("problem %q, want %q", got.Problem, want)
			}
			if (got.Problem == "") != (len(got.ChainPEM) > 0 && len(got.KeyPEM) > 0) {
				t.Errorf("the problem %q and %d bytes of certificates", got.Problem, len(got.ChainPEM))
			}
			authorities := EgressCredential(name, map[string][]byte{"ca.crt": pair.Chain})
			unreadable := []string{"a damaged intermediate", "a damaged intermediate of a kind", "an incomplete intermediate", "the start of an intermediate", "the key first"}
			if slices.Contains(unreadable, kind) != (authorities.Problem != "") {
				t.Errorf("as authorities there is the problem %q", authorities.Problem)
			}
		})
	}
}

// TestGatewayCertificate_Incomplete checks that a Secret without one of its keys is not taken for one with a bad certificate.
func TestGatewayCertificate_Incomplete(t *testing.T) {
	for _, missing := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		data := secretOf(pki.SelfSigned(t, pki.Keys(t)["P-256"]))
		delete(data, missing)
		got := GatewayCertificate(entity.Name{Namespace: "shop", Name: "tls"}, data, time.Now())
		if !strings.HasPrefix(got.Problem, "The Secret shop/tls lacks tls.crt or tls.key") {
			t.Errorf("without %s, the problem is %q", missing, got.Problem)
		}
	}
}

// TestGatewayCertificate_BoundsItsProblem reads a Secret whose blocks have long names, which the error of crypto/tls repeats.
func TestGatewayCertificate_BoundsItsProblem(t *testing.T) {
	long := strings.Repeat("X", 60_000)
	data := secretOf(pki.Pair{Chain: []byte("-----BEGIN " + long + "-----\nAAAA\n-----END " + long + "-----\n"), Key: []byte("key")})
	got := GatewayCertificate(entity.Name{Namespace: "shop", Name: "tls"}, data, time.Now())
	if len(got.Problem) == 0 || len(got.Problem) > 500 {
		t.Errorf("the problem has %d bytes, want at most 500", len(got.Problem))
	}
}

// TestGatewayCertificate_Expired checks that a certificate that is not valid now stays in use with a warning: some clients do not check it, and none
// would be served without it.
func TestGatewayCertificate_Expired(t *testing.T) {
	now := time.Now()
	key := pki.Keys(t)["P-256"]
	leaf := pki.SelfSigned(t, key)
	valid := func(from, until time.Time) pki.Pair {
		return pki.SelfSigned(t, key, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, until })
	}
	for name, test := range map[string]struct {
		pair pki.Pair
		want string
	}{
		"valid":                   {leaf, ""},
		"expired":                 {valid(now.Add(-2*time.Hour), now.Add(-time.Hour)), "certificate 1 expired at " + now.Add(-time.Hour).UTC().Format(time.RFC3339)},
		"not yet valid":           {valid(now.Add(time.Hour), now.Add(2*time.Hour)), "certificate 1 is not valid before"},
		"an expired intermediate": {pki.Pair{Chain: slices.Concat(leaf.Chain, valid(now.Add(-2*time.Hour), now.Add(-time.Hour)).Chain), Key: leaf.Key}, "certificate 2 expired at"},
	} {
		t.Run(name, func(t *testing.T) {
			got := GatewayCertificate(entity.Name{Namespace: "shop", Name: "tls"}, secretOf(test.pair), now)
			if got.Problem != "" || len(got.ChainPEM) == 0 {
				t.Errorf("the certificate is not in use: %q", got.Problem)
			}
			if !strings.Contains(got.Warning, test.want) || (got.Warning == "") != (test.want == "") {
				t.Errorf("warning %q, want %q", got.Warning, test.want)
			}
		})
	}
}
