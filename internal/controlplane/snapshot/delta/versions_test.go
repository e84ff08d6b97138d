package delta

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
)

// TestVersions_EqualAMap compares versions with a plain map, while the base changes at random.
func TestVersions_EqualAMap(t *testing.T) {
	name := rapid.StringMatching("[a-h]")
	version := rapid.Map(rapid.IntRange(0, 3), func(i int) resource.Version {
		return []resource.Version{stateUnsent, stateRemoved, contentVersion(0), contentVersion(1)}[i]
	})
	base := rapid.Map(rapid.MapOf(name, version), NewBase)
	rapid.Check(t, func(t *rapid.T) {
		var v versions
		want := map[string]resource.Version{}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				n, to := name.Draw(t, "name"), version.Draw(t, "version")
				v.set(n, to)
				want[n] = to
			},
			"remove": func(t *rapid.T) {
				n := name.Draw(t, "name")
				v.remove(n)
				delete(want, n)
			},
			"compact": func(t *rapid.T) { v.compact(base.Draw(t, "base")) },
			"rebase":  func(t *rapid.T) { v.rebase(base.Draw(t, "base")) },
			"no base": func(*rapid.T) { v.compact(nil) },
			"": func(t *rapid.T) {
				if got := maps.Collect(v.all()); !maps.Equal(got, want) {
					t.Fatalf("versions are %v, want %v", got, want)
				}
				for n := 'a'; n <= 'h'; n++ {
					got, known := v.get(string(n))
					if desired, ok := want[string(n)]; got != desired && ok || known != ok {
						t.Fatalf("version of %c is %v (%t), want %v (%t)", n, got, known, desired, ok)
					}
				}
				if v.len() < len(want) {
					t.Fatalf("len is %d with %d names", v.len(), len(want))
				}
			},
		})
	})
}

// TestVersions_FewExceptions checks that a stream with the versions of a base needs no memory of its own, even if it got them one by one
// before the base existed.
func TestVersions_FewExceptions(t *testing.T) {
	all := map[string]resource.Version{}
	var v versions
	for i := range 1000 {
		name := string(rune(0x4e00 + i))
		all[name] = contentVersion(i)
		v.set(name, all[name])
	}
	v.set("own", contentVersion(0))
	v.compact(NewBase(all))
	if len(v.exceptions) != 1 || v.peak != 1 || !maps.Equal(v.base.versions, all) {
		t.Errorf("%d exceptions to a base with %d names", len(v.exceptions), len(all))
	}
}

// contentVersion returns one of many different versions of contents.
func contentVersion(n int) resource.Version {
	return resource.CombineVersions(resource.Version{}, resource.Reserved(uint64(n%16)).Xor(resource.CombineVersions(resource.Reserved(uint64(n/16%16)), resource.Reserved(uint64(n/256)))))
}
