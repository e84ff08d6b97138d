package takeover

import (
	"context"
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/demo"
)

// TestSidecarsOfOSMServe shows that the real OSM works in this cluster, with each kind of traffic that a migration must keep.
func TestSidecarsOfOSMServe(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, clean(t.Context()))
	deployApplications(t)
	installOSM(t)
	onboard(t)
	requireTraffic(t, caller)

	// What OSM itself loses is the measure for a migration: its sidecars end with the application, before clients know.
	l := startLoad(t, caller)
	kubectl(t, "rollout", "restart", "deployment/"+store, "statefulset/"+ledger, "--namespace", shopNamespace)
	lab.Must(t, cluster.Available(t.Context(), podLimit, shopNamespace))
	l.stop()
}

// requireTraffic requires each kind of traffic from a pod, and that nothing else passes.
func requireTraffic(t *testing.T, from string) {
	t.Helper()
	client, outside := agent(t, shopNamespace, from), agent(t, outsideNamespace, gateway)
	for _, c := range []struct {
		what, url, want string
		from            *lab.Agent
	}{
		{"a TrafficTarget allows a path", url(shopNamespace, store, "/books"), "200", client},
		{"no rule allows another path", url(shopNamespace, store, "/admin"), "404", client},
		{"an IngressBackend admits its source", url(shopNamespace, store, "/anything"), "200", outside},
		{"an Egress allows its host", url(outsideNamespace, site, "/"), "200", client},
	} {
		if _, err := c.from.AwaitOutcome(t.Context(), effectLimit, c.url, c.want); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	for what, call := range map[string]struct {
		url  string
		from *lab.Agent
	}{
		"a port of a server without a TCPRoute":  {url(shopNamespace, ledger, "/books"), client},
		"a client outside of the mesh":           {fmt.Sprintf("http://bookstore-v1.bookstore:%d/books-bought", demo.Port), outside},
		"a server that no TrafficTarget names":   {fmt.Sprintf("http://bookstore-v1.bookstore:%d/books-bought", demo.Port), client},
		"a host outside that no Egress contains": {fmt.Sprintf("http://gateway.%s.svc.cluster.local:%d/", outsideNamespace, lab.HTTPPort), client},
	} {
		result, err := call.from.Requests(t.Context(), call.url, "--count", "3", "--timeout", "5s")
		lab.Must(t, err)
		if result.Outcomes["200"] > 0 {
			t.Errorf("%s: %v, want no success", what, result.Outcomes)
		}
	}
	eventually(t, "connections to the ledger and the archive succeed", func(ctx context.Context) (bool, string, error) {
		for _, app := range []string{ledger, archive} {
			result, err := client.Session(ctx, echoAddress(app))
			if err != nil || result.Failure != "" {
				return false, fmt.Sprint(app, result), err
			}
		}
		return true, "", nil
	})
	requirePurchases(t)
}

// requirePurchases requires that the bookbuyer reaches both versions of the bookstore, and the bookstore its database.
func requirePurchases(t *testing.T) {
	t.Helper()
	eventually(t, "the bookbuyer buys from both versions of the bookstore", func(ctx context.Context) (bool, string, error) {
		pod, err := cluster.Pod(ctx, "bookbuyer", lab.AppLabel, "bookbuyer")
		if err != nil {
			return false, "", err
		}
		var counters demo.Counters
		if err := cluster.GetJSON(ctx, pod.Namespace, pod.Name, demo.Port, "/counters", &counters); err != nil {
			return false, "", err
		}
		return counters.Identities["bookstore-v1"] > 0 && counters.Identities["bookstore-v2"] > 0, fmt.Sprintf("%+v", counters), nil
	})
}
