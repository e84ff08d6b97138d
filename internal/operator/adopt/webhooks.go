package adopt

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// DeadWebhooks returns the webhook configurations that OSM left for a mesh and whose Services do not exist. They keep pods from starting
// in the namespaces of the mesh, or policies from being written.
func DeadWebhooks(ctx context.Context, live client.Reader, mesh string) ([]client.Object, error) {
	fromOSM := client.MatchingLabels{names.NameLabel: names.AppName, names.InstanceLabel: mesh}
	var mutating admissionv1.MutatingWebhookConfigurationList
	if err := live.List(ctx, &mutating, fromOSM); err != nil {
		return nil, fmt.Errorf("the webhooks of an earlier Open Service Mesh cannot be listed: %w", err)
	}
	var validating admissionv1.ValidatingWebhookConfigurationList
	if err := live.List(ctx, &validating, fromOSM); err != nil {
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
		if _, own := object.GetLabels()[names.MeshLabel]; own {
			continue
		}
		served, err := IsServed(ctx, live, object, "")
		if err != nil {
			return nil, err
		}
		if !served {
			dead = append(dead, object)
		}
	}
	return dead, nil
}

// IsServed reports whether a webhook configuration calls an existing Service or an address outside the cluster. Services in the namespace
// except do not count.
func IsServed(ctx context.Context, live client.Reader, object client.Object, except string) (bool, error) {
	for _, config := range clientConfigs(object) {
		if config.Service == nil {
			return true, nil
		}
		if config.Service.Namespace == except {
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
