package names_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestNamesOfDedicatedGateways checks that the names of all Gateways are different DNS labels. Their owners choose names and namespaces.
func TestNamesOfDedicatedGateways(t *testing.T) {
	long := strings.Repeat("n", 63)
	seen := map[string][2]string{}
	for _, g := range [][2]string{
		{"shop", "web"},
		{"shop", "web.internal"},
		{"shop", "web-internal"},
		{"shop-web", "internal"},
		{"a-b", "c"},
		{"a", "b-c"},
		{"a", "b.c"},
		{long, strings.Repeat("g", 253)},
		{long, strings.Repeat("g", 252)},
		{"a", strings.Repeat("a.", 126) + "a"},
		{"a", strings.Repeat("a-", 126) + "a"},
		{"osm", "ingress-gateway"},
		{"a", strings.Repeat("b", 29) + "--" + strings.Repeat("b", 20)},
	} {
		name := names.DedicatedGateway(g[0], g[1])
		if problems := validation.IsDNS1035Label(name); len(problems) > 0 || !names.IsDedicatedGateway(name) {
			t.Errorf("%v has the name %q: %v", g, name, problems)
		}
		if other, known := seen[name]; known {
			t.Errorf("%v and %v have the name %s", g, other, name)
		}
		seen[name] = g
	}
	if got := names.DedicatedGateway("shop", "web"); !strings.HasPrefix(got, "osm-gateway-shop-web-") {
		t.Errorf("the name is %s, want one that people recognize", got)
	}
	for _, other := range []string{names.IngressGateway, names.EgressGateway, names.Controller, names.Injector} {
		if names.IsDedicatedGateway(other) {
			t.Errorf("%s passes for a Gateway with pods of its own", other)
		}
	}
}

// TestLabelValues checks that long names become valid values of labels, and short ones remain as they are.
func TestLabelValues(t *testing.T) {
	var values []string
	for _, name := range []string{"web", strings.Repeat("g", 63), strings.Repeat("g", 64), strings.Repeat("g", 253), strings.Repeat("a.", 126) + "a"} {
		value := names.LabelValue(name)
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 || len(name) <= 63 && value != name || slices.Contains(values, value) {
			t.Errorf("%q has the value %q: %v", name, value, problems)
		}
		values = append(values, value)
	}
}
