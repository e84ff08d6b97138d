package extauthz

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

// TestRead reads each field, and what is left of objects with a field that cannot be used.
func TestRead(t *testing.T) {
	base := func(change func(*Policy)) *Policy {
		policy := &Policy{
			Name: ingesttest.Name, Created: ingesttest.Created, Service: entity.Name{Namespace: "shop", Name: "opa"}, Timeout: time.Second,
		}
		change(policy)
		return policy
	}
	for name, c := range map[string]struct {
		spec     string
		want     *Policy
		problems []string
	}{
		"everything": {
			`{selector: {app: web}, extensionService: {namespace: osm-system, name: opa}, timeout: 250ms, failureModeAllow: true, maxRequestBytes: 8192, pathPrefix: /check, requestHeaders: [X-B, a], responseHeaders: [x-user]}`,
			base(func(p *Policy) {
				p.Selector, p.Service, p.Timeout = map[string]string{"app": "web"}, entity.Name{Namespace: "osm-system", Name: "opa"}, 250*time.Millisecond
				p.FailureModeAllow, p.MaxRequestBytes, p.PathPrefix = true, 8192, "/check"
				p.RequestHeaders, p.ResponseHeaders = []string{"a", "x-b"}, []string{"x-user"}
			}), nil,
		},
		"an invalid selector selects everything": {
			`{selector: {"-": x}, extensionService: {name: opa}}`, base(func(*Policy) {}),
			[]string{"InvalidName: so this object selects all pods"},
		},
		"no server": {
			`{}`, base(func(p *Policy) { p.Service = entity.Name{} }), []string{"InvalidName: which no ExtensionService can have"},
		},
		"fields of the wrong type still deny": {
			`{extensionService: {name: opa}, failureModeAllow: "yes"}`, base(func(*Policy) {}),
			[]string{"Malformed: The field counts as absent"},
		},
		"invalid values": {
			`{extensionService: {name: opa}, timeout: 2h, pathPrefix: check, requestHeaders: ["a b"], maxRequestBytes: 1000000}`,
			base(func(*Policy) {}),
			[]string{"InvalidDuration: out of range", "InvalidNumber: maxRequestBytes", "Malformed: begins with /", "InvalidHeader: it is not the name of a header"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, c.spec))
			ingesttest.Expect(t, c.want, got, c.problems, problems)
		})
	}
}

// TestAuthorizationFields checks that only fields of the wrong type are described as absent, and that the others keep their messages.
func TestAuthorizationFields(t *testing.T) {
	policy := &Policy{
		Name: ingesttest.Name, Created: ingesttest.Created, Service: entity.Name{Namespace: "shop", Name: "opa"}, Timeout: time.Second, RequestHeaders: []string{"x-a"},
	}
	got, problems := Read(ingesttest.Object(t, "{extensionService: {name: opa}, pathPrefix: '/a?b', requestHeaders: [5, X-A, a b]}"))
	ingesttest.Expect(t, policy, got, []string{
		"Malformed: spec.requestHeaders[0] is the number 5: expected text. The field counts as absent.",
		`Malformed: spec.pathPrefix "/a?b" is not the beginning of a URL path and counts as absent: write one that begins with /, for example /check.`,
		`InvalidHeader: spec.requestHeaders[2] "a b" is left out, because it is not the name of a header.`,
	}, problems)
	for _, p := range problems {
		if strings.Contains(p.Message, "..") || strings.Contains(p.Message, "this object is not acted on") || p.Reason == ingest.ReasonInvalidHeader && strings.Contains(p.Message, "absent") {
			t.Errorf("the message is %q", p.Message)
		}
	}
}

// TestEmptyAuthorizationHeader checks that an empty name is a problem where no value has the wrong type.
func TestEmptyAuthorizationHeader(t *testing.T) {
	got, problems := Read(ingesttest.Object(t, "{extensionService: {name: opa}, responseHeaders: ['', X-A]}"))
	ingesttest.Expect(t, []string{"x-a"}, got.ResponseHeaders, []string{`InvalidHeader: spec.responseHeaders[0] "" is left out, because it is not the name of a header`}, problems)
}

// TestAuthorizationPath checks which beginnings of a path are sent to the server.
func TestAuthorizationPath(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "/": "/", "/check": "/check", "check": "", "/a b": "", "/a?b": "", "/a#b": "", "/a\\tb": "", "/a\\r\\nb": "",
	} {
		got, problems := Read(ingesttest.Object(t, `{extensionService: {name: opa}, pathPrefix: "`+path+`"}`))
		if got.PathPrefix != want || (len(problems) == 0) != (want == path) {
			t.Errorf("%q is read as %q with the problems %+v, want %q", path, got.PathPrefix, problems, want)
		}
	}
}

// TestAuthorizationTimeouts checks the limits of timeouts, for the server of a policy and that of the mesh.
func TestAuthorizationTimeouts(t *testing.T) {
	for text, want := range map[string]time.Duration{"9ms": time.Second, "10ms": 10 * time.Millisecond, "1m": time.Minute, "61s": time.Second, "-1s": time.Second, "soon": time.Second} {
		valid := want != time.Second
		policy, problems := Read(ingesttest.Object(t, "{extensionService: {name: opa}, timeout: "+text+"}"))
		if policy.Timeout != want || (len(problems) == 0) != valid || !valid && problems[0].Effect != "The timeout is 1s." {
			t.Errorf("%s is read as %s with the problems %+v, want %s", text, policy.Timeout, problems, want)
		}
	}
}

// TestHeadersForAnAuthorizationServerAreBounded checks the length of the names of headers that each port sends to a server.
func TestHeadersForAnAuthorizationServerAreBounded(t *testing.T) {
	long := strings.Repeat("x", ingest.MaxHeaderName)
	var found ingest.Problems
	names := headerNames("spec.requestHeaders", []string{long, long + "x"}, true, &found)
	ingesttest.Expect(t, []string{long}, names, []string{"InvalidHeader: has 129 characters, so it is left out: use at most 128"}, found)
}

// FuzzRead checks that any object has an entry with bounds.
func FuzzRead(f *testing.F) {
	ingesttest.Fuzz(f, Read, func(t *testing.T, policy *Policy) {
		if policy.Timeout < ingest.MinTimeout || policy.Timeout > ingest.MaxDecisionTimeout || policy.MaxRequestBytes > maxBody {
			t.Errorf("invalid authorization: %+v", policy)
		}
	}, `{"metadata":{"namespace":"a"},"spec":{"selector":{"app":"x","-":"y"},"extensionService":{"name":"opa"},"timeout":"1h","maxRequestBytes":1000000,"requestHeaders":["a b",5]}}`)
}
