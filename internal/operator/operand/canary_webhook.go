package operand

import (
	"encoding/base64"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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
	values := []any{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(namespaces))) {
		values = append(values, name)
	}
	expressions = append(expressions, map[string]any{"key": corev1.LabelMetadataName, "operator": string(operator), "values": values})
	return unstructured.SetNestedSlice(webhook, expressions, "namespaceSelector", "matchExpressions")
}
