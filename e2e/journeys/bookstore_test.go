package journeys

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/demo"
)

const (
	bookstoreLimit = 3 * time.Minute
	trafficLimit   = 40 * time.Second
)

// counters reads what a program of the bookstore counted.
func counters[T any](ctx context.Context, namespace, label, value string) (T, error) {
	var result T
	pod, err := cluster.Pod(ctx, namespace, label, value)
	if err != nil {
		return result, err
	}
	return result, cluster.GetJSON(ctx, namespace, pod.Name, demo.Port, "/counters", &result)
}

// sample reads a file of the bookstore's manifests.
func sample(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(cluster.Repository.Path(append([]string{"config", "samples", "bookstore"}, path...)...))
	must(t, err)
	return string(data)
}

func openBookstore(t *testing.T) {
	t.Helper()
	names := []string{"bookwarehouse", "bookstore", "bookbuyer", "bookthief"}
	for _, name := range names {
		// Somebody may run the demo, which then stays.
		there, err := cluster.HasNamespace(t.Context(), time.Minute, name)
		must(t, err)
		if !there {
			cleanUp(t, name)
		}
	}
	must(t, cluster.ApplyFolder(t.Context(), "config", "samples", "bookstore"))
	// A change of what all share, such as the end of permissive mode, closes older sessions half a minute later.
	must(t, cluster.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace("bookwarehouse"), client.MatchingLabels{"app": "bookwarehouse"}))
	must(t, cluster.Available(t.Context(), bookstoreLimit, names...))
}

func TestTheBookstoreSellsToTheBuyerAndNotToTheThief(t *testing.T) {
	t.Parallel()
	openBookstore(t)
	t.Run("the buyer buys from both versions", func(t *testing.T) {
		eventually(t, trafficLimit, "20 books", func(ctx context.Context) (bool, string, error) {
			buyer, err := counters[demo.Counters](ctx, "bookbuyer", "app", "bookbuyer")
			return buyer.Outcomes["200"] >= 20 && buyer.Identities["bookstore-v1"] > 0 && buyer.Identities["bookstore-v2"] > 0, fmt.Sprintf("%+v", buyer), err
		})
	})
	t.Run("the warehouse restocks through the database", func(t *testing.T) {
		eventually(t, trafficLimit, "books in the database", func(ctx context.Context) (bool, string, error) {
			warehouse, err := counters[demo.WarehouseCounters](ctx, "bookwarehouse", "app", "bookwarehouse")
			return warehouse.Total > 0 && len(warehouse.Books) == 2 && warehouse.Session.Queries > 0, fmt.Sprintf("%+v", warehouse), err
		})
	})
	t.Run("the thief is denied until a policy lets it in, and the database session does not notice", thiefComesAndGoes)
	t.Run("a revoked client loses its session and gets no other", revokedWarehouse)
}

func thiefComesAndGoes(t *testing.T) {
	thief := func(ctx context.Context) (demo.Counters, error) {
		return counters[demo.Counters](ctx, "bookthief", "app", "bookthief")
	}
	thiefIsDenied(t, thief)
	before, err := counters[demo.WarehouseCounters](t.Context(), "bookwarehouse", "app", "bookwarehouse")
	must(t, err)
	policy := sample(t, "extras", "allow-bookthief.yaml")
	poor, err := thief(t.Context())
	must(t, err)
	put(t, policy)
	eventually(t, trafficLimit, "the thief gets books", func(ctx context.Context) (bool, string, error) {
		now, err := thief(ctx)
		return now.Outcomes["200"] > poor.Outcomes["200"]+1, fmt.Sprintf("%+v", now), err
	})
	remove(t, policy)
	thiefIsDenied(t, thief)
	after, err := counters[demo.WarehouseCounters](t.Context(), "bookwarehouse", "app", "bookwarehouse")
	must(t, err)
	if after.Session.Lost != before.Session.Lost || after.Session.ID != before.Session.ID || after.Session.Queries <= before.Session.Queries {
		t.Errorf("the database session did not go on through policy changes of others: before %+v, after %+v", before.Session, after.Session)
	}
}

// thiefIsDenied waits until two requests that follow each other get nothing: one that was allowed before may still be counted.
func thiefIsDenied(t *testing.T, thief func(context.Context) (demo.Counters, error)) {
	t.Helper()
	eventually(t, trafficLimit, "the thief is denied", func(ctx context.Context) (bool, string, error) {
		one, err := thief(ctx)
		if err != nil {
			return false, "", err
		}
		await(t, 3*time.Second)
		two, err := thief(ctx)
		return two.Requests > one.Requests+1 && two.Outcomes["200"] == one.Outcomes["200"], fmt.Sprintf("%+v", two), err
	})
}

func revokedWarehouse(t *testing.T) {
	warehouse := func(ctx context.Context) (demo.WarehouseCounters, error) {
		return counters[demo.WarehouseCounters](ctx, "bookwarehouse", "app", "bookwarehouse")
	}
	before, err := warehouse(t.Context())
	must(t, err)
	target := policyObject("access.smi-spec.io/v1alpha3", "TrafficTarget", "bookwarehouse", "mysql")
	must(t, cluster.Client.Delete(t.Context(), target))
	eventually(t, 35*time.Second, "the open session is cut", func(ctx context.Context) (bool, string, error) {
		now, err := warehouse(ctx)
		return now.Session.Lost > before.Session.Lost, fmt.Sprintf("%+v", now), err
	})
	lost, err := warehouse(t.Context())
	must(t, err)
	await(t, 5*time.Second)
	now, err := warehouse(t.Context())
	must(t, err)
	if now.Session.ID != 0 || now.Session.Queries > lost.Session.Queries {
		t.Errorf("a revoked client has a session: %+v, at first %+v", now.Session, lost.Session)
	}
	put(t, sample(t, "policies", "mysql.yaml"))
	eventually(t, trafficLimit, "a session again", func(ctx context.Context) (bool, string, error) {
		now, err := warehouse(ctx)
		return now.Session.ID != 0 && now.Session.Queries > 0, fmt.Sprintf("%+v", now), err
	})
}
