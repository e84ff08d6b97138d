package ingest

import (
	"slices"
	"strings"
	"testing"
	"time"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestAuthorizationFields checks that only fields of the wrong type are described as absent, and that the others keep their messages.
func TestAuthorizationFields(t *testing.T) {
	policy := &catalog.ExternalAuthorizationPolicy{
		Name: x, Created: created, Service: catalog.Name{Namespace: "shop", Name: "opa"}, Timeout: time.Second, RequestHeaders: []string{"x-a"},
	}
	got, problems := ExternalAuthorization(smi(t, "{extensionService: {name: opa}, pathPrefix: '/a?b', requestHeaders: [5, X-A, a b]}"))
	expect(t, policy, got, []string{
		"Malformed: spec.requestHeaders[0] is the number 5: expected text. The field counts as absent.",
		`Malformed: spec.pathPrefix "/a?b" is not the beginning of a URL path and counts as absent: write one that begins with /, for example /check.`,
		`InvalidHeader: spec.requestHeaders[2] "a b" is left out, because it is not the name of a header.`,
	}, problems)
	for _, p := range problems {
		if strings.Contains(p.Message, "..") || strings.Contains(p.Message, "this object is not acted on") || p.Reason == ReasonInvalidHeader && strings.Contains(p.Message, "absent") {
			t.Errorf("the message is %q", p.Message)
		}
	}
}

// TestEmptyAuthorizationHeader checks that an empty name is a problem where no value has the wrong type.
func TestEmptyAuthorizationHeader(t *testing.T) {
	got, problems := ExternalAuthorization(smi(t, "{extensionService: {name: opa}, responseHeaders: ['', X-A]}"))
	expect(t, []string{"x-a"}, got.ResponseHeaders, []string{`InvalidHeader: spec.responseHeaders[0] "" is left out, because it is not the name of a header`}, problems)
}

// TestAuthorizationPath checks which beginnings of a path are sent to the server.
func TestAuthorizationPath(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "/": "/", "/check": "/check", "check": "", "/a b": "", "/a?b": "", "/a#b": "", "/a\\tb": "", "/a\\r\\nb": "",
	} {
		got, problems := ExternalAuthorization(smi(t, `{extensionService: {name: opa}, pathPrefix: "`+path+`"}`))
		if got.PathPrefix != want || (len(problems) == 0) != (want == path) {
			t.Errorf("%q is read as %q with the problems %+v, want %q", path, got.PathPrefix, problems, want)
		}
	}
}

// TestAuthorizationTimeouts checks the limits of timeouts, for the server of a policy and that of the mesh.
func TestAuthorizationTimeouts(t *testing.T) {
	for text, want := range map[string]time.Duration{"9ms": time.Second, "10ms": 10 * time.Millisecond, "1m": time.Minute, "61s": time.Second, "-1s": time.Second, "soon": time.Second} {
		valid := want != time.Second
		policy, problems := ExternalAuthorization(smi(t, "{extensionService: {name: opa}, timeout: "+text+"}"))
		if policy.Timeout != want || (len(problems) == 0) != valid || !valid && problems[0].Effect != "The timeout is 1s." {
			t.Errorf("%s is read as %s with the problems %+v, want %s", text, policy.Timeout, problems, want)
		}
	}
}

// TestUnusableAuthorizationServer checks that a server without a usable address decides as one that does not answer, and that the status describes it.
func TestUnusableAuthorizationServer(t *testing.T) {
	for allow, effect := range map[bool]string{
		true: "all are allowed, because failureModeAllow is true", false: "Inbound HTTP requests are denied with status 503, because failureModeAllow is false",
	} {
		config := &configv1alpha2.MeshConfig{}
		config.Spec.Traffic.InboundExternalAuthorization = configv1alpha2.ExternalAuthorizationSpec{Enable: true, Address: "a b", Port: 80, FailureModeAllow: allow}
		settings, problems := MeshConfig(config)
		server := settings.ExternalAuthorization
		if server == nil || server.Address != "" || server.Port != 0 || server.FailureModeAllow != allow {
			t.Errorf("failureModeAllow %t: the server is %+v, want one without an address", allow, server)
		}
		if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.StatusMessage(), effect) }) {
			t.Errorf("failureModeAllow %t: the problems %+v lack %q", allow, problems, effect)
		}
	}
}
