package vault

import (
	"context"
	_ "embed"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
)

//go:embed manifests.yaml
var manifests string

// rolloutLimit is the time limit for the pod to become ready.
const rolloutLimit = "120s"

// Install applies the manifests and waits until Vault answers.
func Install(ctx context.Context, k kubectl.Client) error {
	if _, err := k.Run(ctx, manifests, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
		return err
	}
	_, err := k.Run(ctx, "", "--namespace", "vault", "rollout", "status", "deployment/vault", "--timeout="+rolloutLimit)
	return err
}

// Remove deletes Vault with its content.
func Remove(ctx context.Context, k kubectl.Client) error {
	_, err := k.Run(ctx, manifests, "delete", "--ignore-not-found", "-f", "-")
	return err
}
