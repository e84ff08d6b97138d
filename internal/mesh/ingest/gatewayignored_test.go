package ingest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// handled are the fields of Gateways and HTTPRoutes that ingest reads, or rejects with a reason in the status. A longer path is a part of the field.
var handled = map[string][]string{
	"Gateway": {
		"gatewayClassName", "listeners.name", "listeners.hostname", "listeners.port", "listeners.protocol", "listeners.tls.mode", "listeners.tls.certificateRefs",
		"listeners.allowedRoutes", "tls.frontend.default.validation.caCertificateRefs", "tls.frontend.default.validation.mode", "tls.frontend.perPort.port",
		"tls.frontend.perPort.tls.validation.caCertificateRefs", "tls.frontend.perPort.tls.validation.mode", "infrastructure.parametersRef",
	},
	"HTTPRoute": {
		"parentRefs", "hostnames", "rules.matches", "rules.filters", "rules.backendRefs", "rules.timeouts", "rules.retry",
		// It only identifies the rule for policies, of which there are none here.
		"rules.name",
		"rules.sessionPersistence",
	},
	"TLSRoute": {"parentRefs", "hostnames", "rules.backendRefs", "rules.name"},
	"TCPRoute": {"parentRefs", "rules.backendRefs", "rules.name"},
}

// ignored are the other fields, with an example. The status names those that are set.
var ignored = map[string]map[string]string{
	"Gateway": {
		"listeners.tls.options":      "{listeners: [{name: a, port: 443, protocol: HTTPS, tls: {options: {example.com/minimum: '1.3'}}}]}",
		"addresses":                  "{addresses: [{value: 192.0.2.1}]}",
		"infrastructure.annotations": "{infrastructure: {annotations: {a: b}}}",
		"infrastructure.labels":      "{infrastructure: {labels: {a: b}}}",
		"allowedListeners":           "{allowedListeners: {namespaces: {from: All}}}",
		"tls.backend":                "{tls: {backend: {clientCertificateRef: {name: client}}}}",
		"defaultScope":               "{defaultScope: All}",
	},
	"HTTPRoute": {
		"useDefaultGateways": "{parentRefs: [{name: web}], useDefaultGateways: All}",
	},
	"TLSRoute": {"useDefaultGateways": "{parentRefs: [{name: web}], useDefaultGateways: All}"},
	"TCPRoute": {"useDefaultGateways": "{parentRefs: [{name: web}], useDefaultGateways: All}"},
}

// fieldsOf returns the paths of all fields of a type of the Gateway API.
func fieldsOf(t reflect.Type, path string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !strings.Contains(t.PkgPath(), "gateway-api") {
		return []string{path}
	}
	var all []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		all = append(all, fieldsOf(t.Field(i).Type, strings.Trim(path+"."+name, "."))...)
	}
	return all
}

// TestNoFieldIsIgnoredWithoutAWord checks that each field of a Gateway and an HTTPRoute is used, rejected or named in the status. A new version of the
// Gateway API with another field fails this test.
func TestNoFieldIsIgnoredWithoutAWord(t *testing.T) {
	for kind, spec := range map[string]any{
		"Gateway": gatewayv1.GatewaySpec{}, "HTTPRoute": gatewayv1.HTTPRouteSpec{}, "TLSRoute": gatewayv1.TLSRouteSpec{}, "TCPRoute": gatewayv1.TCPRouteSpec{},
	} {
		known := slices.Clone(handled[kind])
		for path := range ignored[kind] {
			known = append(known, path)
		}
		fields := fieldsOf(reflect.TypeOf(spec), "")
		for _, field := range fields {
			if !slices.ContainsFunc(known, func(path string) bool { return field == path || strings.HasPrefix(field, path+".") }) {
				t.Errorf("%s: the field %s is neither used nor rejected nor listed", kind, field)
			}
		}
		for _, path := range known {
			if !slices.ContainsFunc(fields, func(field string) bool { return field == path || strings.HasPrefix(field, path+".") }) {
				t.Errorf("%s: there is no field %s", kind, path)
			}
		}
	}
	for path, example := range ignored["Gateway"] {
		gateway, found := Gateway(smi(t, example))
		if len(found) > 0 || !slices.Equal(gateway.Ignored, []string{"spec." + path}) {
			t.Errorf("a Gateway with %s: %+v %v", path, gateway, found)
		}
	}
	for kind, read := range map[string]func(*unstructured.Unstructured) (*catalog.HTTPRoute, []Problem){"HTTPRoute": HTTPRoute, "TLSRoute": TLSRoute, "TCPRoute": GatewayTCPRoute} {
		for path, example := range ignored[kind] {
			route, found := read(smi(t, example))
			if len(found) > 0 || !slices.Equal(route.Ignored, []string{"spec." + path}) {
				t.Errorf("%s with %s: %+v %v", kind, path, route, found)
			}
		}
	}
}

// TestIsSet checks where a path leads to a value that is not empty.
func TestIsSet(t *testing.T) {
	for _, test := range []struct {
		object, path string
		want         bool
	}{
		{"{a: b}", "a", true},
		{"{a: ''}", "a", false},
		{"{a: 0}", "a", true},
		{"{a: null}", "a", false},
		{"{a: {}}", "a", false},
		{"{a: {b: null}}", "a", true},
		{"{a: []}", "a", false},
		{"{a: ['']}", "a", true},
		{"{a: [{}]}", "a", true},
		{"{a: {b: c}}", "a.b", true},
		{"{a: {b: c}}", "a.d", false},
		{"{a: b}", "a.b", false},
		{"{a: [{c: d}, {b: e}]}", "a.b", true},
		{"{a: [{c: d}]}", "a.b", false},
		{"{a: []}", "a.b", false},
	} {
		if got := isSet(gatewayObject(t, test.object).Object, strings.Split(test.path, ".")); got != test.want {
			t.Errorf("%s of %s is set: %t, want %t", test.path, test.object, got, test.want)
		}
	}
}
