package dryrun_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
)

// applyAs applies a configuration under a field manager.
func applyAs(t *testing.T, c client.Client, manager, text string, opts ...client.ApplyOption) error {
	t.Helper()
	opts = append(opts, client.FieldOwner(manager))
	return c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object(t, text)), opts...)
}

// content reads an object and leaves out its metadata, except for owner references.
func content(t *testing.T, c client.Client, like *unstructured.Unstructured) map[string]any {
	t.Helper()
	live := like.DeepCopy()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(like), live); err != nil {
		t.Fatal(err)
	}
	rest := live.Object
	owners, found, _ := unstructured.NestedSlice(rest, "metadata", "ownerReferences")
	delete(rest, "metadata")
	delete(rest, "apiVersion")
	delete(rest, "kind")
	if found {
		rest["owners"] = owners
	}
	return rest
}

func TestApplyMergesAsAnAPIServer(t *testing.T) {
	const (
		configMap = "apiVersion: v1, kind: ConfigMap, metadata: {namespace: osm, name: a}"
		role      = "apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {namespace: osm, name: a}"
		webhook   = "apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: a}"
		custom    = "apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: a}"
	)
	for name, test := range map[string]struct {
		object string
		// first and then are applied by the operator, others before and between them by another manager.
		others, first, between, then, want string
	}{
		"a field is removed":                {configMap, "", "data: {a: '1', b: '2'}", "", "data: {a: '1'}", "{data: {a: '1'}}"},
		"a shared field stays":              {configMap, "data: {b: '2'}", "data: {a: '1', b: '2'}", "", "data: {a: '1'}", "{data: {a: '1', b: '2'}}"},
		"fields of others stay":             {configMap, "data: {c: '3'}", "data: {a: '1'}", "", "data: {}", "{data: {c: '3'}}"},
		"an atomic list is replaced":        {role, "", "rules: [{verbs: [get]}, {verbs: ['*']}]", "", "rules: [{verbs: [get]}]", "{rules: [{verbs: [get]}]}"},
		"a keyed item is removed":           {webhook, "", "webhooks: [{name: a}, {name: b}]", "webhooks: [{name: x}]", "webhooks: [{name: a}]", "{webhooks: [{name: a}, {name: x}]}"},
		"a shared keyed item stays":         {webhook, "webhooks: [{name: b}]", "webhooks: [{name: a}, {name: b}]", "", "webhooks: [{name: a}]", "{webhooks: [{name: a}, {name: b}]}"},
		"a field of an item is removed":     {webhook, "", "webhooks: [{name: a, timeoutSeconds: 1}]", "webhooks: [{name: a, sideEffects: None}]", "webhooks: [{name: a}]", "{webhooks: [{name: a, sideEffects: None}]}"},
		"a map of a custom resource":        {custom, "spec: {c: c}", "spec: {a: a, b: b}", "", "spec: {a: a}", "{spec: {a: a, c: c}}"},
		"a list of a custom resource":       {custom, "", "spec: {a: a, l: [x, y]}", "", "spec: {a: a}", "{spec: {a: a}}"},
		"nothing changes":                   {configMap, "", "data: {a: '1'}", "", "data: {a: '1'}", "{data: {a: '1'}}"},
		"an absent map equals an empty one": {configMap, "", "data: {a: '1'}", "", "immutable: true", "{immutable: true}"},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := newDryRun(t)
			for _, step := range []struct{ manager, text string }{{"other", test.others}, {"operator", test.first}, {"other", test.between}, {"operator", test.then}} {
				if step.text == "" {
					continue
				}
				if err := applyAs(t, c, step.manager, "{"+test.object+", "+step.text+"}"); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(object(t, test.want).Object, content(t, c, object(t, "{"+test.object+"}"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyConflictsUnlessForced(t *testing.T) {
	_, c := newDryRun(t)
	const before, after = `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: osm, name: a}, data: {k: "1"}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: osm, name: a}, data: {k: "2"}}`
	if err := applyAs(t, c, "other", before); err != nil {
		t.Fatal(err)
	}
	if err := applyAs(t, c, "operator", after); !apierrors.IsConflict(err) {
		t.Errorf("error = %v, want a conflict", err)
	}
	if err := applyAs(t, c, "operator", after, client.ForceOwnership); err != nil {
		t.Error(err)
	}
}

// The managed fields of a live object decide what an apply removes.
func TestApplyReadsLiveManagedFields(t *testing.T) {
	fields := &metav1.FieldsV1{}
	fields.SetRawBytes([]byte(`{"f:webhooks":{"k:{\"name\":\"b\"}":{".":{},"f:name":{}}}}`))
	live := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "a", ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: "operator", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "admissionregistration.k8s.io/v1", FieldsType: "FieldsV1", FieldsV1: fields,
		}}},
		Webhooks: []admissionv1.MutatingWebhook{{Name: "b"}, {Name: "x"}},
	}
	base := fake.NewClientBuilder().WithScheme(clientscheme.Scheme).WithObjects(live).WithReturnManagedFields().Build()
	cluster := dryrun.New(clientscheme.Scheme, base.RESTMapper(), base, noon)
	c := cluster.Client(base)
	if err := applyAs(t, c, "operator", `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: a}, webhooks: [{name: a}]}`); err != nil {
		t.Fatal(err)
	}
	var got admissionv1.MutatingWebhookConfiguration
	if err := c.Get(t.Context(), client.ObjectKey{Name: "a"}, &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, webhook := range got.Webhooks {
		names = append(names, webhook.Name)
	}
	if got := strings.Join(names, " "); got != "x a" {
		t.Errorf("webhooks = %s, want x and a: b was the operator's", got)
	}
}

// Each controller applies its own conditions, and removes no condition of another controller.
func TestStatusHasSeveralManagers(t *testing.T) {
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	cluster, c := newDryRun(t, mesh)
	write := func(manager string, types ...string) {
		t.Helper()
		var conditions []any
		for _, kind := range types {
			conditions = append(conditions, map[string]any{"type": kind, "status": "True", "reason": "Because", "message": "so", "lastTransitionTime": "2026-01-01T00:00:00Z"})
		}
		u := object(t, "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}}")
		u.Object["status"] = map[string]any{"conditions": conditions}
		if err := c.Status().Apply(t.Context(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(manager), client.ForceOwnership); err != nil {
			t.Fatal(err)
		}
	}
	write("trust", "TrustDistributed")
	write("mesh", "Ready", "Reconciling")
	writes := cluster.Writes()
	write("mesh", "Ready", "Reconciling")
	if cluster.Writes() != writes {
		t.Error("an equal status was counted as a change")
	}
	write("mesh", "Ready")

	got := &v1alpha1.Mesh{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(mesh), got); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, condition := range got.Status.Conditions {
		types = append(types, condition.Type)
	}
	if diff := cmp.Diff([]string{"TrustDistributed", "Ready"}, types); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if got.Generation != 0 || len(cluster.Changes()) != 0 {
		t.Errorf("generation %d, changes %v: a status is neither", got.Generation, cluster.Changes())
	}
	missing := object(t, "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: none}, status: {}}")
	if err := c.Status().Apply(t.Context(), client.ApplyConfigurationFromUnstructured(missing), client.FieldOwner("mesh")); !apierrors.IsNotFound(err) {
		t.Errorf("error = %v, want NotFound", err)
	}
}
