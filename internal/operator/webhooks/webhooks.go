package webhooks

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Bundles are the certificates that the API server is to trust, by the Secret of the server.
type Bundles map[string][]byte

// ReadBundles reads the certificates by which the servers of a mesh's webhooks are known. A Secret that does not exist has none.
func ReadBundles(ctx context.Context, from observe.Secrets, namespace string) (Bundles, error) {
	bundles := Bundles{}
	for _, name := range []string{secrets.InjectorCert, secrets.ValidatorCert, secrets.CanaryCert} {
		secret, err := from.Get(ctx, namespace, name)
		if err != nil {
			return nil, err
		}
		if secret != nil {
			bundles[name] = secret.Data[names.CABundleCert]
		}
	}
	return bundles, nil
}

// Injection is which canary injects into which namespaces. The zero value means that the active revision injects everywhere.
type Injection struct {
	// Revision is the canary.
	Revision string
	// Namespaces are sorted.
	Namespaces []string
}

// Render renders the webhook configurations of a mesh whose active revision is given. The namespace of the mesh owns them: they are
// deleted with it, so that no pod waits for a server that is gone.
func Render(c *observe.Cluster, active *v1alpha1.MeshRevision, namespace *corev1.Namespace, injection Injection,
	bundles Bundles,
) ([]*unstructured.Unstructured, error) {
	release, err := ReleaseOf(c, active)
	if err != nil {
		return nil, err
	}
	p := desired.Parameters(active, c.OperatorNamespace)
	if bundle := bundles[secrets.CanaryCert]; injection.Revision != "" && len(bundle) > 0 {
		p.Canary = &operand.CanaryWebhook{Suffix: names.CanarySuffix(active.Spec.Mesh, injection.Revision), Namespaces: injection.Namespaces, Bundle: bundle}
	}
	objects, err := release.Webhooks(p, bundles[secrets.InjectorCert], bundles[secrets.ValidatorCert])
	if err != nil {
		return nil, err
	}
	return objects, apply.SetController(namespace, c.Client.Scheme(), objects...)
}

// ReleaseOf opens the release of a revision. The current release stands in for one that this operator does not know.
func ReleaseOf(c *observe.Cluster, revision *v1alpha1.MeshRevision) (*operand.Release, error) {
	release, err := c.Catalogue.Release(revision.Spec.Version)
	if operand.IsUnknownVersion(err) {
		return c.Catalogue.Release(c.Catalogue.Current())
	}
	return release, err
}

// SecretOf names the Secret of the server of a webhook configuration.
func SecretOf(object *unstructured.Unstructured) string {
	if object.GetKind() == "MutatingWebhookConfiguration" {
		return secrets.InjectorCert
	}
	return secrets.ValidatorCert
}

// Registered reads the live webhook configuration of a rendered one; nil when it does not exist.
func Registered(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) (client.Object, error) {
	var live client.Object = &admissionv1.ValidatingWebhookConfiguration{}
	if object.GetKind() == "MutatingWebhookConfiguration" {
		live = &admissionv1.MutatingWebhookConfiguration{}
	}
	err := reader.Get(ctx, client.ObjectKeyFromObject(object), live)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("the webhook configuration %s cannot be read: %w", object.GetName(), err)
	}
	if err != nil {
		return nil, nil
	}
	return live, nil
}

// Missing names the webhook configurations of a mesh that are not registered.
func Missing(ctx context.Context, c *observe.Cluster, mesh string) ([]string, error) {
	var missing []string
	for _, configuration := range []struct {
		name string
		live client.Object
	}{
		{names.MutatingWebhook(mesh), &admissionv1.MutatingWebhookConfiguration{}},
		{names.ValidatingWebhook(mesh), &admissionv1.ValidatingWebhookConfiguration{}},
	} {
		err := c.Client.Get(ctx, client.ObjectKey{Name: configuration.name}, configuration.live)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("the webhook configuration %s cannot be read: %w", configuration.name, err)
		}
		if err != nil {
			missing = append(missing, configuration.name)
		}
	}
	return missing, nil
}

// LiveInjection is the registered canary that a reader knows; the zero value without one.
func LiveInjection(ctx context.Context, reader client.Reader, mesh string) (Injection, error) {
	live := &admissionv1.MutatingWebhookConfiguration{}
	err := reader.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(mesh)}, live)
	if client.IgnoreNotFound(err) != nil {
		return Injection{}, fmt.Errorf("the webhook configuration %s cannot be read: %w", names.MutatingWebhook(mesh), err)
	}
	for _, webhook := range live.Webhooks {
		if service := webhook.ClientConfig.Service; webhook.Name == names.CanaryWebhook && service != nil {
			return Injection{observe.RevisionOfService(mesh, names.Injector, service.Name), namespacesOf(webhook.NamespaceSelector)}, nil
		}
	}
	return Injection{}, nil
}

// namespacesOf are the namespaces that a canary's webhook selects by name.
func namespacesOf(selector *metav1.LabelSelector) []string {
	if selector == nil {
		return nil
	}
	for _, expression := range selector.MatchExpressions {
		if expression.Key == corev1.LabelMetadataName && expression.Operator == metav1.LabelSelectorOpIn {
			return slices.Sorted(slices.Values(expression.Values))
		}
	}
	return nil
}

// Trusts is true when every webhook of a registered configuration trusts the certificates of its server.
func Trusts(live client.Object, bundles Bundles) bool {
	switch configuration := live.(type) {
	case *admissionv1.MutatingWebhookConfiguration:
		for _, webhook := range configuration.Webhooks {
			secret := secrets.InjectorCert
			if webhook.Name == names.CanaryWebhook {
				secret = secrets.CanaryCert
			}
			if !trusts(webhook.ClientConfig.CABundle, bundles[secret]) {
				return false
			}
		}
	case *admissionv1.ValidatingWebhookConfiguration:
		return !slices.ContainsFunc(configuration.Webhooks, func(webhook admissionv1.ValidatingWebhook) bool {
			return !trusts(webhook.ClientConfig.CABundle, bundles[secrets.ValidatorCert])
		})
	}
	return true
}

// trusts is true when nothing is to be trusted, or when it is trusted.
func trusts(live, bundle []byte) bool {
	return len(bundle) == 0 || bytes.Contains(live, bytes.TrimSpace(bundle))
}
