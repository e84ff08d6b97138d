package vault

import (
	"context"
	_ "embed"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
)

//go:embed manifests.yaml
var manifests string

// Install applies the manifests and waits until Vault answers.
func Install(ctx context.Context, k kubectl.Client) error {
	if err := k.Install(ctx, "", manifests); err != nil {
		return err
	}
	return k.Await(ctx, "vault", "vault")
}

// Remove deletes Vault with its content.
func Remove(ctx context.Context, k kubectl.Client) error { return k.Remove(ctx, "", manifests) }
