package webhook

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func metadata(namespace, name string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// TestCounter checks that objects are counted by namespace, and that a deletion counts however it was observed.
func TestCounter(t *testing.T) {
	var counter Counter
	handler := counter.Handler()
	for _, name := range []string{"a", "b", "c"} {
		handler.OnAdd(metadata("shop", name), true)
	}
	handler.OnAdd(metadata("", "kubernetes"), false)
	handler.OnUpdate(metadata("shop", "a"), metadata("shop", "a"))
	handler.OnDelete(metadata("shop", "a"))
	handler.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "shop/b", Obj: metadata("shop", "b")})
	handler.OnAdd("no object", false)
	for namespace, want := range map[string]int{"shop": 1, "": 1, "other": 0} {
		if got := counter.Count(namespace); got != want {
			t.Errorf("namespace %q has %d objects, want %d", namespace, got, want)
		}
	}
	handler.OnDelete(metadata("shop", "c"))
	if len(counter.byNamespace) != 1 {
		t.Errorf("an empty namespace is kept: %v", counter.byNamespace)
	}
}

// TestReach counts the Services of namespaces by their permissive mode.
func TestReach(t *testing.T) {
	namespace := func(name, mesh, permissive string) *corev1.Namespace {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.MonitoredByLabel: mesh}}}
		if permissive != "" {
			ns.Annotations = map[string]string{names.PermissiveAnnotation: permissive}
		}
		return ns
	}
	objects, _ := testObjects(t, namespace("shop", "osm", ""), namespace("open", "osm", "enabled"), namespace("closed", "osm", "disabled"), namespace("outside", "other", "enabled"))
	objects.Network = &Network{}
	for name, services := range map[string]int{"shop": 1, "open": 20, "closed": 300, "outside": 4000} {
		for i := range services {
			objects.Network.Services.Handler().OnAdd(metadata(name, fmt.Sprint(i)), true)
		}
	}
	settings := func(destinations configv1alpha2.Destinations, permissive bool) configv1alpha2.MeshConfigSpec {
		return configv1alpha2.MeshConfigSpec{
			Sidecar: configv1alpha2.SidecarSpec{Destinations: destinations}, Traffic: configv1alpha2.TrafficSpec{EnablePermissiveTrafficPolicyMode: permissive},
		}
	}
	check := func(what string, settings configv1alpha2.MeshConfigSpec, want inject.Reach) {
		t.Helper()
		if got, err := objects.Reach(context.Background(), settings); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", what, got, err, want)
		}
	}
	check("without ranges", settings("Auto", true), inject.Reach{})
	objects.Network.ServiceCIDRs.Handler().OnAdd(metadata("", "kubernetes"), true)
	check("Auto in a permissive mesh", settings("Auto", true), inject.Reach{HasServiceRanges: true, PermissiveServices: 21})
	check("Auto in another mesh", settings("Auto", false), inject.Reach{HasServiceRanges: true, PermissiveServices: 20})
	check("another choice", settings("OnDemand", true), inject.Reach{HasServiceRanges: true})
}

// TestStripMetadata checks that the cache keeps of an object what identifies it and its version.
func TestStripMetadata(t *testing.T) {
	object := metadata("shop", "web")
	object.ResourceVersion, object.Annotations, object.Labels = "7", map[string]string{"a": "b"}, map[string]string{"c": "d"}
	stripped, err := stripMetadata(object)
	if got, ok := stripped.(*metav1.PartialObjectMetadata); err != nil || !ok || got.Annotations != nil || got.Labels != nil || got.Name != "web" || got.Namespace != "shop" || got.ResourceVersion != "7" {
		t.Errorf("stripped to %+v, %v", stripped, err)
	}
}

// TestDestinationsOfReviews checks that a review uses the state of the cluster, and that the pod is denied if it cannot be read.
func TestDestinationsOfReviews(t *testing.T) {
	cluster := newMemberCluster()
	cluster.settings.Sidecar.Destinations = configv1alpha2.DestinationsOnDemand
	cluster.reach = inject.Reach{HasServiceRanges: true}
	body := review(t, nil)
	pod, _ := patched(t, body, sendReview(t, cluster, body))
	want := corev1.EnvVar{Name: names.DestinationsEnv, Value: names.DestinationsOnDemand}
	found := false
	for _, variable := range pod.Spec.InitContainers[1].Env {
		found = found || variable == want
	}
	if !found {
		t.Errorf("the sidecar has the environment %v, want %v in it", pod.Spec.InitContainers[1].Env, want)
	}
	cluster.reachErr = errors.New("no cache")
	if answer := sendReview(t, cluster, body); answer.Allowed || answer.Result.Code != 500 {
		t.Errorf("without the cache, the answer is %+v", answer)
	}
}
