package verdict

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestServersOverTLS_Agrees compares which authorization servers sidecars ask, and whether over TLS, with the reference.
func TestServersOverTLS_Agrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var changes []catalog.Change
		add := func(entry catalog.Entry) { changes = append(changes, catalog.Set(entry)) }
		host := func(label string) string {
			return rapid.SampledFrom([]string{"192.0.2.1", "server.a.svc", "server.a.svc.cluster.local", "server." + meshNamespace + ".svc"}).Draw(t, label)
		}
		settings := &catalog.Settings{Namespace: meshNamespace}
		if rapid.Bool().Draw(t, "configured") {
			settings.ExternalAuthorization = &catalog.ExternalAuthorization{Address: host("configured host"), Port: 9191}
		}
		add(settings)
		add(&inventory.Service{Name: Name("a", "server"), Ports: []inventory.Port{{Name: "grpc", Number: 9191, TargetPort: 9191, Protocol: inventory.ProtocolTCP}}, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.99")}})
		for _, namespace := range []string{"a", meshNamespace} {
			server := &catalog.ExtensionService{Name: Name(namespace, "server"), Address: host("host"), Port: 9191}
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
func drawServerTLS(t *rapid.T, name entity.Name) *catalog.BackendTLSPolicy {
	target := rapid.SampledFrom([]catalog.PolicyTarget{
		{Group: catalog.ConfigGroup, Kind: "ExtensionService", Name: "server"},
		{Group: catalog.ConfigGroup, Kind: "ExtensionService", Name: "other"},
		{Group: catalog.PolicyGroup, Kind: "Egress", Name: "server"},
		{Kind: "Service", Name: "server"},
		{Kind: "Service", Name: "server", Section: "grpc"},
		{Kind: "Service", Name: "server", Section: "http"},
	}).Draw(t, "target")
	return &catalog.BackendTLSPolicy{
		Name: name, Created: time.Unix(int64(rapid.IntRange(0, 1).Draw(t, "created")), 0), Hostname: "server.example.com", Targets: []catalog.PolicyTarget{target},
		Authorities: []string{rapid.SampledFrom([]string{"good", "good", "bad", "unread"}).Draw(t, "authorities")},
	}
}
