package operand

import (
	"encoding/base64"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fillWebhooks sets the Services, the certificates and the namespaces of a mesh in a webhook configuration. The set fields are the same in
// mutating and validating configurations.
func fillWebhooks(object *unstructured.Unstructured, p Parameters, bundle []byte) error {
	webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
	if err != nil {
		return err
	}
	for _, entry := range webhooks {
		webhook, ok := entry.(map[string]any)
		if !ok {
			return fmt.Errorf("a webhook is not an object")
		}
		if err := unstructured.SetNestedField(webhook, p.Namespace, "clientConfig", "service", "namespace"); err != nil {
			return err
		}
		if err := unstructured.SetNestedField(webhook, base64.StdEncoding.EncodeToString(bundle), "clientConfig", "caBundle"); err != nil {
			return err
		}
		if err := fillSelector(webhook, p); err != nil {
			return err
		}
	}
	return unstructured.SetNestedSlice(object.Object, webhooks, "webhooks")
}

// fillSelector sets the included and the excluded namespaces of a webhook.
func fillSelector(webhook map[string]any, p Parameters) error {
	for label, value := range map[string]string{names.MonitoredByLabel: p.Mesh, corev1.LabelMetadataName: p.Namespace} {
		if _, found, _ := unstructured.NestedString(webhook, "namespaceSelector", "matchLabels", label); !found {
			continue
		}
		if err := unstructured.SetNestedField(webhook, value, "namespaceSelector", "matchLabels", label); err != nil {
			return err
		}
	}
	expressions, found, err := unstructured.NestedSlice(webhook, "namespaceSelector", "matchExpressions")
	if err != nil || !found {
		return err
	}
	for _, entry := range expressions {
		expression, ok := entry.(map[string]any)
		if !ok || expression["key"] != corev1.LabelMetadataName {
			continue
		}
		expression["values"] = excludedNamespaces(expression["values"], p)
	}
	return unstructured.SetNestedSlice(webhook, expressions, "namespaceSelector", "matchExpressions")
}

// excludedNamespaces adds the namespaces of the control plane and of the operator to those of the manifest.
func excludedNamespaces(listed any, p Parameters) []any {
	values := []any{}
	seen := map[any]bool{}
	list, _ := listed.([]any)
	for _, name := range append(list, p.Namespace, p.OperatorNamespace) {
		if name != "" && !seen[name] {
			seen[name] = true
			values = append(values, name)
		}
	}
	return values
}
