package catalog_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEqualEntriesAffectNothing stores entries again. Of a Service that changes, the set of Services stays as it is.
func TestEqualEntriesAffectNothing(t *testing.T) {
	service := func(port uint16) *inventory.Service {
		return Service("shop", "web", "web", "", port, inventory.ProtocolHTTP)
	}
	c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, service(80), Pod("shop", "web-1", "web", "web", "10.0.0.1"))
	if affected := c.Apply([]catalog.Change{catalog.Set(service(80)), catalog.Set(Pod("shop", "web-1", "web", "web", "10.0.0.1"))}); len(affected) > 0 {
		t.Errorf("equal entries affect %v", affected)
	}
	affected := c.Apply([]catalog.Change{catalog.Set(service(81))})
	if !slices.Contains(affected, entity.DepService.Of(Name("shop", "web"))) || slices.Contains(affected, entity.Dep{Kind: entity.DepServices}) {
		t.Errorf("another port affects %v", affected)
	}
	if affected := c.Apply([]catalog.Change{{Ref: service(81).Ref()}}); !slices.Contains(affected, entity.Dep{Kind: entity.DepServices}) {
		t.Errorf("without the Service, affected are %v", affected)
	}
}

// TestUnreadObjectsExist checks that a policy is told again when an object that it names begins to exist, even if nothing of it can be used.
func TestUnreadObjectsExist(t *testing.T) {
	unread := &catalog.Unread{Object: entity.KindService.Ref(Name("shop", "web")), Problem: "It has no ports."}
	c := Apply()
	view := c.View()
	if view.Exists(unread.Object) || view.WhyUnread(unread.Object) != "" {
		t.Error("an object exists that nobody has created")
	}
	affected := c.Apply([]catalog.Change{catalog.Set(unread)})
	if !slices.ContainsFunc(view.Deps(), func(dep entity.Dep) bool { return slices.Contains(affected, dep) }) {
		t.Errorf("the view depends on %v, and affected are %v", view.Deps(), affected)
	}
	if !c.View().Exists(unread.Object) || c.View().WhyUnread(unread.Object) != unread.Problem {
		t.Error("the object does not exist")
	}
}

// TestSizesOfANamespace counts what a namespace has.
func TestSizesOfANamespace(t *testing.T) {
	two := Service("shop", "two", "two", "", 80, inventory.ProtocolHTTP)
	two.Ports = append(two.Ports, inventory.Port{Number: 81, TargetPort: 8081})
	split := func(name string, backends int) *catalog.TrafficSplit {
		return &catalog.TrafficSplit{Name: Name("shop", name), Root: Name("shop", "two"), Backends: make([]catalog.SplitBackend, backends)}
	}
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, two, Service("shop", "one", "one", "", 90, inventory.ProtocolHTTP), Pod("shop", "one-1", "one", "one", "10.0.0.1"),
		split("a", 2), split("b", 3),
	}
	v := Apply(entries...).View()
	if got, want := v.Selected("shop"), (catalog.Selected{Pods: 1, Ports: 3, MostPorts: 2}); got != want {
		t.Errorf("the namespace has %+v, want %+v", got, want)
	}
	if got := v.SplitBackends("shop"); got != 5 {
		t.Errorf("the splits have %d backends", got)
	}
	if got, complete := v.NumericTargetPorts("shop"); !complete || !slices.Equal(got, []uint16{80, 90, 8081}) {
		t.Errorf("the ports are %v, all: %t", got, complete)
	}
	named, handwritten := Service("shop", "named", "x", "", 1, inventory.ProtocolHTTP), Service("shop", "handwritten", "x", "", 1, inventory.ProtocolHTTP)
	named.Ports[0].TargetName, handwritten.Selector = "http", nil
	for _, service := range []*inventory.Service{named, handwritten} {
		if _, complete := Apply(append(entries, service)...).View().NumericTargetPorts("shop"); complete {
			t.Errorf("with Service %s, all ports are known", service.Name)
		}
	}
}

