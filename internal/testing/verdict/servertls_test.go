package verdict

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestServersOverTLS_Agrees compares which authorization servers sidecars ask, and whether over TLS, with the reference.
func TestServersOverTLS_Agrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var changes []catalog.Change
		add := func(entry catalog.Entry) { changes = append(changes, catalog.Set(entry)) }
		add(&catalog.Settings{Namespace: meshNamespace})
		for _, namespace := range []string{"a", meshNamespace} {
			server := &catalog.ExtensionService{Name: Name(namespace, "server"), Address: "192.0.2.1", Port: 9191}
			add(server)
			authorization := Name(namespace, "authorization")
			add(drawAuthorization(t, authorization))
			add(&catalog.BackendAuthorities{Name: Name(namespace, "good"), PEM: []byte("certificates")})
			add(&catalog.BackendAuthorities{Name: Name(namespace, "bad"), Problem: "The ConfigMap is empty."})
			for _, name := range []string{"p", "q"} {
				if rapid.Bool().Draw(t, name) {
					add(drawServerTLS(t, Name(namespace, name)))
				}
			}
		}
		state := podsOnly().with(changes)
		o := newOracle(state)
		for _, p := range pods {
			if got, want := o.authorizersOf(p.name), state.objects().Authorizers(types.NamespacedName(p.name)); !slices.Equal(got, want) {
				t.Fatalf("the sidecar of %s asks %+v, by the reference %+v", p.name, got, want)
			}
		}
	})
}

// drawServerTLS draws a policy for the server of its namespace, or for another target.
func drawServerTLS(t *rapid.T, name catalog.Name) *catalog.BackendTLSPolicy {
	target := rapid.SampledFrom([]catalog.PolicyTarget{
		{Group: catalog.ConfigGroup, Kind: "ExtensionService", Name: "server"},
		{Group: catalog.ConfigGroup, Kind: "ExtensionService", Name: "other"},
		{Group: catalog.PolicyGroup, Kind: "Egress", Name: "server"},
	}).Draw(t, "target")
	return &catalog.BackendTLSPolicy{
		Name: name, Created: time.Unix(int64(rapid.IntRange(0, 1).Draw(t, "created")), 0), Hostname: "server.example.com", Targets: []catalog.PolicyTarget{target},
		Authorities: []string{rapid.SampledFrom([]string{"good", "good", "bad", "unread"}).Draw(t, "authorities")},
	}
}
