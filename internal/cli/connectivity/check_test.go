package connectivity

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// The worst part decides, and a failure is worse than what is not known.
func TestGroupAndPrint(t *testing.T) {
	c := Group("all", success("one"), Group("two", unknown("inner", errFake, ""), failure("outer", "it is\nbroken", "mend it")))
	if c.Status != Failure || Group("x", success("a"), unknown("b", errFake, "")).Status != Unknown || Group("x").Status != Success {
		t.Errorf("status %s", c.Status)
	}
	var text strings.Builder
	c.Print(&text)
	want := `[+] Context: all
Status: Failure
Reason: A verification step failed
Suggestion: Follow the suggestions of the failed steps below

    [+] Context: one
    Status: Success

    [+] Context: two
    Status: Failure
    Reason: A verification step failed
    Suggestion: Follow the suggestions of the failed steps below

        [+] Context: inner
        Status: Unknown
        Reason: no answer

        [+] Context: outer
        Status: Failure
        Reason: it is
          broken
        Suggestion: mend it
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type fake string

func (f fake) Error() string { return string(f) }

const errFake = fake("no answer")

func TestCertificates(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	const certs = `{"certificates": [{"cert_chain": [{"subject_alt_names": [{"dns": "web.shop.mesh"}], "expiration_time": "%"}]}]}`
	for end, want := range map[string]Status{"2026-11-21T00:00:00Z": Success, "2026-11-19T00:00:00Z": Failure} {
		s, err := ParseSidecar([]byte(`{}`), []byte(strings.Replace(certs, "%", end, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.verifyCertificate("web.shop.mesh", now); got.Status != want {
			t.Errorf("a certificate until %s: %+v", end, got)
		}
		if got := s.verifyCertificate("other.shop.mesh", now); got.Status != Failure || !strings.Contains(got.Reason, "web.shop.mesh") {
			t.Errorf("a certificate of somebody else: %+v", got)
		}
	}
	s, err := ParseSidecar([]byte(`{}`), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.verifyCertificate("web.shop.mesh", now); got.Status != Failure {
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
