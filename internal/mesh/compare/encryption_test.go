package compare

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPlanOfEncryption edits BackendTLSPolicies. The plan has the hosts to which requests are encrypted, or no more, and the requests that cannot be encrypted.
func TestPlanOfEncryption(t *testing.T) {
	egress := egressTo(func(*catalog.Egress) {})
	encrypt := func(name, authorities string) catalog.Change {
		return catalog.Set(&catalog.BackendTLSPolicy{
			Name: Name("shop", name), Hostname: "api.example.com", Authorities: []string{authorities}, Targets: []catalog.PolicyTarget{{Group: catalog.PolicyGroup, Kind: "Egress", Name: "api"}},
		})
	}
	good := catalog.Set(&catalog.BackendAuthorities{Name: Name("shop", "good"), PEM: []byte("ca")})
	bad := catalog.Set(&catalog.BackendAuthorities{Name: Name("shop", "bad"), Problem: "It is empty."})
	const from, to = "shop/web", "api.example.com:80"
	for name, test := range map[string]struct {
		before, edit []catalog.Change
		want         []Encryption
		seen         string
	}{
		"begins":                     {[]catalog.Change{egress}, []catalog.Change{encrypt("p", "good")}, []Encryption{{From: from, To: to, After: "shop/p"}}, ""},
		"ends":                       {[]catalog.Change{egress, encrypt("p", "good")}, []catalog.Change{{Ref: encrypt("p", "").Ref}}, []Encryption{{From: from, To: to, Before: "shop/p"}}, ""},
		"another policy":             {[]catalog.Change{egress, encrypt("p", "good")}, []catalog.Change{encrypt("a", "good")}, []Encryption{{From: from, To: to, Before: "shop/p", After: "shop/a"}}, ""},
		"a policy without an effect": {[]catalog.Change{egress, encrypt("p", "good")}, []catalog.Change{encrypt("z", "good")}, nil, ""},
		"unusable":                   {[]catalog.Change{egress}, []catalog.Change{encrypt("p", "bad")}, nil, "status 503"},
		"a new host":                 {nil, []catalog.Change{egress, encrypt("p", "good")}, nil, ""},
	} {
		before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
		for _, entry := range outsideMesh() {
			apply(before, []catalog.Change{catalog.Set(entry)})
		}
		apply(before, append([]catalog.Change{good, bad}, test.before...))
		after := before.clone()
		found, err := Meshes(Subject{TrustDomain: "cluster.local"}, before, after, apply(after, test.edit))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, found.Encryptions); diff != "" {
			t.Errorf("%s: encryptions (-want +got):\n%s", name, diff)
		}
		denied := ""
		for _, flow := range found.Flows {
			if flow.Denies() {
				denied = flow.Seen
			}
		}
		if denied != test.seen {
			t.Errorf("%s: denied flows get %q, want %q", name, denied, test.seen)
		}
	}
}
