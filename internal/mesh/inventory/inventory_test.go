package inventory

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
)

// TestInventoryFollowsChanges makes random changes. After each of them, the inventory has the indexes and answers of a new one with the same entries, and
// every answer that became different is among the affected dependencies.
func TestInventoryFollowsChanges(t *testing.T) {
	for seed := range uint64(20) {
		random := entryMaker{rand.New(rand.NewPCG(seed, 0))}
		entries := map[entity.Ref]Entry{}
		inv := New()
		for range 150 {
			before := answersOf(inv)
			affected := random.change(inv, entries)
			fresh := build(entries)
			compareInventories(t, fresh, inv)
			after := answersOf(inv)
			for _, dep := range changedAnswers(before, after) {
				if _, known := affected[dep]; !known {
					t.Errorf("%v became different, and is not affected: %v instead of %v", dep, after[dep], before[dep])
				}
			}
			if t.Failed() {
				t.Fatalf("the seed is %d", seed)
			}
		}
	}
}

// TestEmptyInventoryHasNoMemory checks that removed entries leave nothing behind.
func TestEmptyInventoryHasNoMemory(t *testing.T) {
	random := entryMaker{rand.New(rand.NewPCG(1, 0))}
	entries := map[entity.Ref]Entry{}
	inv := New()
	for range 200 {
		random.change(inv, entries)
	}
	for _, entry := range entries {
		inv.Replace(entry, nil, entity.DepSet{})
	}
	compareInventories(t, New(), inv)
}

func build(entries map[entity.Ref]Entry) *Inventory {
	inv := New()
	for _, ref := range slices.SortedFunc(maps.Keys(entries), entity.Ref.Compare) {
		inv.Replace(nil, entries[ref], entity.DepSet{})
	}
	return inv
}

// addresses compares addresses, which have unexported fields.
var addresses = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

// compareInventories compares all fields except for the sets of shared Services, whose answers are compared instead.
func compareInventories(t *testing.T, want, got *Inventory) {
	t.Helper()
	options := cmp.Options{
		addresses, cmp.AllowUnexported(Inventory{}, label{}, portName{}, handwritten{}), cmpopts.IgnoreFields(Inventory{}, "sharing"),
	}
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("the inventory differs from a new one with the same entries (-want +got):\n%s", diff)
	}
	if len(want.sharing.sets) != len(got.sharing.sets) || len(want.sharing.setOf) != len(got.sharing.setOf) || len(want.sharing.setsOf) != len(got.sharing.setsOf) {
		t.Errorf("sets of shared Services: %+v, want %+v", got.sharing, want.sharing)
	}
	if diff := cmp.Diff(answersOf(want), answersOf(got), addresses); diff != "" {
		t.Errorf("the answers differ (-want +got):\n%s", diff)
	}
}

// answersOf returns what an inventory answers to every question about the few names of the test, by the dependency that a reader of the answer has.
func answersOf(inv *Inventory) map[entity.Dep]any {
	answers := map[entity.Dep]any{}
	for _, name := range allNames() {
		account := identity.ServiceAccount(name)
		answers[entity.DepPod.Of(name)] = inv.Instance(name)
		answers[entity.DepService.Of(name)] = inv.Service(name)
		answers[entity.DepServiceIdentities.Of(name)] = inv.Identities(name)
		answers[entity.DepPodCount.Of(name)] = inv.CountUpTo(name)
		answers[entity.DepServicesOf.Of(name)] = inv.ServicesOf(account)
		answers[entity.DepSharing.Of(name)] = inv.Sharing(name)
		answers[entity.DepEndpoints.Of(name)] = endpointsOf(inv, name)
		answers[entity.DepNamespaceServices.In(name.Namespace)] = inv.ServicesIn(name.Namespace)
	}
	return answers
}

// endpointsOf returns everything that depends on the endpoints of a Service with its present ports. Without the Service there is no such reader.
func endpointsOf(inv *Inventory, name entity.Name) any {
	service := inv.Service(name)
	if service == nil {
		return nil
	}
	port := service.Ports[0]
	return []any{inv.Backends(service, port), inv.TargetPorts(service, port), inv.Addresses(name), inv.HasReadyEndpoint(name), inv.LeftOut(service)}
}

func changedAnswers(before, after map[entity.Dep]any) []entity.Dep {
	var changed []entity.Dep
	for dep, answer := range after {
		if !cmp.Equal(before[dep], answer, addresses) {
			changed = append(changed, dep)
		}
	}
	slices.SortFunc(changed, entity.Dep.Compare)
	return changed
}

// entryMaker makes random entries. Their few names, labels and addresses make conflicts frequent.
type entryMaker struct{ *rand.Rand }

func allNames() []entity.Name {
	var list []entity.Name
	for _, namespace := range []string{"a", "b"} {
		for _, name := range []string{"a", "b", "c"} {
			list = append(list, entity.Name{Namespace: namespace, Name: name})
		}
	}
	return list
}

// change stores or removes a random entry, and returns what that affects: the dependencies of the entry itself, as the catalog adds them, and those that the
// inventory adds.
func (r entryMaker) change(inv *Inventory, entries map[entity.Ref]Entry) entity.DepSet {
	after := r.entry()
	ref := after.Ref()
	before, exists := entries[ref]
	affected := entity.DepSet{}
	for _, entry := range []Entry{before, after} {
		if entry != nil {
			for _, dep := range entry.Deps(nil) {
				affected.Add(dep)
			}
		}
	}
	if exists && r.IntN(3) == 0 {
		delete(entries, ref)
		inv.Replace(before, nil, affected)
		return affected
	}
	entries[ref] = after
	inv.Replace(before, after, affected)
	return affected
}

func (r entryMaker) entry() Entry {
	switch r.IntN(3) {
	case 0:
		injected := r.IntN(4) > 0
		return &Instance{
			Name: r.name(), ServiceAccount: r.text(), IPs: []netip.Addr{r.address()}, Labels: r.labels(), Finished: r.IntN(4) == 0, Terminating: r.flag(),
			Ports: map[string]uint16{"http": uint16(8080 + r.IntN(2))}, Injected: injected, OSMSidecar: !injected && r.flag(), NodeUnreachable: r.flag(),
		}
	case 1:
		return &Service{
			Name: r.name(), ClusterIPs: []netip.Addr{r.address()}[:r.IntN(2)], Selector: map[bool]map[string]string{true: r.labels()}[r.IntN(3) > 0],
			Ports: []Port{{Name: "p", Number: 80, TargetName: "http", TargetPort: uint16(r.IntN(2))}},
		}
	default:
		pod := map[bool]entity.Name{true: r.name()}[r.IntN(3) > 0]
		endpoint := Endpoint{Address: r.address(), Pod: pod, Ready: r.flag(), Terminating: r.flag()}
		return &EndpointSlice{Name: r.name(), Service: r.name(), Ports: map[string]uint16{"p": uint16(8080 + r.IntN(2))}, Endpoints: []Endpoint{endpoint}}
	}
}

func (r entryMaker) text() string              { return string(rune('a' + r.IntN(2))) }
func (r entryMaker) name() entity.Name         { return allNames()[r.IntN(6)] }
func (r entryMaker) labels() map[string]string { return map[string]string{"app": r.text()} }
func (r entryMaker) flag() bool                { return r.IntN(2) == 0 }
func (r entryMaker) address() netip.Addr {
	return netip.MustParseAddr(fmt.Sprint("10.0.0.", r.IntN(4)))
}
