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
		"Envoy's own":       {one + ", sessionPersistence: {type: Header, sessionName: x-envoy-original-path}", nil, "spec.rules.sessionPersistence (with a header that the mesh sets itself)"},
		"not a name":        {one + ", sessionPersistence: {sessionName: 'a b'}", nil, "spec.rules.sessionPersistence (its name is not valid)"},
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
