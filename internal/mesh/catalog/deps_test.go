package catalog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestIndexEqualsScan makes random changes and compares what the catalog has indexed with a scan of all entries.
func TestIndexEqualsScan(t *testing.T) {
	for seed := range uint64(50) {
		random := entryMaker{rand.New(rand.NewPCG(seed, 0))}
		c := New()
		for range 200 {
			before := maps.Clone(c.entries)
			changes := random.changes()
			checkAffected(t, before, changes, c.Apply(changes))
		}
		checkIndexes(t, c)
		checkPolicies(t, c)
		if t.Failed() {
			t.Fatalf("the seed is %d", seed)
		}
	}
}

// TestEmptyCatalogHasNoMemory checks that removed entries leave nothing behind.
func TestEmptyCatalogHasNoMemory(t *testing.T) {
	random := entryMaker{rand.New(rand.NewPCG(1, 0))}
	c := New()
	for range 200 {
		c.Apply(random.changes())
	}
	for ref := range maps.Clone(c.entries) {
		c.Apply([]Change{{Ref: ref}})
	}
	left := len(c.entries) + len(c.byDep)
	if left > 0 {
		t.Errorf("the empty catalog has %+v", c)
	}
}

// checkAffected verifies that a change affects the dependencies of its entry before and after it.
func checkAffected(t *testing.T, before map[entity.Ref]Entry, changes []Change, affected []entity.Dep) {
	t.Helper()
	if !slices.IsSortedFunc(affected, entity.Dep.Compare) {
		t.Errorf("the affected dependencies are not sorted: %v", affected)
	}
	for _, change := range changes {
		if old, exists := before[change.Ref]; exists == (change.Entry != nil) && (!exists || cmp.Equal(old, change.Entry, addresses)) {
			continue
		}
		for _, entry := range []Entry{before[change.Ref], change.Entry} {
			if entry == nil {
				continue
			}
			for _, dep := range entry.Deps(nil) {
				if _, found := slices.BinarySearchFunc(affected, dep, entity.Dep.Compare); !found {
					t.Errorf("the change of %v does not affect %v", change.Ref, dep)
				}
			}
		}
	}
}

// addresses compares addresses and prefixes, which have unexported fields.
var addresses = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// checkIndexes compares the index with a scan.
func checkIndexes(t *testing.T, c *Catalog) {
	t.Helper()
	byDep := entity.Names[entriesOf]{}
	for ref, entry := range c.entries {
		for _, dep := range entry.Deps(nil) {
			if isIndexed(ref.Kind) {
				byDep.Update(entriesOf{dep, ref.Kind}, ref.Name, 1)
			}
		}
	}
	compare(t, "index", byDep, c.byDep)
}

func compare[K comparable, V any](t *testing.T, what string, want, got map[K]V) {
	t.Helper()
	if !cmp.Equal(want, got, addresses, cmp.AllowUnexported(entriesOf{})) {
		t.Errorf("%s differ: want %v, got %v", what, want, got)
	}
}

// checkPolicies compares both directions between dependencies and policies with each other.
func checkPolicies(t *testing.T, c *Catalog) {
	t.Helper()
	for ref, entry := range c.entries {
		deps := c.PolicyDeps(ref)
		if !ref.Kind.IsPolicy() {
			deps = entry.Deps(nil)
		}
		for _, dep := range deps {
			if got := slices.Contains(c.Policies([]entity.Dep{dep}), ref); got != ref.Kind.IsPolicy() {
				t.Errorf("%v is among the policies of %v: %t", ref, dep, got)
			}
		}
	}
}

// entryMaker makes random entries. Their few names and references make conflicts frequent.
type entryMaker struct{ *rand.Rand }

func (r entryMaker) changes() []Change {
	var changes []Change
	for _, entry := range r.entries() {
		change := Set(entry)
		if r.IntN(3) == 0 {
			change.Entry = nil
		}
		if r.IntN(4) == 0 && !slices.ContainsFunc(changes, func(other Change) bool { return other.Ref == change.Ref }) {
			changes = append(changes, change)
		}
	}
	return changes
}

