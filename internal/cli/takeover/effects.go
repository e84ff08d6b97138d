package takeover

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// effects returns what becomes of the objects of an Open Service Mesh and of its users.
func effects(ctx context.Context, c client.Client, running takeover.Running, namespace string) []Effect {
	from := running.Namespace
	all := []Effect{
		{"MeshConfig", from + "/" + names.MeshConfig, fmt.Sprintf("copied to %s/%s, which follows it until the Open Service Mesh is removed", namespace, names.MeshConfig)},
		{"Secret", from + "/" + running.CASecret, fmt.Sprintf("copied to %s/%s: certificates stay valid in both directions", namespace, names.CABundleSecret)},
		{"Deployment, Service", "those of the chart in " + from, "remain until you remove the Open Service Mesh"},
	}
	all = append(all, webhookEffects(ctx, c, running.Mesh)...)
	for _, kind := range kinds.All() {
		if f := effectOf(kind); f != "" {
			all = append(all, Effect{kind.Kind, countIn(ctx, c, kind.GroupVersionKind, ""), f})
		}
	}
	return append(all,
		Effect{"Namespace", count(ctx, c, &corev1.NamespaceList{}, client.MatchingLabels{names.MonitoredByLabel: running.Mesh}), "keep their labels, which keep their meaning"},
		Effect{"Secret envoy-bootstrap-config-*", "one for each pod", "deleted with their pods; the others remain, and you delete them"},
		Effect{"CustomResourceDefinition", "those of OSM and SMI", "replaced when the operator is installed, those of SMI at the step Prepared; objects keep their content"},
	)
}

// effectOf returns what becomes of the objects of a kind that users write; empty for kinds that a row of their own describes.
func effectOf(kind kinds.Kind) string {
	switch kind.GroupVersionKind {
	case kinds.MeshConfigs:
		return ""
	case kinds.MultiClusterService:
		return "remain without effect; osm translate --to peers prints what replaces them"
	case kinds.MeshRootCertificate:
		return "remain; those in the namespace of the Mesh are in effect"
	}
	return "remain unchanged and in effect"
}

// webhookEffects returns what becomes of the webhook configurations of an Open Service Mesh.
func webhookEffects(ctx context.Context, c client.Reader, mesh string) []Effect {
	const change = "answered by this mesh from the step Injecting; going back restores it as it was"
	ofMesh := client.MatchingLabels{names.InstanceLabel: mesh, names.NameLabel: names.AppName}
	var found []Effect
	var mutating admissionv1.MutatingWebhookConfigurationList
	if err := c.List(ctx, &mutating, ofMesh); err != nil {
		return []Effect{{"MutatingWebhookConfiguration", "cannot be read: " + err.Error(), change}}
	}
	for i := range mutating.Items {
		found = append(found, Effect{"MutatingWebhookConfiguration", mutating.Items[i].Name, change})
	}
	var validating admissionv1.ValidatingWebhookConfigurationList
	if err := c.List(ctx, &validating, ofMesh); err != nil {
		return append(found, Effect{"ValidatingWebhookConfiguration", "cannot be read: " + err.Error(), change})
	}
	for i := range validating.Items {
		found = append(found, Effect{"ValidatingWebhookConfiguration", validating.Items[i].Name, change})
	}
	slices.SortStableFunc(found, func(a, b Effect) int { return strings.Compare(a.Kind+a.Objects, b.Kind+b.Objects) })
	return found
}

// countIn returns the number of objects of a kind, or why it is not known. They are read in the version that the API server prefers: the definitions of
// an Open Service Mesh do not serve all versions of this project.
func countIn(ctx context.Context, c client.Client, kind schema.GroupVersionKind, namespace string) string {
	if mapping, err := c.RESTMapper().RESTMapping(kind.GroupKind()); err == nil {
		kind = mapping.GroupVersionKind
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	return count(ctx, c, list, client.InNamespace(namespace))
}

func count(ctx context.Context, c client.Reader, list client.ObjectList, options ...client.ListOption) string {
	err := c.List(ctx, list, options...)
	switch {
	case meta.IsNoMatchError(err):
		return "0"
	case err != nil:
		return "cannot be listed: " + err.Error()
	}
	return strconv.Itoa(meta.LenList(list))
}
