package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// objects are a class, a Gateway with a listener for HTTP and one for HTTPS, and a route with a parent of another controller.
const objects = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: osm}
spec: {controllerName: gateway.openservicemesh.io/osm}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: shop, generation: 3}
spec:
  gatewayClassName: osm
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: tls}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: books, namespace: shop, generation: 2}
spec:
  parentRefs: [{name: web}, {name: elsewhere}]
  rules: [{backendRefs: [{name: books, port: 80}]}]
status:
  parents: [{controllerName: example.com/other, parentRef: {name: elsewhere}, conditions: []}]
`

// sink records certificates.
type sink struct{ changes []catalog.Change }

func (s *sink) Apply(changes []catalog.Change) { s.changes = append(s.changes, changes...) }

// fixture is a Reconciler on a fake API server.
type fixture struct {
	*Reconciler
	sink *sink
	// writes counts patches of status.
	writes int
	// unwritable lets writes of status fail.
	unwritable bool
	// forbidden makes Secrets and ConfigMaps unreadable.
	forbidden bool
	// reads counts requests for Secrets and ConfigMaps.
	reads int
	// rejections are those of routes by name. They are not known while unknown is true.
	rejections map[string][]report.Rejection
	unknown    bool
	now        time.Time
}

func newFixture(t *testing.T, more ...client.Object) *fixture {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	f := &fixture{sink: &sink{}, now: time.Now()}
	builder := fake.NewClientBuilder()
	for _, kind := range append(gatewayKinds(), laterKinds()...) {
		scheme.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
		list := kind
		list.Kind += "List"
		scheme.AddKnownTypeWithName(list, &unstructured.UnstructuredList{})
		builder = builder.WithStatusSubresource(kinds.Object(kind))
	}
	all := append([]client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}},
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: names.IngressGateway},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIPs: []string{"10.96.0.9"}, Ports: []corev1.ServicePort{{Port: 80, Name: "port-80"}, {Port: 443, Name: "port-443"}}},
		},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "g", Labels: map[string]string{discoveryv1.LabelServiceName: names.IngressGateway}},
			Endpoints:  []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}}},
		},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "books"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}},
	}, more...)
	for text := range strings.SplitSeq(objects, "---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), object); err != nil {
			t.Fatal(err)
		}
		all = append(all, object)
	}
	c := builder.WithScheme(scheme).WithObjects(all...).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			f.writes++
			if f.unwritable {
				return apierrors.NewForbidden(schema.GroupResource{Resource: object.GetObjectKind().GroupVersionKind().Kind}, object.GetName(), nil)
			}
			return c.SubResource(sub).Patch(ctx, object, patch, options...)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			_, isSecret := object.(*corev1.Secret)
			_, isConfigMap := object.(*corev1.ConfigMap)
			if isSecret || isConfigMap {
				f.reads++
			}
			if f.forbidden && (isSecret || isConfigMap) {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, key.Name, nil)
			}
			return c.Get(ctx, key, object, options...)
		},
	}).Build()
	f.Reconciler = &Reconciler{Client: c, Secrets: c, Leading: func() bool { return true }, Sink: f.sink, Mesh: "osm", Namespace: "osm-system", Now: func() time.Time { return f.now }}
	f.Rejected = func(_, _, name string) ([]report.Rejection, bool) { return f.rejections[name], !f.unknown }
	return f
}

func (f *fixture) reconcile(t *testing.T) {
	t.Helper()
	if _, err := f.Reconcile(t.Context(), ctrl.Request{}); err != nil {
		t.Fatal(err)
	}
}

// statusOfGateway returns the conditions that are not as they should be in a gateway that works: "<listener> <type>: <message>".
func (f *fixture) statusOfGateway(t *testing.T) (gatewayv1.GatewayStatus, []string) {
	t.Helper()
	var g gatewayv1.Gateway
	f.get(t, kinds.Gateway, "web", &g)
	var problems []string
	check := func(name string, conditions []metav1.Condition) {
		for _, c := range conditions {
			if c.ObservedGeneration != 3 {
				t.Errorf("%s %s is of generation %d", name, c.Type, c.ObservedGeneration)
			}
			if (c.Status == metav1.ConditionTrue) == (c.Type == "Conflicted") {
				problems = append(problems, name+" "+c.Type+": "+c.Message)
			}
		}
	}
	check("gateway", g.Status.Conditions)
	for _, l := range g.Status.Listeners {
		check(string(l.Name), l.Conditions)
	}
	return g.Status, problems
}

func (f *fixture) get(t *testing.T, kind schema.GroupVersionKind, name string, into any) {
	t.Helper()
	object := kinds.Object(kind)
	if err := f.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, object); err != nil {
		t.Fatal(err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		t.Fatal(err)
	}
}

func secret(t *testing.T) *corev1.Secret {
	chain, key := pki.New(t).Issue(t, identity.ServiceAccount{Namespace: "shop", Name: "tls"}, "cluster.local")
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "tls"}, Data: map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key}}
}

// TestGatewayThatWorks checks all conditions, that the control plane gets the certificate, and that a second pass writes nothing.
func TestGatewayThatWorks(t *testing.T) {
	f := newFixture(t, secret(t))
	f.reconcile(t)
	status, problems := f.statusOfGateway(t)
	if len(problems) > 0 || len(status.Listeners) != 2 || status.Listeners[0].AttachedRoutes != 1 || status.Addresses[0].Value != "10.96.0.9" {
		t.Errorf("status %+v, problems %q", status, problems)
	}
	certificate, ok := f.sink.changes[0].Entry.(*catalog.GatewayCertificate)
	if !ok || len(certificate.KeyPEM) == 0 || certificate.Problem != "" {
		t.Errorf("the control plane got %+v", f.sink.changes)
	}
	var route gatewayv1.HTTPRoute
	f.get(t, kinds.HTTPRoute, "books", &route)
	if len(route.Status.Parents) != 2 || route.Status.Parents[0].ControllerName != "example.com/other" || len(route.Status.Parents[1].Conditions) != 2 {
		t.Errorf("the route has the parents %+v, want that of another controller and ours", route.Status.Parents)
	}
	written := f.writes
	f.reconcile(t)
	if f.writes != written {
		t.Errorf("%d writes without a change", f.writes-written)
	}
}

// TestClassIsAccepted checks the condition of the mesh's GatewayClass.
func TestClassIsAccepted(t *testing.T) {
	f := newFixture(t, secret(t))
	f.reconcile(t)
	object := kinds.Object(kinds.GatewayClass)
	if err := f.Client.Get(t.Context(), client.ObjectKey{Name: "osm"}, object); err != nil {
		t.Fatal(err)
	}
	var class gatewayv1.GatewayClass
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &class); err != nil {
		t.Fatal(err)
	}
	if c := class.Status.Conditions; len(c) != 1 || c[0].Type != "Accepted" || c[0].Status != metav1.ConditionTrue || c[0].Reason != "Accepted" {
		t.Errorf("the class has the conditions %+v, want that it is accepted", c)
	}
}

// TestFailedWritesAreReported checks that the failed write of one object does not prevent the others, and that all are reported.
func TestFailedWritesAreReported(t *testing.T) {
	f := newFixture(t, secret(t))
	f.unwritable = true
	_, err := f.Reconcile(t.Context(), ctrl.Request{})
	for _, kind := range []string{"GatewayClass", "Gateway", "HTTPRoute"} {
		if err == nil || !strings.Contains(err.Error(), kind+" ") {
			t.Errorf("the error is %v, want that the status of the %s was not written", err, kind)
		}
	}
	f.unwritable = false
	f.reconcile(t)
	if _, problems := f.statusOfGateway(t); len(problems) > 0 {
		t.Errorf("later the problems are %q", problems)
	}
}

// TestGatewayWithoutPods checks that the Gateway and its listeners report that no pod of the ingress gateway is ready, until one is.
func TestGatewayWithoutPods(t *testing.T) {
	f := newFixture(t, secret(t))
	slice := &discoveryv1.EndpointSlice{}
	setReady := func(ready bool) {
		t.Helper()
		if err := f.Client.Get(t.Context(), client.ObjectKey{Namespace: "osm-system", Name: "g"}, slice); err != nil {
			t.Fatal(err)
		}
		slice.Endpoints[0].Conditions.Ready = ptr.To(ready)
		if err := f.Client.Update(t.Context(), slice); err != nil {
			t.Fatal(err)
		}
		f.reconcile(t)
	}
	setReady(false)
	status, problems := f.statusOfGateway(t)
	if len(problems) != 1+len(status.Listeners) {
		t.Errorf("without a pod the problems are %q, want one of the gateway and of each listener", problems)
	}
	for _, problem := range problems {
		if !strings.HasSuffix(problem, "Programmed: No pod of the ingress gateway is ready.") {
			t.Errorf("without a pod there is the problem %q", problem)
		}
	}
	setReady(true)
	if _, problems := f.statusOfGateway(t); len(problems) > 0 {
		t.Errorf("with a pod the problems are %q", problems)
	}
}

// TestCertificateProblems checks that each problem of a Secret is in the status of its listener, and the other listener works.
func TestCertificateProblems(t *testing.T) {
	mixed := secret(t)
	mixed.Data[corev1.TLSPrivateKeyKey] = secret(t).Data[corev1.TLSPrivateKeyKey]
	empty := secret(t)
	empty.Data = nil
	for name, test := range map[string]struct {
		secret    *corev1.Secret
		forbidden bool
		want      string
	}{
		"missing":       {want: "The Secret shop/tls does not exist."},
		"forbidden":     {secret: secret(t), forbidden: true, want: "kubectl create rolebinding osm-gateway-certificate-reader -n shop --clusterrole osm-gateway-certificate-reader --serviceaccount osm-system:osm-controller"},
		"without data":  {secret: empty, want: "lacks tls.crt or tls.key"},
		"of two halves": {secret: mixed, want: "private key does not match public key"},
	} {
		t.Run(name, func(t *testing.T) {
			var more []client.Object
			if test.secret != nil {
				more = append(more, test.secret)
			}
			f := newFixture(t, more...)
			f.forbidden = test.forbidden
			f.reconcile(t)
			_, problems := f.statusOfGateway(t)
			if text := strings.Join(problems, "\n"); !strings.Contains(text, "https ResolvedRefs") || !strings.Contains(text, test.want) || strings.Contains(text, "http ") {
				t.Errorf("problems\n%s\nwant %q of the listener https alone", text, test.want)
			}
		})
	}
}

// TestOtherReplicas checks that a replica without the Lease reads certificates and writes no status.
func TestOtherReplicas(t *testing.T) {
	f := newFixture(t, secret(t))
	f.Leading = func() bool { return false }
	f.reconcile(t)
	if f.writes > 0 || len(f.sink.changes) != 1 {
		t.Errorf("%d writes and %d certificates, want none and one", f.writes, len(f.sink.changes))
	}
}

// TestRemovedGateway checks that the control plane forgets the certificates of a Gateway, and that its routes lose their status.
func TestRemovedGateway(t *testing.T) {
	f := newFixture(t, secret(t))
	f.reconcile(t)
	gateway := kinds.Object(kinds.Gateway)
	gateway.SetNamespace("shop")
	gateway.SetName("web")
	if err := f.Client.Delete(t.Context(), gateway); err != nil {
		t.Fatal(err)
	}
	f.sink.changes = nil
	f.reconcile(t)
	if !slices.ContainsFunc(f.sink.changes, func(c catalog.Change) bool { return c.Entry == nil && c.Ref.Kind == entity.KindGatewayCertificate }) {
		t.Errorf("changes %v, want the removal of the certificate", fmt.Sprint(f.sink.changes))
	}
	var route gatewayv1.HTTPRoute
	f.get(t, kinds.HTTPRoute, "books", &route)
	if len(route.Status.Parents) != 1 || route.Status.Parents[0].ControllerName != "example.com/other" {
		t.Errorf("the route has the parents %+v, want only that of another controller", route.Status.Parents)
	}
}

// conditionsOf returns the conditions of a route for the Gateway of the mesh, "<type> <status> <reason>", and their messages.
func (f *fixture) conditionsOf(t *testing.T, route string) (conditions []string, messages string) {
	t.Helper()
	object := kinds.Object(kinds.HTTPRoute)
	if err := f.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: route}, object); err != nil {
		t.Fatal(err)
	}
	typed, err := gatewayapi.ReadStatus[gatewayv1.HTTPRoute](object)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range typed.Status.Parents {
		if p.ControllerName != "gateway.openservicemesh.io/osm" {
			continue
		}
		for _, c := range p.Conditions {
			conditions = append(conditions, fmt.Sprintf("%s %s %s", c.Type, c.Status, c.Reason))
			messages += c.Message
		}
	}
	return conditions, messages
}

// TestRejectedRoute checks that a route that Envoy rejected is not accepted, until Envoy accepts it.
func TestRejectedRoute(t *testing.T) {
	f := newFixture(t, secret(t))
	f.unknown = true
	f.reconcile(t)
	if f.writes > 0 {
		t.Errorf("%d writes before the rejections are known", f.writes)
	}
	f.unknown = false
	f.rejections = map[string][]report.Rejection{"books": {{Pod: "osm-system/gateway-1", Type: "RDS", Resource: "rds-gateway.80", Text: "bad path", ServiceAccount: "osm-system/gateway"}}}
	f.reconcile(t)
	conditions, message := f.conditionsOf(t, "books")
	if want := []string{"Accepted False RejectedByProxy", "ResolvedRefs True ResolvedRefs"}; !slices.Equal(conditions, want) || !strings.Contains(message, "bad path") {
		t.Errorf("conditions %q with %q, want %q", conditions, message, want)
	}
	f.rejections = nil
	f.reconcile(t)
	conditions, _ = f.conditionsOf(t, "books")
	if want := []string{"Accepted True Accepted", "ResolvedRefs True ResolvedRefs"}; !slices.Equal(conditions, want) {
		t.Errorf("conditions %q, want %q", conditions, want)
	}
}

// unread returns an object of the Gateway API with a field of the wrong type.
func unread(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// TestUnreadableObjects checks that objects of an unknown form are not accepted, and prevent no others.
func TestUnreadableObjects(t *testing.T) {
	f := newFixture(t, secret(t), unread(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: odd, namespace: shop}
spec: {parentRefs: [{name: web}, {name: elsewhere}, {name: 7}], rules: everything}
`), unread(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: odd, namespace: shop, generation: 3}
spec: {gatewayClassName: osm, listeners: all}
`), unread(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: other, namespace: shop}
spec: {gatewayClassName: other, listeners: all}
`))
	f.reconcile(t)
	conditions, message := f.conditionsOf(t, "odd")
	if want := []string{"Accepted False UnsupportedValue"}; !slices.Equal(conditions, want) || !strings.Contains(message, "cannot be read") {
		t.Errorf("conditions %q with %q, want %q", conditions, message, want)
	}
	for name, want := range map[string][]string{"odd": {"Accepted False Invalid", "Programmed False Invalid"}, "other": nil} {
		object := kinds.Object(kinds.Gateway)
		if err := f.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, object); err != nil {
			t.Fatal(err)
		}
		typed, err := gatewayapi.ReadStatus[gatewayv1.Gateway](object)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range typed.Status.Conditions {
			got = append(got, fmt.Sprintf("%s %s %s", c.Type, c.Status, c.Reason))
		}
		if !slices.Equal(got, want) {
			t.Errorf("Gateway %s has %q, want %q", name, got, want)
		}
	}
	if conditions, _ := f.conditionsOf(t, "books"); !slices.Contains(conditions, "Accepted True Accepted") {
		t.Errorf("the other route has %q", conditions)
	}
	written := f.writes
	f.reconcile(t)
	if f.writes != written {
		t.Errorf("%d writes without a change", f.writes-written)
	}
}

