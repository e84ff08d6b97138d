package dataplane

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

const trafficTargetText = `
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {namespace: shop, name: api, annotations: {a: b}}
spec:
  destination: {kind: ServiceAccount, name: api, namespace: shop}
  sources: [{kind: ServiceAccount, name: web, namespace: front}, {kind: Group, name: all, namespace: front}]
  rules: [{kind: TCPRoute, name: all}]`

func TestCalls(t *testing.T) {
	target, otherTarget := parse(t, trafficTargetText), parse(t, trafficTargetText, "name: api, annotations", "name: aaa, annotations", "name: api, namespace: shop", "name: api, namespace: other")
	if _, err := strip(target); err != nil || len(target.GetAnnotations()) > 0 {
		t.Errorf("the cache has annotations (%v)", err)
	}
	got, err := planeOf(target, otherTarget).Calls(t.Context())
	want := []rollout.Call{{Source: identity.ServiceAccount{Namespace: "front", Name: "web"}, Destination: identity.ServiceAccount{Namespace: "shop", Name: "api"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("the calls (%v, -want +got):\n%s", err, diff)
	}
	if _, err := planeOf().Calls(t.Context()); err == nil || !strings.Contains(err.Error(), "does not serve it") {
		t.Errorf("without the definition of TrafficTargets the error is %v", err)
	}
}

// What cannot be listed is an error, and no empty list: an operator would upgrade a mesh that it does not see.
func TestListsThatFail(t *testing.T) {
	broken := errors.New("no connection")
	plane := planeOf(parse(t, trafficTargetText), node("good", corev1.ConditionTrue))
	plane.cache = failingCache{plane.cache, broken}
	if _, err := plane.Calls(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "the TrafficTargets cannot be listed") {
		t.Errorf("the error for TrafficTargets is %v", err)
	}
	if err := plane.readNodes(t.Context(), &observation{}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "the nodes cannot be listed") {
		t.Errorf("the error for nodes is %v", err)
	}
}

// failingCache lists nothing.
type failingCache struct {
	cache.Cache
	err error
}

func (c failingCache) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return c.err
}

// A watch that cannot be ended is an error.
func TestWatchOfCallsThatDoesNotEnd(t *testing.T) {
	now, broken := noon, errors.New("no such informer")
	plane := planeOf(parse(t, trafficTargetText))
	plane.now = func() time.Time { return now }
	plane.thirdParty.cache = &informerCache{Cache: plane.cache, informer: controllertest.NewFakeInformer(controllertest.Synced), fails: broken}
	if _, err := plane.Calls(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(callsIdle)
	if err := plane.forgetCalls(t.Context()); !errors.Is(err, broken) {
		t.Errorf("the error is %v, want %v", err, broken)
	}
}

func TestAccountsOfWorkloads(t *testing.T) {
	pods := []client.Object{namespace("shop", "osm")}
	for name, account := range map[string]string{"web-a": "web", "web-b": "web", "web-c": "earlier"} {
		p := pod(name, "osm-v0-1-0", "Job", "web")
		p.Spec.ServiceAccountName = account
		pods = append(pods, &p)
	}
	workloads, err := planeOf(pods...).Workloads(t.Context(), "osm")
	want := []identity.ServiceAccount{{Namespace: "shop", Name: "earlier"}, {Namespace: "shop", Name: "web"}}
	if err != nil || len(workloads) != 1 || !cmp.Equal(want, workloads[0].Accounts) {
		t.Errorf("the workloads are %+v (%v)", workloads, err)
	}
}

// After a takeover nothing watches TrafficTargets.
func TestCallsAreForgotten(t *testing.T) {
	now := noon
	plane := planeOf(namespace("shop", "osm"), parse(t, trafficTargetText))
	objects := &informerCache{Cache: plane.cache, informer: controllertest.NewFakeInformer(controllertest.Synced)}
	plane.now = func() time.Time { return now }
	plane.thirdParty.cache = objects
	for _, step := range []struct {
		after   time.Duration
		use     bool
		removed int
	}{{0, false, 0}, {0, true, 0}, {callsIdle - time.Second, true, 0}, {callsIdle - time.Second, false, 0}, {time.Second, false, 1}, {callsIdle, false, 1}, {0, true, 1}} {
		now = now.Add(step.after)
		if _, err := plane.Workloads(t.Context(), "osm"); err != nil {
			t.Fatal(err)
		}
		if step.use {
			if calls, err := plane.Calls(t.Context()); err != nil || len(calls) != 1 {
				t.Fatalf("the calls are %v (%v)", calls, err)
			}
		}
		if objects.removed != step.removed {
			t.Errorf("after %s: %d watches were ended, want %d", now.Sub(noon), objects.removed, step.removed)
		}
	}
}
