package adopt

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// DeadWebhooks are the webhook configurations of OSM for a mesh that nothing answers: their Services are gone. As long as they exist,
// no pod starts in the namespaces of the mesh, or no policy is accepted there.
func DeadWebhooks(ctx context.Context, live client.Reader, mesh string) ([]client.Object, error) {
	osms := client.MatchingLabels{names.NameLabel: names.AppName, names.InstanceLabel: mesh}
	var mutating admissionv1.MutatingWebhookConfigurationList
	if err := live.List(ctx, &mutating, osms); err != nil {
		return nil, fmt.Errorf("the webhooks of an earlier Open Service Mesh cannot be listed: %w", err)
	}
	var validating admissionv1.ValidatingWebhookConfigurationList
	if err := live.List(ctx, &validating, osms); err != nil {
		return nil, fmt.Errorf("the webhooks of an earlier Open Service Mesh cannot be listed: %w", err)
	}
	var all []client.Object
	for i := range mutating.Items {
		all = append(all, &mutating.Items[i])
	}
	for i := range validating.Items {
		all = append(all, &validating.Items[i])
	}
	var dead []client.Object
	for _, object := range all {
		if _, ours := object.GetLabels()[names.MeshLabel]; ours {
			continue
		}
		alive, err := Answered(ctx, live, object, "")
		if err != nil {
			return nil, err
		}
		if !alive {
			dead = append(dead, object)
		}
	}
	return dead, nil
}

// Answered says whether a webhook configuration calls anything that exists: a Service, or an address outside the cluster. Services in
// the namespace except do not count.
func Answered(ctx context.Context, live client.Reader, object client.Object, except string) (bool, error) {
	for _, called := range clientsOf(object) {
		if called.Service == nil {
			return true, nil
		}
		if called.Service.Namespace == except {
			continue
		}
		alive, err := answers(ctx, live, called.Service.Namespace, called.Service.Name)
		if err != nil || alive {
			return alive, err
		}
	}
	return false, nil
}

// clientsOf lists what a webhook configuration calls.
func clientsOf(object client.Object) []admissionv1.WebhookClientConfig {
	var all []admissionv1.WebhookClientConfig
	switch configuration := object.(type) {
	case *admissionv1.MutatingWebhookConfiguration:
		for i := range configuration.Webhooks {
			all = append(all, configuration.Webhooks[i].ClientConfig)
		}
	case *admissionv1.ValidatingWebhookConfiguration:
		for i := range configuration.Webhooks {
			all = append(all, configuration.Webhooks[i].ClientConfig)
		}
	}
	return all
}