func (r entryMaker) text() string                     { return string(rune('a' + r.IntN(3))) }
func (r entryMaker) name() entity.Name                { return entity.Name{Namespace: r.text(), Name: r.text()} }
func (r entryMaker) account() identity.ServiceAccount { return identity.ServiceAccount(r.name()) }
func (r entryMaker) labels() map[string]string        { return map[string]string{"app": r.text()} }
func (r entryMaker) address() netip.Addr {
	return netip.MustParseAddr(fmt.Sprint("10.0.0.", r.IntN(4)))
}
func (r entryMaker) flag() bool { return r.IntN(2) == 0 }

func (r entryMaker) accounts() []identity.ServiceAccount {
	return []identity.ServiceAccount{r.account(), r.account()}[:r.IntN(3)]
}

// entries returns an entry of each kind.
func (r entryMaker) entries() []Entry {
	permissive := map[bool]*bool{true: new(bool)}[r.flag()]
	return slices.Concat(r.workloads(), []Entry{
		&Settings{Permissive: r.flag()},
		&Namespace{Name: r.text(), Monitored: r.flag(), Permissive: permissive},
		&NamespaceLabels{Namespace: r.text(), Labels: r.labels()},
		&ServiceCIDR{Name: r.text(), Ranges: []netip.Prefix{netip.PrefixFrom(r.address(), 24+r.IntN(2))}},
		&TrafficTarget{Name: r.name(), Destination: r.account(), Sources: r.accounts()},
		&HTTPRouteGroup{Name: r.name()},
		&TCPRoute{Name: r.name()},
		&TrafficSplit{Name: r.name(), Root: r.name(), Backends: []SplitBackend{{Service: r.name()}, {Service: r.name()}}},
		&Egress{Name: r.name(), Sources: r.accounts()},
		&BackendTLSPolicy{Name: r.name(), Hostname: r.text(), Targets: []PolicyTarget{{Group: PolicyGroup, Kind: string(entity.KindEgress), Name: r.text()}}},
		&BackendAuthorities{Name: r.name(), Problem: r.text()},
		&ExtensionService{Name: r.name(), Address: r.text()},
		&GatewayClass{Name: r.text()},
		&Gateway{Name: r.name(), Class: r.text()},
		&HTTPRoute{Name: r.name()},
		r.route(entity.KindHTTPRoute),
		r.route(entity.KindTLSRoute),
		r.route(entity.KindGatewayTCPRoute),
		&ReferenceGrant{Name: r.name()},
		&GatewayCertificate{Name: r.name(), Problem: r.text()},
		&GatewayAuthorities{Name: r.name(), Problem: r.text()},
		&EgressCredential{Name: r.name(), Problem: r.text()},
	})
}

// route returns a route of a Service, with a backend.
func (r entryMaker) route(kind entity.Kind) *HTTPRoute {
	return &HTTPRoute{
		Kind: kind, Name: r.name(), Parents: []RouteParent{{Service: r.name()}}, Hostnames: []string{r.text()},
		Rules: []HTTPRouteRule{{Backends: []RouteBackend{{Service: r.name()}}}},
	}
}

func (r entryMaker) workloads() []Entry {
	service := r.name()
	port := inventory.Port{Name: "p", Number: 80, TargetName: "http"}
	address, injected := r.address(), r.IntN(4) > 0
	return []Entry{
		&ServiceAccount{Name: r.name(), UID: r.text()},
		&inventory.Instance{
			Name: r.name(), ServiceAccount: r.text(), IPs: []netip.Addr{address}, Labels: r.labels(), Finished: r.flag(),
			Ports: map[string]uint16{"http": uint16(8080 + r.IntN(2))}, Injected: injected, OSMSidecar: !injected && r.flag(),
		},
		&inventory.Service{Name: service, ClusterIPs: []netip.Addr{r.address()}[:r.IntN(2)], Selector: map[bool]map[string]string{true: r.labels()}[r.flag()], Ports: []inventory.Port{port}},
		&inventory.EndpointSlice{
			Name: r.name(), Service: r.name(), Ports: map[string]uint16{"p": uint16(8080 + r.IntN(2))},
			Endpoints: []inventory.Endpoint{{Address: address, Pod: map[bool]entity.Name{true: r.name()}[r.flag()]}},
		},
	}
}
