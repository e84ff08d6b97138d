package operand

import (
	"encoding/base64"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The flags that a canary control plane needs. xds-host makes its sidecars connect to it. write-status keeps it from writing the status of
// policies, which the active control plane writes.
const (
	xdsHostFlag     = "xds-host"
	writeStatusFlag = "write-status"
)

// CanaryServices renders the Services of a canary control plane: for sidecars, for reports and for the injector's webhook. With alias it
// renders only the Service for sidecars, which selects the mesh's own control plane. Sidecars never change the host that they started with,
// so this host must resolve after the canary was promoted or removed.
func (r *Release) CanaryServices(p Parameters, alias bool) ([]*unstructured.Unstructured, error) {
	if p.CanarySuffix == "" {
		return nil, fmt.Errorf("the Services of a canary cannot be rendered: the suffix is empty")
	}
	objects, err := r.render(p, servicesFile)
	if err != nil {
		return nil, err
	}
	forSidecars := names.WithSuffix(names.Controller, p.CanarySuffix)
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetName() == names.WithSuffix(names.Validator, p.CanarySuffix) || alias && o.GetName() != forSidecars
	})
	if alias {
		for _, object := range objects {
			if err := unstructured.SetNestedField(object.Object, names.Controller, "spec", "selector", names.AppLabel); err != nil {
				return nil, err
			}
		}
	}
	return objects, nil
}

// addCanarySuffix adds the suffix to the name of an object and to its references. An empty suffix changes nothing.
func addCanarySuffix(object *unstructured.Unstructured, suffix string) {
	if suffix == "" {
		return
	}
	object.SetName(names.WithSuffix(object.GetName(), suffix))
	// The command line finds meshes by this label, and a canary is not a separate mesh.
	unstructured.RemoveNestedField(object.Object, "metadata", "labels", names.MeshNameLabel)
	if role, ok := object.Object["roleRef"].(map[string]any); ok {
		rename(role, "name", suffix)
	}
	if subjects, ok := object.Object["subjects"].([]any); ok {
		for _, subject := range subjects {
			if subject, ok := subject.(map[string]any); ok {
				rename(subject, "name", suffix)
			}
		}
	}
	renameReferences(object.Object, suffix)
}

// renameReferences adds the suffix to all labels, selectors, service accounts and Secrets in a value.
func renameReferences(value any, suffix string) {
	switch value := value.(type) {
	case map[string]any:
		rename(value, names.AppLabel, suffix)
		rename(value, "serviceAccountName", suffix)
		if value["secretName"] == names.InjectorCertSecret {
			value["secretName"] = names.CanaryCertSecret
		}
		for _, inner := range value {
			renameReferences(inner, suffix)
		}
	case []any:
		for _, inner := range value {
			renameReferences(inner, suffix)
		}
	}
}

// rename adds the suffix to a field that names a component of the control plane.
func rename(fields map[string]any, key, suffix string) {
	if name, ok := fields[key].(string); ok && names.Component(name) == name {
		fields[key] = names.WithSuffix(name, suffix)
	}
}

// addCanaryWebhook splits the injection webhook: the first webhook excludes the canary namespaces, the second selects only them.
func addCanaryWebhook(object *unstructured.Unstructured, canary *CanaryWebhook) error {
	if canary == nil || object.GetKind() != "MutatingWebhookConfiguration" {
		return nil
	}
	if canary.Suffix == "" || len(canary.Namespaces) == 0 || len(canary.Bundle) == 0 {
		return fmt.Errorf("the webhook of the canary needs the suffix of its Service, a certificate and at least one namespace")
	}
	webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
	if err != nil {
		return err
	}
	var split []any
	for _, entry := range webhooks {
		active, ok := entry.(map[string]any)
		if !ok {
			return fmt.Errorf("a webhook is not an object")
		}
		second := (&unstructured.Unstructured{Object: active}).DeepCopy().Object
		if err := setCanary(second, canary); err != nil {
			return err
		}
		if err := restrictNamespaces(active, metav1.LabelSelectorOpNotIn, canary.Namespaces); err != nil {
			return err
		}
		split = append(split, active, second)
	}
	return unstructured.SetNestedSlice(object.Object, split, "webhooks")
}

// setCanary sets the name, the Service, the certificate and the namespaces of the canary in a copy of the injection webhook.
func setCanary(webhook map[string]any, canary *CanaryWebhook) error {
	if webhook["name"] != names.InjectorWebhook {
		return fmt.Errorf("the webhook %v does not support a canary", webhook["name"])
	}
	webhook["name"] = names.CanaryWebhook
	if err := unstructured.SetNestedField(webhook, names.WithSuffix(names.Injector, canary.Suffix), "clientConfig", "service", "name"); err != nil {
		return err
	}
	if err := unstructured.SetNestedField(webhook, base64.StdEncoding.EncodeToString(canary.Bundle), "clientConfig", "caBundle"); err != nil {
		return err
	}
	return restrictNamespaces(webhook, metav1.LabelSelectorOpIn, canary.Namespaces)
}

// restrictNamespaces adds an expression about namespace names to the namespace selector of a webhook.
func restrictNamespaces(webhook map[string]any, operator metav1.LabelSelectorOperator, namespaces []string) error {
	expressions, _, err := unstructured.NestedSlice(webhook, "namespaceSelector", "matchExpressions")
	if err != nil {
		return err
	}
	values := lists.Map(lists.Unique(slices.Clone(namespaces)), func(name string) any { return name })
	expressions = append(expressions, map[string]any{"key": corev1.LabelMetadataName, "operator": string(operator), "values": values})
	return unstructured.SetNestedSlice(webhook, expressions, "namespaceSelector", "matchExpressions")
}
