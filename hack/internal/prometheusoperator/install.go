package prometheusoperator

import (
	"context"
	_ "embed"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
)

//go:embed manifests.yaml
var manifests string

// rolloutLimit is the time limit for the pod to become ready.
const rolloutLimit = "120s"

// Install applies the definitions in a folder and the manifests, and waits until the operator runs.
func Install(ctx context.Context, k kubectl.Client, definitions string) error {
	if _, err := k.Run(ctx, "", "apply", "--server-side", "-f", definitions); err != nil {
		return err
	}
	if _, err := k.Run(ctx, manifests, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
		return err
	}
	_, err := k.Run(ctx, "", "--namespace", "prometheus-operator", "rollout", "status", "deployment/prometheus-operator", "--timeout="+rolloutLimit)
	return err
}

// Remove deletes the operator with its kinds and their objects.
func Remove(ctx context.Context, k kubectl.Client, definitions string) error {
	if _, err := k.Run(ctx, manifests, "delete", "--ignore-not-found", "-f", "-"); err != nil {
		return err
	}
	_, err := k.Run(ctx, "", "delete", "--ignore-not-found", "-f", definitions)
	return err
}
