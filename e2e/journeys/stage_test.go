package journeys

import (
	"context"
	"errors"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// stage is a set of pods that many tests look at and none changes, but for policies of their own about guest.
type stage struct {
	// server may be called by friend for /books and over TCP, and by boss for /admin.
	server person
	// other may be called by neighbour alone.
	other                                    person
	friend, boss, neighbour, stranger, guest person
	// outsider is in no mesh.
	outsider person
}

var (
	stageOnce   sync.Once
	sharedStage *stage
	errStage    error
)

// theStage returns the stage, which the first test that asks for it builds.
func theStage(t *testing.T) *stage {
	t.Helper()
	stageOnce.Do(func() { sharedStage, errStage = buildStage(context.Background()) })
	must(t, errStage)
	t.Cleanup(func() { describeFailure(t, sharedStage.server.namespace) })
	return sharedStage
}

func buildStage(ctx context.Context) (*stage, error) {
	inside, outside := uniqueName("stage"), uniqueName("outside")
	err := errors.Join(
		cluster.CreateNamespace(ctx, inside, names.DefaultMesh),
		cluster.CreateNamespace(ctx, outside, outsideMesh),
		cluster.Put(ctx, stagePolicies(inside)))
	if err != nil {
		return nil, err
	}
	meet := func(namespace, name string) person {
		account, pod := cluster.TestPod(namespace, name)
		err = errors.Join(err, cluster.Create(ctx, account, lab.TestService(namespace, name), pod))
		return person{cluster.Agent(ctx, namespace, name, lab.AgentPort), namespace, name}
	}
	s := &stage{
		server: meet(inside, "server"), other: meet(inside, "other"), friend: meet(inside, "friend"), boss: meet(inside, "boss"),
		neighbour: meet(inside, "neighbour"), stranger: meet(inside, "stranger"), guest: meet(inside, "guest"),
		outsider: meet(outside, "outsider"),
	}
	headless := lab.TestService(inside, "pods")
	headless.Spec.ClusterIP, headless.Spec.Selector = corev1.ClusterIPNone, map[string]string{"app": "server"}
	return s, errors.Join(err, cluster.Create(ctx, headless),
		cluster.PodsReady(ctx, podLimit, inside), cluster.PodsReady(ctx, podLimit, outside))
}

func stagePolicies(namespace string) string {
	return routeGroup(namespace, "paths", "books=/books", "admin=/admin", "guests=/guests") +
		routeGroup(namespace, "any", "all=.*") +
		tcpRoute(namespace, "lines", lab.EchoPort, lab.GreetPort) +
		grant{namespace: namespace, name: "friend", destination: "server", source: namespace + "/friend", rules: []string{"paths:books"}}.String() +
		grant{namespace: namespace, name: "friend-lines", destination: "server", source: namespace + "/friend", rules: []string{"tcp:lines"}}.String() +
		grant{namespace: namespace, name: "boss", destination: "server", source: namespace + "/boss", rules: []string{"paths:admin"}}.String() +
		grant{namespace: namespace, name: "neighbour", destination: "other", source: namespace + "/neighbour", rules: []string{"any"}}.String()
}

// tearDownStage deletes the stage's namespaces.
func tearDownStage(ctx context.Context) error {
	if sharedStage == nil {
		return nil
	}
	var failed []error
	for _, name := range []string{sharedStage.server.namespace, sharedStage.outsider.namespace} {
		failed = append(failed, cluster.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	return errors.Join(failed...)
}