// TestRouteOfAnotherParent checks that a route whose parent is no Gateway any more loses the status of this mesh.
func TestRouteOfAnotherParent(t *testing.T) {
	f := newFixture(t, secret(t))
	f.reconcile(t)
	route := kinds.Object(kinds.HTTPRoute)
	if err := f.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "books"}, route); err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedSlice(route.Object, []any{map[string]any{"group": "", "kind": "Service", "name": "books"}}, "spec", "parentRefs"); err != nil {
		t.Fatal(err)
	}
	if err := f.Client.Update(t.Context(), route); err != nil {
		t.Fatal(err)
	}
	f.reconcile(t)
	if conditions, _ := f.conditionsOf(t, "books"); len(conditions) > 0 {
		t.Errorf("the route still has %q", conditions)
	}
}

// TestRouteThatIsNotAdmittedAnyMore checks that the route keeps no condition about references that are not resolved any more.
func TestRouteThatIsNotAdmittedAnyMore(t *testing.T) {
	f := newFixture(t, secret(t))
	f.reconcile(t)
	route := kinds.Object(kinds.HTTPRoute)
	if err := f.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "books"}, route); err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedSlice(route.Object, []any{map[string]any{"name": "web", "sectionName": "missing"}}, "spec", "parentRefs"); err != nil {
		t.Fatal(err)
	}
	if err := f.Client.Update(t.Context(), route); err != nil {
		t.Fatal(err)
	}
	f.reconcile(t)
	if conditions, _ := f.conditionsOf(t, "books"); !slices.Equal(conditions, []string{"Accepted False NoMatchingParent", "ResolvedRefs True ResolvedRefs"}) {
		t.Errorf("the route has %q", conditions)
	}
}

// TestRouteThatEnvoyWouldReject checks that the status has the reason before Envoy gets the route, and that other routes are not affected.
func TestRouteThatEnvoyWouldReject(t *testing.T) {
	f := newFixture(t, secret(t), unread(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: long, namespace: shop}
spec: {parentRefs: [{name: web}], rules: [{matches: [{queryParams: [{name: `+strings.Repeat("q", 1025)+`, value: a}]}]}]}
`))
	f.reconcile(t)
	conditions, message := f.conditionsOf(t, "long")
	if want := []string{"Accepted False UnsupportedValue", "ResolvedRefs True ResolvedRefs"}; !slices.Equal(conditions, want) || !strings.Contains(message, "rule 1: invalid Route.Match") {
		t.Errorf("conditions %q with %q, want %q", conditions, message, want)
	}
	if conditions, _ := f.conditionsOf(t, "books"); !slices.Contains(conditions, "Accepted True Accepted") {
		t.Errorf("the other route has %q", conditions)
	}
}