// TestLabelSelector checks each operator with the value, another value and no label.
func TestLabelSelector(t *testing.T) {
	for operator, want := range map[string][3]bool{
		"In": {true, false, false}, "NotIn": {false, true, true}, "Exists": {true, true, false}, "DoesNotExist": {false, false, true}, "Like": {false, false, false},
	} {
		selector := catalog.LabelSelector{{Key: "team", Operator: operator, Values: []string{"a"}}}
		got := [3]bool{selector.Matches(map[string]string{"team": "a"}), selector.Matches(map[string]string{"team": "b"}), selector.Matches(nil)}
		if got != want {
			t.Errorf("%s matches %v, want %v", operator, got, want)
		}
	}
	if !(catalog.LabelSelector{}).Matches(nil) {
		t.Error("no requirements match nothing")
	}
}

// TestAddressesOutside asks for the address of a pod that is not in the mesh.
func TestAddressesOutside(t *testing.T) {
	view := Apply(&catalog.Namespace{Name: "shop"}, Pod("shop", "web-0", "web", "web", "10.0.0.1"), Service("shop", "web", "web", "", 80, inventory.ProtocolHTTP)).View()
	if got := view.ServicesAt([]netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")}); len(got) > 0 {
		t.Errorf("the Services are %v", got)
	}
}

// TestTargetsOfBackendTLS checks what a policy affects: nothing if its target is of another kind.
func TestTargetsOfBackendTLS(t *testing.T) {
	for kind, want := range map[catalog.PolicyTarget]entity.DepKind{
		{Group: catalog.PolicyGroup, Kind: "Egress", Name: "x"}:           entity.DepBackendTLS,
		{Group: catalog.ConfigGroup, Kind: "ExtensionService", Name: "x"}: entity.DepServerTLS,
		{Kind: "Service", Name: "x"}:                                      entity.DepServiceTLS,
		{Group: "apps", Kind: "Service", Name: "x"}:                       entity.DepSettings,
	} {
		policy := &catalog.BackendTLSPolicy{Name: Name("shop", "tls"), Targets: []catalog.PolicyTarget{kind}}
		deps := policy.Deps(nil)
		if slices.Contains(deps, want.Of(Name("shop", "x"))) != (want != entity.DepSettings) || slices.Contains(deps, entity.Dep{}) {
			t.Errorf("%+v affects %v", kind, deps)
		}
	}
}

// TestGatewayOfNoMesh checks that nothing is known about gateways before the settings and the Service are.
func TestGatewayOfNoMesh(t *testing.T) {
	service := Service("osm-system", names.IngressGateway, "gateway", "", 443, inventory.ProtocolTCP)
	service.Ports[0].TargetPort = 8443
	labels := &catalog.NamespaceLabels{Namespace: "shop", Labels: map[string]string{"team": "a"}}
	before, after := Apply(&catalog.Settings{}).View(), Apply(&catalog.Settings{Namespace: "osm-system"}, service, labels).View()
	if got := before.GatewayAccount("g"); got != (identity.ServiceAccount{}) || before.IsGatewayAccount(SA("", "g"), "g") {
		t.Errorf("without settings the account is %v", got)
	}
	if got := after.GatewayAccount("g"); got != SA("osm-system", "g") || !after.IsGatewayAccount(got, "f", "g") {
		t.Errorf("the account is %v", got)
	}
	if got := before.IngressGatewayPorts(); len(got) > 0 {
		t.Errorf("without the Service the ports are %v", got)
	}
	if got := after.IngressGatewayPorts(); len(got) != 1 || got[443] != 8443 {
		t.Errorf("the ports are %v", got)
	}
	if got := after.LabelsOf("shop"); got["team"] != "a" || after.LabelsOf("bank") != nil {
		t.Errorf("the labels are %v", got)
	}
}
