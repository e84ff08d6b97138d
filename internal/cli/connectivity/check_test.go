package connectivity

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestAboutServices(t *testing.T) {
	mentions := namesContaining([]catalog.Name{{Namespace: "shop", Name: "web"}, {Namespace: "shop", Name: "a.b"}})
	for name, want := range map[string]bool{
		"outbound_shop/web_80_http": true, "shop/web|80": true, "rds-outbound.80|shop/web": true, "root-cert-for-mtls-outbound:shop/web": true,
		"shop/web-2|80": false, "outbound_old-shop/web_80": false, "shop/axb|80": false, "shop/a.b|80": true,
	} {
		if got := mentions(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if namesContaining(nil)("shop/web|80") {
		t.Error("no Service at all has that name")
	}
}

func TestCertificates(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	const certs = `{"certificates": [{"cert_chain": [{"subject_alt_names": [{"dns": "web.shop.mesh"}], "expiration_time": "%"}]}]}`
	for end, want := range map[string]diagnosis.Severity{"2026-11-21T00:00:00Z": diagnosis.OK, "2026-11-19T00:00:00Z": diagnosis.Error} {
		s, err := ParseSidecar([]byte(`{}`), []byte(strings.Replace(certs, "%", end, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.verifyCertificate("web.shop.mesh", now); got.Severity != want {
			t.Errorf("a certificate until %s: %+v", end, got)
		}
		if got := s.verifyCertificate("other.shop.mesh", now); got.Severity != diagnosis.Error || !strings.Contains(got.Message, "web.shop.mesh") {
			t.Errorf("a certificate of somebody else: %+v", got)
		}
	}
	s, err := ParseSidecar([]byte(`{}`), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.verifyCertificate("web.shop.mesh", now); got.Severity != diagnosis.Error {
		t.Errorf("no certificate: %+v", got)
	}
	for _, text := range []string{"", "[]", `{"configs": 1}`} {
		if _, err := ParseSidecar([]byte(text), []byte(`{}`)); err == nil {
			t.Errorf("config_dump %q is read", text)
		}
		if _, err := ParseSidecar([]byte(`{}`), []byte(`{"certificates": 1}`)); err == nil {
			t.Error("broken certificates are read")
		}
	}
}
