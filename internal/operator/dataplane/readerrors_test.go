package dataplane

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
)

// failingReader does not read objects or lists of one type, except for the first ones.
type failingReader struct {
	client.Reader
	kind  string
	first int
	err   error
}

func (r *failingReader) fails(kind any) bool {
	if fmt.Sprintf("%T", kind) != r.kind {
		return false
	}
	r.first--
	return r.first < 0
}

func (r *failingReader) Get(ctx context.Context, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
	if r.fails(object) {
		return r.err
	}
	return r.Reader.Get(ctx, key, object, o...)
}

func (r *failingReader) List(ctx context.Context, list client.ObjectList, o ...client.ListOption) error {
	if r.fails(list) {
		return r.err
	}
	return r.Reader.List(ctx, list, o...)
}

// failAt makes all reads of one type fail, except for the first ones.
func failAt(p *Plane, kind string, first int, err error) {
	reader := &failingReader{p.namespaces, kind, first, err}
	p.cache, p.namespaces, p.thirdParty.cache = readerCache{reader: reader}, reader, readerCache{reader: reader}
}

// An upgrade that takes what it cannot read for absent ends before its workloads are upgraded.
func TestWorkloadsThatCannotBeRead(t *testing.T) {
	broken := errors.New("no connection")
	for kind, want := range map[string]string{
		"*v1.PodList":                    "the pods with sidecars cannot be listed",
		"*v1.Deployment":                 "Deployment shop/web cannot be read",
		"*v1.DeploymentList":             "the restarted workloads cannot be listed",
		"*v1.PodDisruptionBudgetList":    "the PodDisruptionBudgets cannot be listed",
		"*v1.NamespaceList":              "the namespaces cannot be listed",
		"*v1.NodeList":                   "the nodes cannot be listed",
		"*unstructured.UnstructuredList": "the restarted workloads of the kind Rollout cannot be listed",
	} {
		web := pod("web-5c-a", "osm-v0-1-0", "ReplicaSet", "web-5c", hash("5c"))
		plane := planeOf(namespace("shop", "osm"), &web, parse(t, rolloutText))
		failAt(plane, kind, 0, broken)
		if _, err := plane.Workloads(t.Context(), "osm"); !errors.Is(err, broken) || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s, the error is %v, want %s", kind, err, want)
		}
	}
}

// What is watched for a takeover must not stay for ever because nobody sees that its watch does not end.
func TestWorkloadsTellThatAWatchDoesNotEnd(t *testing.T) {
	now, broken := noon, errors.New("no such informer")
	plane := planeOf(namespace("shop", "osm"), parse(t, trafficTargetText))
	plane.now = func() time.Time { return now }
	plane.thirdParty.cache = &informerCache{Cache: plane.cache, informer: controllertest.NewFakeInformer(controllertest.Synced), fails: broken}
	if _, err := plane.Calls(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(callsIdle)
	if _, err := plane.Workloads(t.Context(), "osm"); !errors.Is(err, broken) {
		t.Errorf("the error is %v, want %v", err, broken)
	}
}

// silentDiscovery does not tell which kinds are served.
type silentDiscovery struct{ err error }

func (d silentDiscovery) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	return nil, d.err
}

// An upgrade waits for the restarted workloads of a kind that it cannot read, although no pod leads to them.
func TestUnreadKindsAreWorkloads(t *testing.T) {
	plane := planeOf(namespace("shop", "osm"))
	plane.thirdParty.kinds = silentDiscovery{errors.New("no connection")}
	workloads, err := plane.Workloads(t.Context(), "osm")
	if err != nil || len(workloads) != len(thirdPartyKinds) {
		t.Fatalf("the workloads are %+v (%v), want one for each kind", workloads, err)
	}
	for _, w := range workloads {
		if w.Ref.Name != "" || w.Ready || !strings.Contains(w.Unread, w.Ref.Kind+" cannot be read: it cannot be discovered") {
			t.Errorf("the workload of a kind is %+v", w)
		}
	}
}
