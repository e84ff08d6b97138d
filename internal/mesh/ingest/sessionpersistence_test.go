package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestSessionPersistence reads both forms of the field, and names in the status what has no effect.
func TestSessionPersistence(t *testing.T) {
	const one, two = "backendRefs: [{name: a, port: 80}]", "backendRefs: [{name: a, port: 80}, {name: b, port: 80}]"
	for name, test := range map[string]struct {
		rule    string
		want    *catalog.SessionPersistence
		ignored string
	}{
		"a name of 1.6":     {one + ", sessionPersistence: {sessionName: s, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}", &catalog.SessionPersistence{Name: "s", Lifetime: time.Hour}, ""},
		"a cookie":          {one + ", sessionPersistence: {cookie: {name: c}}", &catalog.SessionPersistence{Name: "c"}, ""},
		"a header":          {one + ", sessionPersistence: {type: Header, header: {name: x-session}}", &catalog.SessionPersistence{Header: true, Name: "x-session"}, ""},
		"no name":           {one + ", sessionPersistence: {}", &catalog.SessionPersistence{Name: "osm-session-63235db4"}, ""},
		"several backends":  {two + ", sessionPersistence: {sessionName: s}", nil, "spec.rules.sessionPersistence (of a rule with several backends)"},
		"Envoy's own":       {one + ", sessionPersistence: {type: Header, sessionName: x-envoy-original-path}", nil, "spec.rules.sessionPersistence (with a header that cannot be changed, because sidecars and gateways write it, and obey it)"},
		"not a name":        {one + ", sessionPersistence: {sessionName: 'a b'}", nil, "spec.rules.sessionPersistence (its name is not that of a cookie)"},
		"an empty weight":   {"backendRefs: [{name: a, port: 80}, {name: b, port: 80, weight: 0}], sessionPersistence: {sessionName: s}", &catalog.SessionPersistence{Name: "s"}, ""},
		"no field, nothing": {one, nil, ""},
	} {
		route, problems := HTTPRoute(smi(t, "{parentRefs: [{name: web}], rules: [{"+test.rule+"}]}"))
		if len(problems) > 0 {
			t.Errorf("%s: problems %v", name, problems)
			continue
		}
		got := route.Rules[0].Session
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", test.want) && (got == nil || test.want == nil || *got != *test.want) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
		if text := fmt.Sprint(route.Ignored); test.ignored != "" && text != "["+test.ignored+"]" || test.ignored == "" && len(route.Ignored) > 0 {
			t.Errorf("%s: the ignored fields are %s, want %q", name, text, test.ignored)
		}
	}
}

// TestSessionsOfSeveralRules checks that each rule has its own session, whatever the rules before it have.
func TestSessionsOfSeveralRules(t *testing.T) {
	const session = "sessionPersistence: {sessionName: s, absoluteTimeout: -1h}"
	route, problems := HTTPRoute(smi(t, "{parentRefs: [{name: web}], rules: [{}, {backendRefs: [{name: a, port: 80}, {name: b, port: 80}], "+session+"}, {"+session+"}]}"))
	if len(problems) > 0 || len(route.Ignored) != 1 || route.Rules[0].Session != nil || route.Rules[1].Session != nil {
		t.Errorf("%+v with the problems %v, want one ignored session", route, problems)
	}
	if got := route.Rules[2].Session; got == nil || *got != (catalog.SessionPersistence{Name: "s"}) {
		t.Errorf("the last rule has the session %+v, want s without a lifetime", got)
	}
}

// TestSessionHeaders checks that the header of a session belongs to the author of the route. A cookie may have any name.
func TestSessionHeaders(t *testing.T) {
	for field, kept := range map[string]bool{
		"{type: Header, header: {name: host}}": false, "{type: Cookie, cookie: {name: host}}": true, "{type: Header, cookie: {name: a}, header: {name: b}}": true,
	} {
		route, _ := HTTPRoute(smi(t, "{parentRefs: [{name: web}], rules: [{sessionPersistence: "+field+"}]}"))
		if got := route.Rules[0].Session != nil; got != kept {
			t.Errorf("%s is kept: %t, want %t", field, got, kept)
		}
	}
}
