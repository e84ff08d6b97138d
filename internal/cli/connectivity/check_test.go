package connectivity

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
)

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
