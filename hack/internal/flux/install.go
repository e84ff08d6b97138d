package flux

import (
	"context"
	_ "embed"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
)

//go:embed manifests.yaml
var manifests string

// Install applies the definitions in a folder and the manifests, and waits until both controllers run.
func Install(ctx context.Context, k kubectl.Client, definitions string) error {
	if err := k.Install(ctx, definitions, manifests); err != nil {
		return err
	}
	return k.Await(ctx, "flux-system", "source-controller", "kustomize-controller")
}

// Remove deletes the controllers, and their kinds with all objects.
func Remove(ctx context.Context, k kubectl.Client, definitions string) error {
	return k.Remove(ctx, definitions, manifests)
}
