package cli

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

func readerOf(t *testing.T, objects ...client.Object) client.Reader {
	t.Helper()
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func TestWaitForMesh(t *testing.T) {
	withConditions := func(generation int64, conditions ...metav1.Condition) *v1alpha1.Mesh {
		m := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", Generation: 2}}
		for _, c := range conditions {
			c.ObservedGeneration = generation
			m.Status.Conditions = append(m.Status.Conditions, c)
		}
		return m
	}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Ready", Message: "runs"}
	waiting := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "WaitingForReplicas", Message: "1 of 2"}
	components := metav1.Condition{Type: v1alpha1.ConditionComponentsReady, Status: metav1.ConditionTrue, Reason: "ComponentsReady"}
	noKind := metav1.Condition{Type: v1alpha1.ConditionComponentsReady, Status: metav1.ConditionFalse, Reason: "KindNotServed", Message: "jaeger: no pod"}
	before := withConditions(2, ready, components)
	before.Status.Conditions[1].ObservedGeneration = 1
	stalled := metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: "InvalidSpec", Message: "correct it"}
	for name, test := range map[string]struct {
		mesh         *v1alpha1.Mesh
		done         bool
		pending, err string
	}{
		"ready":                    {withConditions(2, ready), true, "", ""},
		"ready before":             {withConditions(1, ready), false, "has not reconciled its newest version", ""},
		"without pods":             {withConditions(2, waiting), false, "WaitingForReplicas: 1 of 2", ""},
		"stalled":                  {withConditions(2, waiting, stalled), false, "", "Mesh osm is stalled: InvalidSpec: correct it"},
		"with its components":      {withConditions(2, ready, components), true, "", ""},
		"a component is not ready": {withConditions(2, ready, noKind), false, "KindNotServed: jaeger: no pod", ""},
		"components before":        {before, false, "has not reconciled the components", ""},
		"no conditions":            {withConditions(2), false, "has not reconciled", ""},
	} {
		w := &meshWait{name: "osm", reader: readerOf(t, test.mesh)}
		done, err := w.poll(t.Context())
		if done != test.done || errorText(err) != test.err || !strings.Contains(w.pending(), test.pending) {
			t.Errorf("%s: done is %v, pending %q, error %v", name, done, w.pending(), err)
		}
	}
}

func TestWaitForDeployment(t *testing.T) {
	deployment := func(updated, available int32) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
			Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
			Status:     appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: updated, AvailableReplicas: available},
		}
	}
	pod := func(name string, labels ...string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": "web"}}}
		for _, label := range labels {
			p.Labels[label] = "x"
		}
		return p
	}
	first, second := pod("a", names.ProxyUUIDLabel), pod("b", names.ProxyUUIDLabel)
	proxy := func(name string, rejection string) report.Proxy {
		return report.Proxy{Namespace: "shop", Pod: name, Types: map[string]report.Type{"RDS": {Rejection: rejection}}}
	}
	behind := func(name string) report.Proxy {
		p := proxy(name, "")
		p.Types["RDS"] = report.Type{Behind: &time.Time{}}
		return p
	}
	for name, test := range map[string]struct {
		objects      []client.Object
		proxies      acknowledgingReplica
		members      string
		done         bool
		pending, err string
	}{
		"up to date":      {[]client.Object{deployment(2, 2), first, second}, acknowledgingReplica{proxy("a", ""), proxy("b", "")}, "shop", true, "2 of 2 sidecars", ""},
		"rolling out":     {[]client.Object{deployment(1, 2), first, second}, nil, "shop", false, "1 of 2 pods are updated, 2 of 2 pods are available", ""},
		"not connected":   {[]client.Object{deployment(2, 2), first, second}, acknowledgingReplica{proxy("a", "")}, "shop", false, "1 of 2 sidecars are up to date", ""},
		"draining behind": {[]client.Object{deployment(2, 2), first, second}, acknowledgingReplica{behind("a"), proxy("a", ""), proxy("b", "")}, "shop", false, "1 of 2 sidecars are up to date", ""},
		"rejecting":       {[]client.Object{deployment(2, 2), first, second}, acknowledgingReplica{proxy("a", "bad regex")}, "shop", false, "", "the sidecar of pod shop/a is rejecting: see `osm proxy status shop/a`"},
		"without sidecar": {[]client.Object{deployment(2, 2), first, pod("c")}, nil, "shop", false, "", "pod c of Deployment shop/web has no sidecar: see the reason with `osm analyze -n shop`"},
		"outside":         {[]client.Object{deployment(2, 2), first, second}, nil, "other", false, "", "namespace shop does not exist or is not part of mesh osm: list its namespaces with `osm namespace list --mesh-name osm`"},
		"missing":         {nil, nil, "shop", false, "", "Deployment shop/web not found: specify its namespace with -n"},
	} {
		w := &deploymentWait{namespace: "shop", name: "web", mesh: mesh{Name: "osm", Members: []string{test.members}}, reader: readerOf(t, test.objects...), reports: test.proxies, now: time.Now}
		done, err := w.poll(t.Context())
		if done != test.done || errorText(err) != test.err || !strings.Contains(w.pending(), test.pending) {
			t.Errorf("%s: done is %v, pending %q, error %v", name, done, w.pending(), err)
		}
	}
}
