package journeys

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/demo"
)

const (
	bookstoreLimit = 3 * time.Minute
	trafficLimit   = 40 * time.Second
)

// readCounters returns the counters of a program of the bookstore.
func readCounters[T any](ctx context.Context, namespace, label, value string) (T, error) {
	var result T
	pod, err := cluster.Pod(ctx, namespace, label, value)
	if err != nil {
		return result, err
	}
	return result, cluster.GetJSON(ctx, namespace, pod.Name, demo.Port, "/counters", &result)
}

// sample returns a file of the bookstore's manifests.
func sample(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(cluster.Repository.Path(append([]string{"config", "samples", "bookstore"}, path...)...))
	lab.Must(t, err)
	return string(data)
}

func bookstoreNamespaces() []string {
	return []string{"bookwarehouse", "bookstore", "bookbuyer", "bookthief"}
}

func deployBookstore(t *testing.T) {
	t.Helper()
	names := bookstoreNamespaces()
	for _, name := range names {
		// A running demo is kept.
		exists, err := cluster.HasNamespace(t.Context(), time.Minute, name)
		lab.Must(t, err)
		if !exists {
			cleanUp(t, name)
		}
	}
	lab.Must(t, cluster.ApplyFolder(t.Context(), "config", "samples", "bookstore"))
	// A change of settings for all sidecars, such as the end of permissive mode, drains existing sessions within half a
	// minute.
	lab.Must(t, cluster.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace("bookwarehouse"), client.MatchingLabels{"app": "bookwarehouse"}))
	lab.Must(t, cluster.Available(t.Context(), bookstoreLimit, names...))
}

func TestBookstoreServesBuyerAndDeniesThief(t *testing.T) {
	t.Parallel()
	testBookstore(t)
}

// testBookstore deploys the bookstore, and changes who has access.
func testBookstore(t *testing.T) {
	deployBookstore(t)
	t.Run("the buyer buys from both versions", func(t *testing.T) {
		lab.Eventually(t, trafficLimit, "20 books", func(ctx context.Context) (bool, string, error) {
			buyer, err := readCounters[demo.Counters](ctx, "bookbuyer", "app", "bookbuyer")
			return buyer.Outcomes["200"] >= 20 && buyer.Identities["bookstore-v1"] > 0 && buyer.Identities["bookstore-v2"] > 0, fmt.Sprintf("%+v", buyer), err
		})
	})
	t.Run("the warehouse restocks through the database", func(t *testing.T) {
		lab.Eventually(t, trafficLimit, "books in the database", func(ctx context.Context) (bool, string, error) {
			warehouse, err := readCounters[demo.WarehouseCounters](ctx, "bookwarehouse", "app", "bookwarehouse")
			return warehouse.Total > 0 && len(warehouse.Books) == 2 && warehouse.Session.Queries > 0, fmt.Sprintf("%+v", warehouse), err
		})
	})
	t.Run("the thief is denied without a policy, and the database session stays open", testThiefAccess)
	t.Run("a revoked client loses its session", testRevokedWarehouse)
}

func testThiefAccess(t *testing.T) {
	thief := func(ctx context.Context) (demo.Counters, error) {
		return readCounters[demo.Counters](ctx, "bookthief", "app", "bookthief")
	}
	awaitThiefDenied(t, thief)
	before, err := readCounters[demo.WarehouseCounters](t.Context(), "bookwarehouse", "app", "bookwarehouse")
	lab.Must(t, err)
	policy := sample(t, "extras", "allow-bookthief.yaml")
	denied, err := thief(t.Context())
	lab.Must(t, err)
	applyPolicies(t, policy)
	lab.Eventually(t, trafficLimit, "the thief gets books", func(ctx context.Context) (bool, string, error) {
		now, err := thief(ctx)
		return now.Outcomes["200"] > denied.Outcomes["200"]+1, fmt.Sprintf("%+v", now), err
	})
	deletePolicies(t, policy)
	awaitThiefDenied(t, thief)
	after, err := readCounters[demo.WarehouseCounters](t.Context(), "bookwarehouse", "app", "bookwarehouse")
	lab.Must(t, err)
	if after.Session.Lost != before.Session.Lost || after.Session.ID != before.Session.ID || after.Session.Queries <= before.Session.Queries {
		t.Errorf("the database session was interrupted by unrelated policy changes: before %+v, after %+v", before.Session, after.Session)
	}
}

// awaitThiefDenied waits until two consecutive readings show no success; the first may still count an earlier request.
func awaitThiefDenied(t *testing.T, thief func(context.Context) (demo.Counters, error)) {
	t.Helper()
	lab.Eventually(t, trafficLimit, "the thief is denied", func(ctx context.Context) (bool, string, error) {
		one, err := thief(ctx)
		if err != nil {
			return false, "", err
		}
		sleep(t, 3*time.Second)
		two, err := thief(ctx)
		return two.Requests > one.Requests+1 && two.Outcomes["200"] == one.Outcomes["200"], fmt.Sprintf("%+v", two), err
	})
}

func testRevokedWarehouse(t *testing.T) {
	warehouse := func(ctx context.Context) (demo.WarehouseCounters, error) {
		return readCounters[demo.WarehouseCounters](ctx, "bookwarehouse", "app", "bookwarehouse")
	}
	before, err := warehouse(t.Context())
	lab.Must(t, err)
	target := policyObject("access.smi-spec.io/v1alpha3", "TrafficTarget", "bookwarehouse", "mysql")
	lab.Must(t, cluster.Client.Delete(t.Context(), target))
	lab.Eventually(t, 35*time.Second, "the open session is closed", func(ctx context.Context) (bool, string, error) {
		now, err := warehouse(ctx)
		return now.Session.Lost > before.Session.Lost, fmt.Sprintf("%+v", now), err
	})
	lost, err := warehouse(t.Context())
	lab.Must(t, err)
	sleep(t, 5*time.Second)
	now, err := warehouse(t.Context())
	lab.Must(t, err)
	if now.Session.ID != 0 || now.Session.Queries > lost.Session.Queries {
		t.Errorf("a revoked client has a session: %+v, before %+v", now.Session, lost.Session)
	}
	applyPolicies(t, sample(t, "policies", "mysql.yaml"))
	lab.Eventually(t, trafficLimit, "a new session", func(ctx context.Context) (bool, string, error) {
		now, err := warehouse(ctx)
		return now.Session.ID != 0 && now.Session.Queries > 0, fmt.Sprintf("%+v", now), err
	})
}
