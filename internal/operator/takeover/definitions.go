package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// groups are the API groups of the kinds that OSM installs.
var groups = []string{
	"config.openservicemesh.io", "policy.openservicemesh.io", "access.smi-spec.io", "specs.smi-spec.io", "split.smi-spec.io",
}

// ReleaseDefinitions removes the label by which an Open Service Mesh restores its definitions, and returns the names of those that had it.
func ReleaseDefinitions(ctx context.Context, live client.Reader, writer client.Writer, manager string) ([]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinitionList"))
	if err := live.List(ctx, list, client.HasLabels{reconcileLabel}); err != nil {
		return nil, fmt.Errorf("the CustomResourceDefinitions cannot be listed: %w", err)
	}
	var released []string
	for i := range list.Items {
		object := &list.Items[i]
		if _, group, _ := strings.Cut(object.Name, "."); !slices.Contains(groups, group) || !IsFromOSM(object) {
			continue
		}
		object.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"labels":{%q:null}}}`, reconcileLabel))
		if err := writer.Patch(ctx, object, patch, client.FieldOwner(manager)); err != nil {
			return released, fmt.Errorf("the label %s of the CustomResourceDefinition %s cannot be removed: %w", reconcileLabel, object.Name, err)
		}
		released = append(released, object.Name)
	}
	return released, nil
}

// IsOwnDefinition reports whether the definition of MeshConfigs is that of this project, by a field that OSM's does not have.
func IsOwnDefinition(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for i := range definition.Spec.Versions {
		schema := definition.Spec.Versions[i].Schema
		if schema == nil || schema.OpenAPIV3Schema == nil {
			continue
		}
		if _, found := schema.OpenAPIV3Schema.Properties["spec"].Properties["sidecar"].Properties["destinations"]; found {
			return true
		}
	}
	return false
}

// IsFromOSM reports whether OSM created a CustomResourceDefinition. OSM labels all of them, including those of SMI.
func IsFromOSM(definition client.Object) bool {
	return definition.GetLabels()[names.NameLabel] == names.AppName
}

// DeadWebhooks returns the webhook configurations that OSM left for a mesh and whose Services do not exist. They keep pods from starting
// in the namespaces of the mesh, or policies from being written.
func DeadWebhooks(ctx context.Context, live client.Reader, mesh string) ([]client.Object, error) {
	fromOSM := client.MatchingLabels{names.NameLabel: names.AppName, names.InstanceLabel: mesh}
	var all []client.Object
	for _, list := range []client.ObjectList{&admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{}} {
		if err := live.List(ctx, list, fromOSM); err != nil {
			return nil, fmt.Errorf("the webhooks of an earlier Open Service Mesh cannot be listed: %w", err)
		}
		_ = meta.EachListItem(list, func(webhook runtime.Object) error {
			all = append(all, webhook.(client.Object))
			return nil
		})
	}
	var dead []client.Object
	for _, object := range all {
		if _, own := object.GetLabels()[names.MeshLabel]; own || object.GetAnnotations()[ReplacedAnnotation] != "" {
			continue
		}
		served, err := IsServed(ctx, live, object)
		if err != nil {
			return nil, err
		}
		if !served {
			dead = append(dead, object)
		}
	}
	return dead, nil
}

// IsServed reports whether a webhook configuration calls an existing Service or an address outside the cluster. Services in the namespaces
// except do not count.
func IsServed(ctx context.Context, live client.Reader, object client.Object, except ...string) (bool, error) {
	for _, config := range clientConfigs(object) {
		if config.Service == nil {
			return true, nil
		}
		if slices.Contains(except, config.Service.Namespace) {
			continue
		}
		exists, err := serviceExists(ctx, live, config.Service.Namespace, config.Service.Name)
		if err != nil || exists {
			return exists, err
		}
	}
	return false, nil
}

// clientConfigs returns the addresses of the webhooks of a configuration.
func clientConfigs(object client.Object) []admissionv1.WebhookClientConfig {
	switch configuration := object.(type) {
	case *admissionv1.MutatingWebhookConfiguration:
		return lists.Map(configuration.Webhooks, func(w admissionv1.MutatingWebhook) admissionv1.WebhookClientConfig { return w.ClientConfig })
	case *admissionv1.ValidatingWebhookConfiguration:
		return lists.Map(configuration.Webhooks, func(w admissionv1.ValidatingWebhook) admissionv1.WebhookClientConfig { return w.ClientConfig })
	}
	return nil
}
