package snapshot

import (
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestStoreForgets lets Services, policies and sidecars come and go, and compares the sizes of all maps and lists that the Store
// holds, wherever they are. Whoever adds one need not name it here.
func TestStoreForgets(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	b.apply(entries...)
	client, _ := pods(entries)
	stay := b.mustConnect(t, client)
	defer stay.Close()
	for n := range maxTraces { // what is remembered on purpose is full after the first rounds
		b.visit(t, n)
	}
	before := b.settledSizes(t)
	for n := range 100 {
		b.visit(t, 1000+n)
	}
	if diff := cmp.Diff(before, b.settledSizes(t)); diff != "" {
		t.Errorf("the Store holds other than before (-before +after):\n%s", diff)
	}
}

// settledSizes are sizes once nothing changes any more: contents that nobody holds are forgotten when they are collected.
func (b *bench) settledSizes(t *testing.T) map[string]int {
	t.Helper()
	last := b.sizes()
	for same, tries := 0, 0; same < 3; tries++ {
		if tries > 1000 {
			t.Fatal("the sizes do not settle")
		}
		runtime.GC()
		time.Sleep(5 * time.Millisecond) // the runtime runs cleanups in a goroutine of its own
		now := b.sizes()
		if same++; !maps.Equal(last, now) {
			same = 0
		}
		last = now
	}
	return last
}

// visit lets a Service with a policy and a sidecar of its own come and go again. Each visitor has names of its own.
func (b *bench) visit(t *testing.T, n int) {
	t.Helper()
	name := fmt.Sprintf("visitor-%d", n)
	address := fmt.Sprintf("10.8.%d.%d", n/250, n%250+1)
	pod := meshtest.Pod("a", name, name, name, address)
	service := meshtest.Service("a", name, name, fmt.Sprintf("10.98.%d.%d", n/250, n%250+1), 80, catalog.ProtocolHTTP)
	visitor := []catalog.Entry{
		pod, accountOf(pod), service, meshtest.Slice(service.Name, pod),
		meshtest.Target(name, pod.Identity(), nil, meshtest.SA("a", "client")),
	}
	b.apply(visitor...)
	stream := b.mustConnect(t, pod)
	stream.Close()
	b.run()
	b.remove(visitor...)
	b.store.watchProgress()
}

// sizes are the lengths of all maps and lists below the Store, by path. What maps hold is not looked into.
func (b *bench) sizes() map[string]int {
	b.store.interner.mu.Lock()
	defer b.store.interner.mu.Unlock()
	all := map[string]int{}
	collect(reflect.ValueOf(b.store).Elem(), "Store", 4, all)
	return all
}

func collect(v reflect.Value, path string, depth int, all map[string]int) {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Chan:
		all[path] = v.Len()
	case reflect.Pointer:
		of := v.Type().Elem()
		ours := of.PkgPath() == reflect.TypeFor[Store]().PkgPath() || of == reflect.TypeFor[catalog.Catalog]()
		if ours && !v.IsNil() && depth > 0 {
			collect(v.Elem(), path, depth-1, all)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), path+"."+v.Type().Field(i).Name, depth, all)
		}
	}
}
