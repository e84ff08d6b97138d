package explain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// The answer names the authorization server, which must allow a request in addition to policies.
func TestAskAboutAuthorizedRequests(t *testing.T) {
	settings := func(change func(*catalog.ExternalAuthorization)) *catalog.Settings {
		s := &catalog.Settings{Permissive: true, ExternalAuthorization: &catalog.ExternalAuthorization{Address: "opa.opa", Port: 9191, Timeout: time.Second}}
		change(s.ExternalAuthorization)
		return s
	}
	for _, test := range []struct {
		question string
		settings *catalog.Settings
		want     string
	}{
		{"front/sa/till to shop/web GET /a", settings(func(*catalog.ExternalAuthorization) {}), "the authorization server opa.opa:9191 must allow the request too; without its answer within 1s the request gets status 503"},
		{"front/sa/till to shop/web", settings(func(s *catalog.ExternalAuthorization) { s.FailureModeAllow = true }), "within 1s the request is allowed"},
		{"front/sa/till to shop/web GET /a", settings(func(s *catalog.ExternalAuthorization) { s.Address = "" }), "there is no usable authorization server, so the request gets status 503"},
		{"front/sa/till to shop/db", settings(func(*catalog.ExternalAuthorization) {}), ""},
	} {
		var text strings.Builder
		if err := evaluate(t, test.question, shop(test.settings)...).Print(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), test.want) || (test.want == "") == strings.Contains(text.String(), "authorization:") {
			t.Errorf("%s: want %q in:\n%s", test.question, test.want, text.String())
		}
	}
}

// The answer names the servers of ExternalAuthorizations, of the namespace and of the mesh.
func TestAskAboutPoliciesOfAuthorization(t *testing.T) {
	entries := append(shop(&catalog.Settings{Permissive: true, Namespace: "osm-system"}),
		&extauthz.Policy{Name: Name("shop", "own"), Service: Name("shop", "opa"), Timeout: time.Second},
		&extauthz.Policy{Name: Name("osm-system", "all"), Service: Name("osm-system", "none"), FailureModeAllow: true},
		&catalog.ExtensionService{Name: Name("shop", "opa"), Address: "opa.example.com", Port: 9191},
	)
	var text strings.Builder
	if err := evaluate(t, "front/sa/till to shop/web GET /a", entries...).Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"    authorization: the ExtensionService osm-system/none of ExternalAuthorization osm-system/all cannot be used, so the request is allowed\n",
		"    authorization: the ExtensionService shop/opa must allow the request too; without its answer within 1s the request gets status 503 (ExternalAuthorization shop/own)\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("want %q in:\n%s", want, text.String())
		}
	}
}
