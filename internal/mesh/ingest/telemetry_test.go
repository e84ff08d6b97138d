package ingest

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func document(t *testing.T, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("metadata: {name: a, namespace: shop}\nspec: "+spec), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTelemetry(t *testing.T) {
	base := func(change func(*catalog.Telemetry)) *catalog.Telemetry {
		policy := &catalog.Telemetry{Name: catalog.Name{Namespace: "shop", Name: "a"}}
		change(policy)
		return policy
	}
	none := base(func(*catalog.Telemetry) {})
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.Telemetry
		problems []string
	}{
		"a text": {
			`{selector: {app: web}, accessLog: {format: "%START_TIME(%s)% %REQ(:PATH):10% 100%%"}}`,
			base(func(p *catalog.Telemetry) {
				p.Selector, p.Text = map[string]string{"app": "web"}, "%START_TIME(%s)% %REQ(:PATH):10% 100%%"
			}), nil,
		},
		"JSON": {
			`{accessLog: {format: '{"code": "%RESPONSE_CODE%"}'}}`,
			base(func(p *catalog.Telemetry) { p.Fields = map[string]string{"code": "%RESPONSE_CODE%"} }), nil,
		},
		"a filter": {
			`{accessLog: {filter: "response.code >= 400 && has(request.path)"}}`,
			base(func(p *catalog.Telemetry) { p.Filter = "response.code >= 400 && has(request.path)" }), nil,
		},
		"an export": {
			`{accessLog: {openTelemetry: {extensionService: {name: otel}, attributes: {team: books, bad: "%X%"}}}}`,
			base(func(p *catalog.Telemetry) {
				p.Export, p.Attributes = catalog.Name{Namespace: "shop", Name: "otel"}, map[string]string{"team": "books"}
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
		"metrics alone":         {`{metrics: None}`, base(func(p *catalog.Telemetry) { p.Metrics = catalog.NoMetrics }), nil},
		"metrics and a log": {
			`{metrics: WithoutRoutes, accessLog: {filter: "false"}}`,
			base(func(p *catalog.Telemetry) { p.Metrics, p.Filter = catalog.MetricsWithoutRoutes, "false" }), nil,
		},
		"all metrics":           {`{metrics: All}`, none, nil},
		"an empty selector":     {`{selector: {}, metrics: All}`, none, nil},
		"spaces around a text":  {`{accessLog: {format: " a ", filter: " true "}}`, base(func(p *catalog.Telemetry) { p.Text, p.Filter = "a", "true" }), nil},
		"nothing":               {`{selector: {app: web}}`, nil, []string{"GrantsNothing: changes nothing"}},
		"a list":                {`{accessLog: [x]}`, nil, []string{"Malformed: expected an object"}},
		"an impossible service": {`{accessLog: {openTelemetry: {extensionService: {name: "A B"}}}}`, none, []string{"InvalidName: which no ExtensionService can have"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Telemetry(document(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestExtensionService(t *testing.T) {
	name := catalog.Name{Namespace: "shop", Name: "a"}
	for text, c := range map[string]struct {
		spec     string
		want     *catalog.ExtensionService
		problems []string
	}{
		"gRPC":           {`{host: Otel.logs.svc., port: 4317, protocol: h2c, connectTimeout: 1s}`, &catalog.ExtensionService{Name: name, Address: "otel.logs.svc", Port: 4317, ConnectTimeout: 1e9}, nil},
		"HTTP/1.1":       {`{host: 192.0.2.1, port: 80, protocol: http}`, &catalog.ExtensionService{Name: name, Address: "192.0.2.1", Port: 80, HTTP1: true}, nil},
		"the sidecar":    {`{host: 127.0.0.1, port: 80}`, nil, []string{"InvalidName: is the pod of each sidecar"}},
		"IPv6 loopback":  {`{host: "::ffff:127.0.0.1", port: 80}`, nil, []string{"InvalidName: is the pod of each sidecar"}},
		"a reserved one": {`{host: a.example.com, port: 15000}`, nil, []string{"InvalidPort: belongs to sidecars"}},
		"no port":        {`{host: a.example.com}`, nil, []string{"InvalidPort: spec.port is 0"}},
		"no host":        {`{port: 80}`, nil, []string{"InvalidName: spec.host"}},
		"TLS":            {`{host: a.example.com, port: 443, protocol: https}`, nil, []string{"UnknownProtocol: write h2c or grpc"}},
	} {
		t.Run(text, func(t *testing.T) {
			got, problems := ExtensionService(document(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestExternalAuthorizationPolicy(t *testing.T) {
	base := func(change func(*catalog.ExternalAuthorizationPolicy)) *catalog.ExternalAuthorizationPolicy {
		policy := &catalog.ExternalAuthorizationPolicy{
			Name: catalog.Name{Namespace: "shop", Name: "a"}, Service: catalog.Name{Namespace: "shop", Name: "opa"}, Timeout: time.Second,
		}
		change(policy)
		return policy
	}
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.ExternalAuthorizationPolicy
		problems []string
	}{
		"everything": {
			`{selector: {app: web}, extensionService: {namespace: osm-system, name: opa}, timeout: 250ms, failureModeAllow: true, maxRequestBytes: 8192, pathPrefix: /check, requestHeaders: [X-B, a], responseHeaders: [x-user]}`,
			base(func(p *catalog.ExternalAuthorizationPolicy) {
				p.Selector, p.Service, p.Timeout = map[string]string{"app": "web"}, catalog.Name{Namespace: "osm-system", Name: "opa"}, 250*time.Millisecond
				p.FailureModeAllow, p.MaxRequestBytes, p.PathPrefix = true, 8192, "/check"
				p.RequestHeaders, p.ResponseHeaders = []string{"a", "x-b"}, []string{"x-user"}
			}), nil,
		},
		"an invalid selector selects everything": {
			`{selector: {"-": x}, extensionService: {name: opa}}`, base(func(*catalog.ExternalAuthorizationPolicy) {}),
			[]string{"InvalidName: so this object selects all pods"},
		},
		"no server": {
			`{}`, base(func(p *catalog.ExternalAuthorizationPolicy) { p.Service = catalog.Name{} }), []string{"InvalidName: which no ExtensionService can have"},
		},
		"fields of the wrong type still deny": {
			`{extensionService: {name: opa}, failureModeAllow: "yes"}`, base(func(*catalog.ExternalAuthorizationPolicy) {}),
			[]string{"Malformed: The field counts as absent"},
		},
		"invalid values": {
			`{extensionService: {name: opa}, timeout: 2h, pathPrefix: check, requestHeaders: ["a b"], maxRequestBytes: 1000000}`,
			base(func(*catalog.ExternalAuthorizationPolicy) {}),
			[]string{"InvalidDuration: out of range", "InvalidNumber: maxRequestBytes", "Malformed: begins with /", "InvalidHeader: it is not the name of a header"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := ExternalAuthorization(document(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}
