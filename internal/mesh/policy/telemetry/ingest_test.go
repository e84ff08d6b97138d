package telemetry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

// TestTelemetry reads each field, and what is left of objects with a field that cannot be used.
func TestTelemetry(t *testing.T) {
	base := func(change func(*Policy)) *Policy {
		policy := &Policy{Name: ingesttest.Name, Created: ingesttest.Created}
		change(policy)
		return policy
	}
	none := base(func(*Policy) {})
	for name, c := range map[string]struct {
		spec     string
		want     *Policy
		problems []string
	}{
		"a text": {
			`{selector: {app: web}, accessLog: {format: "%START_TIME(%s)% %REQ(:PATH):10% 100%%"}}`,
			base(func(p *Policy) {
				p.Selector, p.Text = map[string]string{"app": "web"}, "%START_TIME(%s)% %REQ(:PATH):10% 100%%"
			}), nil,
		},
		"JSON": {
			`{accessLog: {format: '{"code": "%RESPONSE_CODE%"}'}}`,
			base(func(p *Policy) { p.Fields = map[string]string{"code": "%RESPONSE_CODE%"} }), nil,
		},
		"a filter": {
			`{accessLog: {filter: "response.code >= 400 && has(request.path)"}}`,
			base(func(p *Policy) { p.Filter = "response.code >= 400 && has(request.path)" }), nil,
		},
		"an export": {
			`{accessLog: {openTelemetry: {extensionService: {name: otel}, attributes: {team: books, bad: "%X%"}}}}`,
			base(func(p *Policy) {
				p.Export, p.Attributes = entity.Name{Namespace: "shop", Name: "otel"}, map[string]string{"team": "books"}
			}),
			[]string{`InvalidFormat: the key "bad" has the command operator %X%`},
		},
		"a file of the sidecar": {`{accessLog: {format: "%FILE_CONTENT(/var/run/token)%"}}`, none, []string{"InvalidFormat: %FILE_CONTENT%, which is not one that the mesh allows"}},
		"an unclosed operator":  {`{accessLog: {format: "%REQ(:PATH)"}}`, none, []string{"InvalidFormat: without the percent sign at its end"}},
		"no parameter":          {`{accessLog: {format: "%REQ%"}}`, none, []string{"InvalidFormat: without its parameter"}},
		"nested JSON":           {`{accessLog: {format: '{"a": {"b": "c"}}'}}`, none, []string{"InvalidFormat: is not a JSON object of keys and texts"}},
		"not an expression":     {`{accessLog: {filter: "response.code >"}}`, none, []string{"InvalidExpression: not an expression"}},
		"an unknown attribute":  {`{accessLog: {filter: "pod.name == 'a'"}}`, none, []string{"InvalidExpression: undeclared reference"}},
		"not a condition":       {`{accessLog: {filter: "'a'"}}`, none, []string{"InvalidExpression: must be true or false"}},
		"a macro":               {`{accessLog: {filter: "request.headers.exists(h, h == 'a')"}}`, none, []string{"InvalidExpression: not an expression"}},
		"an invalid label":      {`{selector: {"-": x}, accessLog: {format: x}}`, nil, []string{"InvalidName: which is not a label"}},
		"metrics alone":         {`{metrics: None}`, base(func(p *Policy) { p.Metrics = NoMetrics }), nil},
		"metrics and a log": {
			`{metrics: WithoutRoutes, accessLog: {filter: "false"}}`,
			base(func(p *Policy) { p.Metrics, p.Filter = MetricsWithoutRoutes, "false" }), nil,
		},
		"all metrics":               {`{metrics: All}`, none, nil},
		"an empty selector":         {`{selector: {}, metrics: All}`, none, nil},
		"spaces around a text":      {`{accessLog: {format: " a ", filter: " true "}}`, base(func(p *Policy) { p.Text, p.Filter = "a", "true" }), nil},
		"labels of the wrong type":  {`{selector: 5, metrics: None}`, nil, []string{"Malformed: spec.selector is the number 5: expected an object"}},
		"a label of the wrong type": {`{selector: {a: 5, b: web, c: null}, metrics: None}`, nil, []string{"Malformed: spec.selector.a is the number 5: expected text"}},
		"nothing":                   {`{selector: {app: web}}`, nil, []string{"GrantsNothing: changes nothing"}},
		"a list":                    {`{accessLog: [x]}`, nil, []string{"Malformed: expected an object"}},
		"an impossible service":     {`{accessLog: {openTelemetry: {extensionService: {name: "A B"}}}}`, none, []string{"InvalidName: which no ExtensionService can have"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, c.spec))
			ingesttest.Expect(t, c.want, got, c.problems, problems)
		})
	}
}

// FuzzRead checks that no log has files of the sidecar.
func FuzzRead(f *testing.F) {
	ingesttest.Fuzz(f, Read, func(t *testing.T, policy *Policy) {
		if strings.Contains(policy.Text+fmt.Sprint(policy.Fields, policy.Attributes), "%FILE_CONTENT") {
			t.Errorf("a log with files of the sidecar: %+v", policy)
		}
	},
		`{"metadata":{"namespace":"a"},"spec":{"selector":{"app":"x","-":"y"},"accessLog":{"format":"%REQ(:PATH):10% %% %CEL(response.code)%","filter":"response.code >= 400","openTelemetry":{"extensionService":{"namespace":"a","name":"b"},"attributes":{"c":"%PROTOCOL%"}}}}}`,
		`{"metadata":{"namespace":"a"},"spec":{"accessLog":{"format":"{\"a\":\"%FILE_CONTENT(/x)%\"}"}}}`,
	)
}
