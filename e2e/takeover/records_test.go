package takeover

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// userKinds are the kinds that users write, in versions that OSM serves too.
var userKinds = []schema.GroupVersionKind{
	{Group: "access.smi-spec.io", Version: "v1alpha3", Kind: "TrafficTarget"},
	{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "HTTPRouteGroup"},
	{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "TCPRoute"},
	{Group: "split.smi-spec.io", Version: "v1alpha2", Kind: "TrafficSplit"},
	{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "Egress"},
	{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "IngressBackend"},
	{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "Retry"},
	{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "UpstreamTrafficSetting"},
	{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshConfig"},
	{Version: "v1", Kind: "Namespace"},
}

// webhookKinds are the kinds of webhook configurations.
var webhookKinds = []schema.GroupVersionKind{
	{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "MutatingWebhookConfiguration"},
	{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingWebhookConfiguration"},
}

// records have the content of objects by kind, namespace and name.
type records map[string]any

// readRecords reads the objects of kinds that keep returns true for, without their status and what only the API server writes.
func readRecords(ctx context.Context, kinds []schema.GroupVersionKind, keep func(*unstructured.Unstructured) bool) (records, error) {
	all := records{}
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := cluster.Client.List(ctx, list); err != nil {
			return nil, err
		}
		for i := range list.Items {
			if o := &list.Items[i]; keep(o) {
				all[strings.Join([]string{o.GetKind(), o.GetNamespace(), o.GetName()}, " ")] = contentOf(o)
			}
		}
	}
	return all, nil
}

// contentOf returns what an object has apart from its status and what each write changes. Those of webhook configurations have generations that grow when
// they are restored.
func contentOf(o *unstructured.Unstructured) map[string]any {
	content := map[string]any{"uid": string(o.GetUID()), "labels": o.GetLabels(), "annotations": o.GetAnnotations(), "owners": o.GetOwnerReferences(), "finalizers": o.GetFinalizers()}
	for name, value := range o.Object {
		if name != "metadata" && name != "status" {
			content[name] = value
		}
	}
	if content["webhooks"] == nil {
		content["generation"] = o.GetGeneration()
	}
	return content
}

// userRecords reads what users wrote, and the settings of OSM.
func userRecords(t *testing.T) records {
	t.Helper()
	mine := map[string]bool{osmNamespace: true, outsideNamespace: true}
	for _, namespace := range members() {
		mine[namespace] = true
	}
	all, err := readRecords(t.Context(), userKinds, func(o *unstructured.Unstructured) bool { return mine[o.GetNamespace()] || mine[o.GetName()] })
	lab.Must(t, err)
	return all
}

// webhookRecords reads the webhook configurations of OSM.
func webhookRecords(ctx context.Context) (records, error) {
	return readRecords(ctx, webhookKinds, func(o *unstructured.Unstructured) bool { return o.GetLabels()[names.NameLabel] == names.AppName })
}

// requireSame requires that records have not changed.
func requireSame(t *testing.T, what string, before, after records) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("%s changed (-before +after):\n%s", what, diff)
	}
}

// awaitWebhooks waits until all webhook configurations call a namespace.
func awaitWebhooks(t *testing.T, namespace string) {
	t.Helper()
	other := osmNamespace
	if namespace == osmNamespace {
		other = besideNamespace
	}
	eventually(t, "the webhooks call "+namespace, func(ctx context.Context) (bool, string, error) {
		all, err := webhookRecords(ctx)
		if err != nil {
			return false, "", err
		}
		text, err := json.Marshal(webhooksOf(all))
		called := string(text)
		return strings.Contains(called, `"namespace":"`+namespace+`"`) && !strings.Contains(called, `"namespace":"`+other+`"`), called, err
	})
}

// webhooksOf returns the webhooks of configurations.
func webhooksOf(all records) map[string]any {
	found := map[string]any{}
	for name, content := range all {
		fields, _ := content.(map[string]any)
		found[name] = fields["webhooks"]
	}
	return found
}

// rootOf returns the root certificate in a Secret.
func rootOf(t *testing.T, namespace, name string) string {
	t.Helper()
	var secret corev1.Secret
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &secret))
	return string(secret.Data[names.CABundleCert])
}
