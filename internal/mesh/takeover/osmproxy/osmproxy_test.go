package osmproxy_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/takeover/osmproxy"
	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

const (
	trustDomain = "cluster.local"
	uuid        = "0f1b3c5d-7e9f-4a1b-8c3d-5e7f9a1b3c5d"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]identity.ServiceAccount{
		uuid + ".sidecar.cart.shop.cluster.local":                      {Namespace: "shop", Name: "cart"},
		uuid + ".sidecar.a.b.c.shop.cluster.local":                     {Namespace: "shop", Name: "a.b.c"},
		uuid + ".sidecar." + uuid + ".sidecar.cart.shop.cluster.local": {Namespace: "shop", Name: uuid + ".sidecar.cart"},
		// The principal of the account "<uuid>.sidecar.victim.shop" in x is one of its own namespace.
		uuid + ".sidecar.victim.shop.x.cluster.local": {Namespace: "x", Name: "victim.shop"},
	} {
		got, err := osmproxy.Parse(name, trustDomain)
		if err != nil || got.ServiceAccount != want || got.UUID != uuid {
			t.Errorf("%s is %+v, %v; want %s", name, got, err, want)
		}
	}
	for _, name := range []string{
		"", "cart.shop.cluster.local", uuid, uuid + ".sidecar.", uuid + ".sidecar.cluster.local", uuid + ".sidecar.shop.cluster.local", uuid + ".sidecar..shop.cluster.local",
		uuid + ".sidecar.cart..cluster.local", uuid + ".sidecar.cart.shop.other.local", uuid + ".sidecar.cart.shop.cluster.local.", uuid + ".sidecar.cart.shop.cluster.localx",
		uuid + ".sidecar.Cart.shop.cluster.local", uuid + ".sidecar.cart.sh_op.cluster.local", uuid + ".sidecar.cart/x.shop.cluster.local", uuid + ".sidecar.*.shop.cluster.local",
		strings.ToUpper(uuid) + ".sidecar.cart.shop.cluster.local", "x" + uuid + ".sidecar.cart.shop.cluster.local", uuid + "\n.sidecar.cart.shop.cluster.local",
		"ads.cluster.local", uuid + ".sidecar.cart.shop.xcluster.local", uuid + ".Sidecar.cart.shop.cluster.local", uuid + ".sidecar.-cart.shop.cluster.local",
		uuid + ".sidecar.cart.shop.cluster.local\x00.evil", uuid + ".sidecar.cart shop.cluster.local",
	} {
		if got, err := osmproxy.Parse(name, trustDomain); err == nil {
			t.Errorf("%q is %+v, want an error", name, got)
		}
	}
}

// TestParseIsTheInverseOfTheName checks that no name is read as the identity of another workload, whatever the accounts and trust domains are called.
func TestParseIsTheInverseOfTheName(t *testing.T) {
	label := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?|sidecar|` + uuid)
	rapid.Check(t, func(t *rapid.T) {
		account := identity.ServiceAccount{Namespace: label.Draw(t, "namespace"), Name: strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "account"), ".")}
		domain := strings.Join(rapid.SliceOfN(label, 1, 3).Draw(t, "domain"), ".")
		name := uuid + ".sidecar." + account.Principal(domain)
		got, err := osmproxy.Parse(name, domain)
		if err != nil || got.UUID != uuid || got.ServiceAccount != account {
			t.Fatalf("%s is %+v, %v; want %s", name, got, err, account)
		}
		if principal := got.AmbiguousAccount().Principal(domain); principal != name {
			t.Fatalf("the account with the name %s has the principal %s", name, principal)
		}
		// Whatever is read, it makes the same name again.
		other := rapid.StringMatching(uuid+`\.sidecar\.[a-z0-9.-]{1,30}`).Draw(t, "other name") + "." + domain
		if got, err := osmproxy.Parse(other, domain); err == nil && got.UUID+".sidecar."+got.ServiceAccount.Principal(domain) != other {
			t.Fatalf("%s is read as %+v", other, got)
		}
	})
}

// TestThreatCertificatesOfOthers presents certificates that are not those of a bootstrap.
func TestThreatCertificatesOfOthers(t *testing.T) {
	authority, other := pki.New(t), pki.New(t)
	name := legacyosm.CommonName(uuid, identity.ServiceAccount{Namespace: "shop", Name: "cart"}, trustDomain)
	roots := osmproxy.Roots{PEM: authority.RootPEM, TrustDomain: trustDomain, Now: time.Now()}
	verify := func(chainPEM []byte, roots osmproxy.Roots) (osmproxy.Identity, error) {
		block, _ := pem.Decode(chainPEM)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return osmproxy.Verify(certificate, roots)
	}
	chain, _ := legacyosm.ClientCertificate(t, authority, name)
	if got, err := verify(chain, roots); err != nil || got.ServiceAccount.String() != "shop/cart" || got.Expiry.IsZero() {
		t.Errorf("the certificate of a bootstrap is %+v, %v", got, err)
	}
	chain, _ = legacyosm.ClientCertificate(t, authority, name, func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(365 * 24 * time.Hour) })
	if _, err := verify(chain, roots); err != nil {
		t.Errorf("the certificate of a bootstrap for a year: %v", err)
	}
	for what, change := range map[string]func(*x509.Certificate){
		"short-lived": func(c *x509.Certificate) { c.NotAfter = time.Now().Add(24 * time.Hour) },
		"expired": func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-11*365*24*time.Hour), time.Now().Add(-time.Hour)
		},
		"not yet valid":    func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) },
		"for servers only": func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"of an authority":  func(c *x509.Certificate) { c.IsCA = true },
		"with a SPIFFE ID": func(c *x509.Certificate) {
			c.URIs = []*url.URL{{Scheme: "spiffe", Host: trustDomain, Path: "/cart/shop"}}
		},
		"with another name":  func(c *x509.Certificate) { c.DNSNames = []string{"victim.shop." + trustDomain} },
		"with a second name": func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "victim.shop."+trustDomain) },
		"without names":      func(c *x509.Certificate) { c.DNSNames = nil },
		"of no sidecar": func(c *x509.Certificate) {
			c.Subject.CommonName, c.DNSNames = "ads."+trustDomain, []string{"ads." + trustDomain}
		},
	} {
		chain, _ := legacyosm.ClientCertificate(t, authority, name, change)
		if got, err := verify(chain, roots); err == nil {
			t.Errorf("a certificate %s is %+v", what, got)
		}
	}
	// The account has the name of a bootstrap. Its certificate has a SPIFFE ID, and is short-lived.
	workload, _ := authority.Issue(t, identity.ServiceAccount{Namespace: "shop", Name: uuid + ".sidecar.cart"}, trustDomain)
	for what, chain := range map[string][]byte{"workload": workload, "another authority": firstOf(legacyosm.ClientCertificate(t, other, name))} {
		if got, err := verify(chain, roots); err == nil {
			t.Errorf("a certificate of %s is %+v", what, got)
		}
	}
	// The authority rotates: while both are trusted, certificates of the earlier one are valid.
	both := roots
	both.PEM = append(append([]byte{}, other.RootPEM...), authority.RootPEM...)
	if _, err := verify(chain, both); err != nil {
		t.Errorf("with two authorities: %v", err)
	}
	both.PEM = nil
	if _, err := verify(chain, both); err == nil {
		t.Error("a certificate is accepted without an authority")
	}
	both.PEM = other.RootPEM
	if _, err := verify(chain, both); err == nil {
		t.Error("a certificate of an authority that is not trusted any more is accepted")
	}
}

func firstOf(chain, _ []byte) []byte { return chain }
