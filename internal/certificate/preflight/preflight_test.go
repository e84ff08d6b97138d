package preflight

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// authority is a root with limits that a test sets.
func authority(t *testing.T, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "corporate"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	made, err := sign(template, template, key, key)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var shop = Mesh{
	Namespace: "osm-system", TrustDomain: "cluster.local",
	Sidecars: []Sidecar{
		{"shop/web-1", identity.ServiceAccount{Namespace: "shop", Name: "web"}},
		{"bank/till-1", identity.ServiceAccount{Namespace: "bank", Name: "till"}},
		{"bank/till-2", identity.ServiceAccount{Namespace: "bank", Name: "till"}},
	},
	Webhooks: []Webhook{{"osm-webhook-mesh-osm", "osm-injector"}, {"osm-validator-mesh-osm", "osm-validator"}},
}

// Each sidecar and webhook that would break is listed with the reason, and no other.
func TestCheck(t *testing.T) {
	everybody := []string{"webhook osm-webhook-mesh-osm", "webhook osm-validator-mesh-osm", "the control plane", "sidecar of shop/web-1", "sidecar of bank/till-1", "sidecar of bank/till-2"}
	sidecars := everybody[3:]
	for name, test := range map[string]struct {
		root   func(*x509.Certificate)
		mesh   func(*Mesh)
		want   []string
		reason string
	}{
		"no limits": {},
		"names of one namespace are excluded": {
			root: func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"bank.cluster.local"} }, want: sidecars[1:], reason: "till.bank.cluster.local",
		},
		"only names of the company": {
			root: func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"corp.example"} }, want: everybody, reason: "not permitted",
		},
		"SPIFFE IDs of another trust domain only": {
			root: func(c *x509.Certificate) { c.PermittedURIDomains = []string{"corp.example"} }, want: sidecars, reason: "spiffe://cluster.local",
		},
		"SPIFFE IDs of the declared trust domain": {
			root: func(c *x509.Certificate) { c.PermittedURIDomains = []string{"corp.example"} },
			mesh: func(m *Mesh) { m.TrustDomain = "corp.example" },
		},
		"servers only": {
			root: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, want: sidecars, reason: "servers would reject it as that of a client",
		},
		"clients only": {
			root: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, want: everybody, reason: "clients would reject it as that of a server",
		},
		"expired":          {root: func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }, want: everybody, reason: "expired"},
		"not an authority": {root: func(c *x509.Certificate) { c.IsCA = false }, want: everybody, reason: "cannot sign this kind of certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := shop
			if test.mesh != nil {
				test.mesh(&mesh)
			}
			got, err := Check([]*x509.Certificate{authority(t, test.root)}, mesh, noon)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(test.want) {
				t.Fatalf("%d are rejected, want %d:\n%s", len(got), len(test.want), strings.Join(got, "\n"))
			}
			for i, sentence := range got {
				if !strings.Contains(sentence, test.want[i]+" cannot use") || !strings.Contains(sentence, test.reason) && strings.Contains(test.want[i], "sidecar") {
					t.Errorf("got %q, want it to name the %s and %q", sentence, test.want[i], test.reason)
				}
			}
		})
	}
}

// The limits of each certificate on the way to the root count.
func TestCheck_Chain(t *testing.T) {
	unlimited := authority(t, nil)
	for name, test := range map[string]struct {
		path []*x509.Certificate
		want string
	}{
		"a good chain":           {[]*x509.Certificate{unlimited, unlimited}, ""},
		"a root without a level": {[]*x509.Certificate{unlimited, authority(t, func(c *x509.Certificate) { c.MaxPathLenZero = true })}, "too many intermediates"},
		"a limit of the root":    {[]*x509.Certificate{unlimited, authority(t, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"corp.example"} })}, "not permitted"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Check(test.path, shop, noon)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(got, "\n"); (test.want == "") != (len(got) == 0) || !strings.Contains(all, test.want) {
				t.Errorf("got %q, want %q", all, test.want)
			}
		})
	}
}

// A pod whose account is not known breaks no check.
func TestCheck_PodWithoutAccount(t *testing.T) {
	got, err := Check([]*x509.Certificate{authority(t, nil)}, Mesh{TrustDomain: "cluster.local", Sidecars: []Sidecar{{Name: "shop/odd"}}}, noon)
	if err != nil || len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

// A new root has no limits.
func TestCheck_NewRoot(t *testing.T) {
	if got, err := Check(nil, shop, noon); err != nil || len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
}
