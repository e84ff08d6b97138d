package status

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

func object(kind schema.GroupVersionKind, name string, created int64, spec map[string]any) *unstructured.Unstructured {
	u := kinds.Object(kind)
	u.SetNamespace("shop")
	u.SetName(name)
	u.SetCreationTimestamp(metav1.NewTime(time.Unix(created, 0)))
	u.Object["spec"] = spec
	return u
}

func target(rules ...any) *unstructured.Unstructured {
	account := func(name string) map[string]any {
		return map[string]any{"kind": "ServiceAccount", "name": name, "namespace": "shop"}
	}
	return object(kinds.TrafficTarget, "target", 1, map[string]any{
		"destination": account("web"), "sources": []any{account("client")}, "rules": rules,
	})
}

func rule(kind, name string, matches ...any) map[string]any {
	return map[string]any{"kind": kind, "name": name, "matches": matches}
}

// evaluateCase is an object with other objects, and its expected conditions.
type evaluateCase struct {
	name   string
	object *unstructured.Unstructured
	others []client.Object
	// want maps condition types to "status reason".
	want map[string]string
	// message is part of a condition message.
	message string
}

// check evaluates the object in a cluster with the accounts that the tests use.
func (j evaluateCase) check(t *testing.T) {
	t.Helper()
	j.others = append(slices.Clone(j.others), account("shop", "web"), account("shop", "server"), account("shop", "client"), account("bank", "client"))
	j.checkAlone(t)
}

// builtin returns a scheme with the kinds of Kubernetes and MeshConfig.
func builtin(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// evaluatorOf returns an Evaluator in a mesh.
func evaluatorOf(mesh *mirror.Mirror) Evaluator {
	return Evaluator{Mirror: mesh, Namespace: meshNamespace, LookupHost: lookup}
}

// checkAlone evaluates the object in a cluster with the other objects only.
func (j evaluateCase) checkAlone(t *testing.T) {
	t.Helper()
	mesh := meshOf(t, append(j.others, j.object)...)
	readCredentials(t, mesh, j.object, j.others)
	conditions := evaluatorOf(mesh).evaluate(t.Context(), j.object).conditions
	got, said := map[string]string{}, ""
	for _, c := range conditions {
		got[c.Type] = string(c.Status) + " " + c.Reason
		said += c.Message
	}
	if diff := cmp.Diff(j.want, got); diff != "" {
		t.Errorf("conditions (-want +got):\n%s%s", diff, said)
	}
	if !strings.Contains(said, j.message) {
		t.Errorf("condition messages are %q, want %q", said, j.message)
	}
}

// servicesNamed returns Services of the namespace shop with port 80.
func servicesNamed(names ...string) []client.Object {
	var all []client.Object
	for _, name := range names {
		all = append(all, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
		})
	}
	return all
}

func tcpRouteWith(ports ...int64) *unstructured.Unstructured {
	var list []any
	for _, port := range ports {
		list = append(list, port)
	}
	return object(kinds.TCPRoute, "sql", 1, map[string]any{"matches": map[string]any{"ports": list}})
}

func serviceWithTarget(port int32) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "db"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(port)}}},
	}
}

func TestEvaluateTarget(t *testing.T) {
	group := object(kinds.HTTPRouteGroup, "paths", 1, map[string]any{"matches": []any{map[string]any{"name": "all", "pathRegex": "/.*"}}})
	tests := []evaluateCase{
		{
			"a target whose routes exist", target(rule("HTTPRouteGroup", "paths", "all")),
			[]client.Object{group},
			map[string]string{kinds.ConditionAccepted: "True Accepted", kinds.ConditionResolvedRefs: "True ResolvedRefs"},
			"in force",
		},
		{
			"a target whose group is missing", target(rule("HTTPRouteGroup", "none")),
			nil,
			map[string]string{kinds.ConditionAccepted: "True Accepted", kinds.ConditionResolvedRefs: "False RefNotFound"},
			"HTTPRouteGroup shop/none does not exist",
		},
		{
			"a target that names a match which does not exist", target(rule("HTTPRouteGroup", "paths", "typo")),
			[]client.Object{group},
			map[string]string{kinds.ConditionAccepted: "True Accepted", kinds.ConditionResolvedRefs: "False RefNotFound"},
			`no usable match named "typo"`,
		},
		{
			"a target whose TCP route is missing", target(rule("TCPRoute", "none")),
			nil,
			map[string]string{kinds.ConditionAccepted: "True Accepted", kinds.ConditionResolvedRefs: "False RefNotFound"},
			"TCPRoute shop/none does not exist",
		},
		{
			"a target without rules grants nothing", target(), nil,
			map[string]string{kinds.ConditionAccepted: "False GrantsNothing"},
			"spec.rules is empty",
		},
		{
			"a group without matches", object(kinds.HTTPRouteGroup, "paths", 1, map[string]any{}), nil,
			map[string]string{kinds.ConditionAccepted: "False GrantsNothing"},
			"spec.matches is empty",
		},
		{
			"a port that no Service leads to", target(rule("TCPRoute", "sql")),
			[]client.Object{tcpRouteWith(80), serviceWithTarget(8080)},
			map[string]string{kinds.ConditionAccepted: "True Accepted", kinds.ConditionResolvedRefs: "False RefNotFound"},
			"TCPRoute shop/sql has the ports 80, but the Services of the namespace have the target ports 8080",
		},
		{
			"one of the ports is that of a Service", target(rule("TCPRoute", "sql")),
			[]client.Object{tcpRouteWith(80, 8080), serviceWithTarget(8080)},
			map[string]string{kinds.ConditionAccepted: "True Accepted", kinds.ConditionResolvedRefs: "True ResolvedRefs"},
			"in force",
		},
		{
			"a target with a rule about UDP", target(rule("UDPRoute", "dns"), rule("HTTPRouteGroup", "paths")),
			[]client.Object{group},
			map[string]string{kinds.ConditionAccepted: "True NotCaptured", kinds.ConditionResolvedRefs: "True ResolvedRefs"},
			"sidecars do not intercept UDP",
		},
		{
			"a UDP route", object(kinds.UDPRoute, "dns", 1, map[string]any{}),
			nil,
			map[string]string{kinds.ConditionAccepted: "True NotCaptured"},
			"this UDPRoute is not enforced",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}
