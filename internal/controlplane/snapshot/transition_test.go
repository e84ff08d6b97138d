package snapshot

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// manyRoutes is how many routes the Service of twoServices can have in a test: enough for its part of a scope to be kept.
const manyRoutes = 6

// TestTransition_EqualsFullTranslation applies random edits that may interrupt each other, quarantines and releases policies, and compares two scopes with
// their full translations.
func TestTransition_EqualsFullTranslation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newSyncedHarness()
		probe := meshtest.Pod("a", "probe", "one", "one", "10.0.1.1")
		probe.OnDemand = rapid.Bool().Draw(rt, "on demand")
		isOSM := rapid.Bool().Draw(rt, "sidecar of Open Service Mesh")
		if isOSM {
			replaceSidecar(probe)
		}
		h.apply(append(twoServices(), probe, accountOf(probe), serviceRanges())...)
		for i := range manyRoutes {
			h.apply(meshtest.Route(meshtest.Name("a", "server"), i, 0))
		}
		client := meshtest.Pod("a", "client", "client", "client", "10.0.0.1")
		connect := h.connect
		if isOSM {
			connect = h.connectOSM
		}
		stream, other := connect(t, probe), h.connect(t, client)
		for range rapid.IntRange(1, 25).Draw(rt, "edits") {
			change := drawEdit(rt)
			if rapid.Bool().Draw(rt, "interrupted") {
				h.interrupt(rapid.IntRange(1, 30).Draw(rt, "after"), drawEdit(rt))
			}
			h.store.Apply([]catalog.Change{change})
			h.run()
			h.drawQuarantine(rt, stream)
			h.drawQuarantine(rt, other)
			for _, n := range []*scopeNode{stream.scope.Load(), other.scope.Load()} {
				h.compareWithFull(rt, n, change.Entry)
			}
		}
	})
}

// drawEdit draws an edit of anything, or of one of many routes.
func drawEdit(t *rapid.T) catalog.Change {
	return keepNamespace(rapid.OneOf(meshtest.PeerChange(), meshtest.RouteChange(meshtest.Name("a", "server"), manyRoutes)).Draw(t, "change"))
}

// interrupt queues a change when the Store reads the clock for a number of times. It interrupts the rebuilding of scopes if the namespaces differ.
func (h *harness) interrupt(reads int, change catalog.Change) {
	h.store.running.maxTurn = 0
	now := h.store.config.Now
	h.store.config.Now = func() time.Time {
		if reads--; reads == 0 {
			h.store.config.Now = now
			h.store.Apply([]catalog.Change{change})
		}
		return now()
	}
}

// compareWithFull compares a scope with its full translation after an edit.
func (h *harness) compareWithFull(t failer, n *scopeNode, edit catalog.Entry) {
	complete := h.scopeOf(n)
	if n.shared == nil { // its parts are kept
		complete = scope.BuildWithShared(h.store.catalog.ViewWithout(h.store.quarantine.Policies(n.key)), h.store.trustDomains, n.key, nil)
	}
	full, all := h.store.translate(&layer{}, n, transition{after: complete, build: h.store.withSecrets(envoy.Build)}), n.flatten()
	for kind := range resourcetype.NumTypes {
		if diff := differences(all.contents[kind], full.contents[kind]); len(diff) > 0 {
			t.Fatalf("%s of %s after %+v: %v differ from a full translation", kind, n.key.Identity, edit, diff)
		}
	}
	if diff := differences(all.endpoints, full.endpoints); len(diff) > 0 {
		t.Fatalf("endpoints of %s after %+v: %v differ from a full translation", n.key.Identity, edit, diff)
	}
}

// differences returns the keys whose values differ.
func differences[V comparable](a, b map[string]V) []string {
	var names []string
	for name, value := range a {
		if other, ok := b[name]; !ok || other != value {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}

// TestEqual_ComparesEveryField fails if a new field is not compared.
func TestEqual_ComparesEveryField(t *testing.T) {
	checkEveryField(t, equalOutbound)
	checkEveryField(t, equalCluster)
}

func checkEveryField[T any](t *testing.T, equal func(a, b *T) bool) {
	var zero T
	kind := reflect.TypeOf(zero)
	if !equal(&zero, &zero) {
		t.Errorf("two empty %s differ", kind)
	}
	for i := range kind.NumField() {
		other := reflect.New(kind).Elem()
		fill(other.Field(i))
		if different := other.Interface().(T); equal(&zero, &different) {
			t.Errorf("a difference in %s.%s is not detected", kind, kind.Field(i).Name)
		}
	}
}

// fill sets a value or one of its fields to another value than zero.
func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[netip.AddrPort]() {
		v.Set(reflect.ValueOf(netip.MustParseAddrPort("10.96.0.1:80")))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Struct:
		fill(v.Field(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	default:
		panic("a field of kind " + v.Kind().String() + " must be compared and filled")
	}
}
