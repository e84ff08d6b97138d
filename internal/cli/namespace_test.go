package cli

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestNamespacesOfKubernetesAreRejected(t *testing.T) {
	for _, name := range []string{"kube-system", "kube-public", "kube-node-lease"} {
		if err := checkSystemNamespaces([]string{"shop", name}, false); err == nil || !strings.Contains(err.Error(), "namespace "+name+" belongs to Kubernetes") {
			t.Errorf("%s: error %v", name, err)
		}
		if err := checkSystemNamespaces([]string{name}, true); err != nil {
			t.Errorf("%s with --force: error %v", name, err)
		}
	}
	if err := checkSystemNamespaces([]string{"shop", "kube-shop"}, false); err != nil {
		t.Errorf("other namespaces: error %v", err)
	}
}

// With --force, a namespace of Kubernetes gets no injection and no advice to restart its pods.
func TestNamespaceOfKubernetesWithForce(t *testing.T) {
	for name, injected := range map[string]bool{"kube-system": false, "shop": true} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "coredns"}}
		c := fake.NewClientBuilder().WithObjects(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, pod).Build()
		var notes strings.Builder
		a := &app{Streams: Streams{Out: &strings.Builder{}, Err: &notes}}
		if err := a.addNamespaces(t.Context(), c, mesh{Name: "osm"}, nil, false, []string{name}); err != nil {
			t.Fatal(err)
		}
		var ns corev1.Namespace
		if err := c.Get(t.Context(), client.ObjectKey{Name: name}, &ns); err != nil {
			t.Fatal(err)
		}
		if ns.Labels[names.MonitoredByLabel] != "osm" || (ns.Annotations[names.InjectionAnnotation] == "enabled") != injected {
			t.Errorf("%s has labels %v and annotations %v", name, ns.Labels, ns.Annotations)
		}
		if strings.Contains(notes.String(), "rollout restart") != injected {
			t.Errorf("%s: notes %q", name, notes.String())
		}
	}
}

// Pods that terminate or have ended need no restart.
func TestTerminatingPodsAreNotCounted(t *testing.T) {
	now := metav1.Now()
	pods := func(change func(*corev1.Pod)) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p", Finalizers: []string{"test/hold"}}}
		change(pod)
		return pod
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"running": {pods(func(*corev1.Pod) {}), "1 pod in namespace shop has no sidecar of mesh osm until it is restarted: "},
		"of another mesh": {pods(func(p *corev1.Pod) {
			p.Labels = map[string]string{names.ProxyUUIDLabel: "a", names.RevisionLabel: "two-v0-5-0"}
		}), "1 pod in namespace shop has no sidecar of mesh osm until it is restarted: "},
		"of the mesh": {pods(func(p *corev1.Pod) {
			p.Labels = map[string]string{names.ProxyUUIDLabel: "a", names.RevisionLabel: "osm-v0-5-0"}
		}), ""},
		"terminating": {pods(func(p *corev1.Pod) { p.DeletionTimestamp = &now }), ""},
		"failed":      {pods(func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), ""},
		"succeeded":   {pods(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), ""},
	} {
		var notes strings.Builder
		a := &app{Streams: Streams{Out: &strings.Builder{}, Err: &notes}}
		if err := a.hintRestart(t.Context(), fake.NewClientBuilder().WithObjects(test.pod).Build(), "osm", "shop", false); err != nil {
			t.Fatal(err)
		}
		if got := notes.String(); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: the note is %q, want %q", name, got, test.want)
		}
	}
}
