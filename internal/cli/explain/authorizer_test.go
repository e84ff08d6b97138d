package explain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
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
		if err := ask(t, test.question, shop(test.settings)...).Print(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), test.want) || (test.want == "") == strings.Contains(text.String(), "authorization:") {
			t.Errorf("%s: want %q in:\n%s", test.question, test.want, text.String())
		}
	}
}
