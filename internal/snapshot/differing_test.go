package snapshot

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPartialTranslation edits a mesh at random and holds every scope against a full translation.
func TestPartialTranslation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench()
		b.store.MarkSynced()
		probe := meshtest.Pod("a", "probe", "one", "one", "10.0.1.1")
		b.apply(append(twoServices(), probe, accountOf(probe))...)
		stream := b.mustConnect(t, probe)
		for range rapid.IntRange(1, 25).Draw(rt, "edits") {
			change := sidecarSafe(meshtest.Change().Draw(rt, "change"))
			b.store.Apply([]catalog.Change{change})
			b.run()
			n := stream.scope
			full := b.store.editsTo(n, n.built, nil)
			for kind := range numTypes {
				if diff := differences(n.contents[kind], full.contents[kind]); len(diff) > 0 {
					rt.Fatalf("%s after %+v: %v are not what a full translation gives", kind, change.Entry, diff)
				}
			}
			if diff := differences(n.endpoints, full.endpoints); len(diff) > 0 {
				rt.Fatalf("endpoints after %+v: %v are not what a full translation gives", change.Entry, diff)
			}
		}
	})
}

// differences are the keys whose values are not the same in both maps.
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

// TestSameSeesEveryField fails when a field is added to what is compared and not to the comparison.
func TestSameSeesEveryField(t *testing.T) {
	everyField(t, sameOutbound)
	everyField(t, sameCluster)
}

func everyField[T any](t *testing.T, same func(a, b *T) bool) {
	var zero T
	kind := reflect.TypeOf(zero)
	if !same(&zero, &zero) {
		t.Errorf("two empty %s differ", kind)
	}
	for i := range kind.NumField() {
		other := reflect.New(kind).Elem()
		fill(other.Field(i))
		if different := other.Interface().(T); same(&zero, &different) {
			t.Errorf("a difference in %s.%s is not seen", kind, kind.Field(i).Name)
		}
	}
}

// fill makes a value differ from the zero value, deep inside.
func fill(v reflect.Value) {
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
