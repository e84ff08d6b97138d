package preflight

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// NamespacesWithout lists the namespaces whose trust ConfigMap lacks one of some certificates, sorted.
func NamespacesWithout(ctx context.Context, c client.Reader, mesh string, namespaces, trusted []string) ([]string, error) {
	var without []string
	for _, namespace := range namespaces {
		trust := &corev1.ConfigMap{}
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.TrustConfigMap(mesh)}, trust)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("the trust of namespace %s cannot be read: %w", namespace, err)
		}
		if apierrors.IsNotFound(err) || lacks([]byte(trust.Data[names.CABundleCert]), trusted) {
			without = append(without, namespace)
		}
	}
	slices.Sort(without)
	return slices.Compact(without), nil
}

// WebhooksWithout has a sentence for each registered webhook configuration of a mesh that lacks one of some trusted certificates.
func WebhooksWithout(ctx context.Context, c client.Reader, mesh string, trusted []string) ([]string, error) {
	mutating, validating := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}
	for name, object := range map[string]client.Object{names.MutatingWebhook(mesh): mutating, names.ValidatingWebhook(mesh): validating} {
		if err := c.Get(ctx, client.ObjectKey{Name: name}, object); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("the webhook configuration %s cannot be read: %w", name, err)
		}
	}
	var bundles [2][][]byte
	for i := range mutating.Webhooks {
		bundles[0] = append(bundles[0], mutating.Webhooks[i].ClientConfig.CABundle)
	}
	for i := range validating.Webhooks {
		bundles[1] = append(bundles[1], validating.Webhooks[i].ClientConfig.CABundle)
	}
	var without []string
	for i, object := range []client.Object{mutating, validating} {
		if slices.ContainsFunc(bundles[i], func(bundle []byte) bool { return lacks(bundle, trusted) }) {
			without = append(without, describeWebhook(object))
		}
	}
	return without, nil
}

// describeWebhook describes why a webhook configuration lacks trust.
func describeWebhook(object client.Object) string {
	sentence := fmt.Sprintf("the webhook %s does not trust every root of the mesh", object.GetName())
	if object.GetAnnotations()[names.DriftAnnotation] == names.DriftIgnore {
		sentence += fmt.Sprintf(", because its annotation %s=%s keeps the operator from updating it", names.DriftAnnotation, names.DriftIgnore)
	}
	return sentence
}

// lacks reports whether a bundle (PEM) lacks one of some certificates.
func lacks(bundle []byte, trusted []string) bool {
	has, err := certificate.Fingerprints(bundle)
	return err != nil || slices.ContainsFunc(trusted, func(c string) bool { return !slices.Contains(has, c) })
}
