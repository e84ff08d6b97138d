package journeys

import (
	"context"
	"errors"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fixture is a set of pods that many tests share. Tests may add policies for guest and change nothing else.
type fixture struct {
	// server allows friend on /books and over TCP, and boss on /admin.
	server workload
	// other allows only neighbour.
	other                                    workload
	friend, boss, neighbour, stranger, guest workload
	// outsider is outside of any mesh.
	outsider workload
}

var (
	fixtureOnce   sync.Once
	cachedFixture *fixture
	errFixture    error
)

// sharedFixture returns the fixture, and creates it on the first call.
func sharedFixture(t *testing.T) *fixture {
	t.Helper()
	fixtureOnce.Do(func() { cachedFixture, errFixture = buildFixture(context.Background()) })
	lab.Must(t, errFixture)
	t.Cleanup(func() { describeFailure(t, cachedFixture.server.namespace) })
	return cachedFixture
}

func buildFixture(ctx context.Context) (*fixture, error) {
	inside, outside := uniqueName("stage"), uniqueName("outside")
	err := errors.Join(
		cluster.CreateNamespace(ctx, inside, names.DefaultMesh),
		cluster.CreateNamespace(ctx, outside, outsideMesh),
		cluster.Put(ctx, fixturePolicies(inside)))
	if err != nil {
		return nil, err
	}
	createPod := func(namespace, name string) workload {
		account, pod := cluster.TestPod(namespace, name)
		err = errors.Join(err, cluster.Create(ctx, account, lab.TestService(namespace, name), pod))
		return workload{cluster.Agent(ctx, namespace, name, lab.AgentPort), namespace, name}
	}
	s := &fixture{
		server: createPod(inside, "server"), other: createPod(inside, "other"), friend: createPod(inside, "friend"), boss: createPod(inside, "boss"),
		neighbour: createPod(inside, "neighbour"), stranger: createPod(inside, "stranger"), guest: createPod(inside, "guest"),
		outsider: createPod(outside, "outsider"),
	}
	headless := lab.TestService(inside, "pods")
	headless.Spec.ClusterIP, headless.Spec.Selector = corev1.ClusterIPNone, map[string]string{"app": "server"}
	return s, errors.Join(err, cluster.Create(ctx, headless),
		cluster.PodsReady(ctx, podLimit, inside), cluster.PodsReady(ctx, podLimit, outside))
}

func fixturePolicies(namespace string) string {
	return routeGroup(namespace, "paths", "books=/books", "admin=/admin", "guests=/guests") +
		routeGroup(namespace, "any", "all=.*") +
		tcpRoute(namespace, "lines", lab.EchoPort, lab.GreetPort) +
		grant{namespace: namespace, name: "friend", destination: "server", source: namespace + "/friend", rules: []string{"paths:books"}}.String() +
		grant{namespace: namespace, name: "friend-lines", destination: "server", source: namespace + "/friend", rules: []string{"tcp:lines"}}.String() +
		grant{namespace: namespace, name: "boss", destination: "server", source: namespace + "/boss", rules: []string{"paths:admin"}}.String() +
		grant{namespace: namespace, name: "neighbour", destination: "other", source: namespace + "/neighbour", rules: []string{"any"}}.String()
}

// tearDownFixture deletes the fixture's namespaces.
func tearDownFixture(ctx context.Context) error {
	if cachedFixture == nil {
		return nil
	}
	var failed []error
	for _, name := range []string{cachedFixture.server.namespace, cachedFixture.outsider.namespace} {
		failed = append(failed, cluster.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	return errors.Join(failed...)
}
