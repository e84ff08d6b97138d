package snapshot

import (
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestStoreDoesNotLeak adds and removes Services, policies and streams, and compares the sizes of all maps and lists in the Store. It
// finds new fields by reflection.
func TestStoreDoesNotLeak(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	client, _ := podsOf(entries)
	stay := h.connect(t, client)
	defer stay.Close()
	for n := range 128 { // fills the list of traces
		h.addAndRemove(t, n)
	}
	before := h.stableSizes(t)
	for n := range 100 {
		h.addAndRemove(t, 1000+n)
	}
	if diff := cmp.Diff(before, h.stableSizes(t)); diff != "" {
		t.Errorf("sizes in the Store changed (-before +after):\n%s", diff)
	}
}

// stableSizes returns sizes when they no longer change: unused contents are removed after a garbage collection.
func (h *harness) stableSizes(t *testing.T) map[string]int {
	t.Helper()
	last := h.sizes()
	for same, tries := 0, 0; same < 3; tries++ {
		if tries > 1000 {
			t.Fatal("the sizes do not become stable")
		}
		runtime.GC()
		time.Sleep(5 * time.Millisecond) // the runtime runs cleanups on another goroutine
		now := h.sizes()
		if same++; !maps.Equal(last, now) {
			same = 0
		}
		last = now
	}
	return last
}

// addAndRemove adds and removes a Service with a policy and a stream. Names differ for each n.
func (h *harness) addAndRemove(t *testing.T, n int) {
	t.Helper()
	name := fmt.Sprintf("temporary-%d", n)
	address := fmt.Sprintf("10.8.%d.%d", n/250, n%250+1)
	pod := meshtest.Pod("a", name, name, name, address)
	service := meshtest.Service("a", name, name, fmt.Sprintf("10.98.%d.%d", n/250, n%250+1), 80, inventory.ProtocolHTTP)
	entries := []catalog.Entry{
		pod, accountOf(pod), service, meshtest.Slice(service.Name, pod),
		meshtest.Target(name, pod.Identity(), nil, meshtest.SA("a", "client")),
	}
	h.apply(entries...)
	stream := h.connect(t, pod)
	stream.Close()
	h.run()
	h.remove(entries...)
	h.store.policies.UpdateCompleted(h.store.config.Now(), h.store.countProxies)
}

// sizes returns the lengths of all maps and lists in the Store by path. It does not descend into maps.
func (h *harness) sizes() map[string]int {
	all := map[string]int{"interner": h.store.interner.Len()}
	collect(reflect.ValueOf(h.store).Elem(), "Store", 4, all)
	return all
}

func collect(v reflect.Value, path string, depth int, all map[string]int) {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Chan:
		all[path] = v.Len()
	case reflect.Pointer:
		of := v.Type().Elem()
		ours := strings.HasPrefix(of.PkgPath(), reflect.TypeFor[Store]().PkgPath()) || of == reflect.TypeFor[catalog.Catalog]()
		if ours && of != reflect.TypeFor[resource.Interner]() && !v.IsNil() && depth > 0 {
			collect(v.Elem(), path, depth-1, all)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), path+"."+v.Type().Field(i).Name, depth, all)
		}
	}
}
