package dataplane

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	target, otherTarget := parse(t, trafficTargetText), parse(t, trafficTargetText, "name: api, annotations", "name: other, annotations", "name: api, namespace: shop", "name: api, namespace: other")
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
