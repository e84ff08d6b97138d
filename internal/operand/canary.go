package operand

import (
	"encoding/base64"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// addCanary splits the injection webhook: the mesh's own keeps away from the canary's namespaces, and a second one is for them alone.
func addCanary(object *unstructured.Unstructured, canary *Canary) error {
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
		base, ok := entry.(map[string]any)
		if !ok {
			return fmt.Errorf("a webhook is not an object")
		}
		beside := (&unstructured.Unstructured{Object: base}).DeepCopy().Object
		if err := forCanary(beside, canary); err != nil {
			return err
		}
		if err := restrict(base, metav1.LabelSelectorOpNotIn, canary.Namespaces); err != nil {
			return err
		}
		split = append(split, base, beside)
	}
	return unstructured.SetNestedSlice(object.Object, split, "webhooks")
}

// forCanary makes a copy of the injection webhook the canary's.
func forCanary(webhook map[string]any, canary *Canary) error {
	if webhook["name"] != names.InjectorWebhook {
		return fmt.Errorf("the webhook %v is not known to have a canary", webhook["name"])
	}
	webhook["name"] = names.CanaryWebhook
	if err := unstructured.SetNestedField(webhook, names.Beside(names.Injector, canary.Suffix), "clientConfig", "service", "name"); err != nil {
		return err
	}
	if err := unstructured.SetNestedField(webhook, base64.StdEncoding.EncodeToString(canary.Bundle), "clientConfig", "caBundle"); err != nil {
		return err
	}
	return restrict(webhook, metav1.LabelSelectorOpIn, canary.Namespaces)
}

// restrict adds to the namespaces that a webhook is for that their names must, or must not, be among the given ones.
func restrict(webhook map[string]any, operator metav1.LabelSelectorOperator, namespaces []string) error {
	expressions, _, err := unstructured.NestedSlice(webhook, "namespaceSelector", "matchExpressions")
	if err != nil {
		return err
	}
	values := []any{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(namespaces))) {
		values = append(values, name)
	}
	expressions = append(expressions, map[string]any{"key": corev1.LabelMetadataName, "operator": string(operator), "values": values})
	return unstructured.SetNestedSlice(webhook, expressions, "namespaceSelector", "matchExpressions")
}
