package olm

import (
	"context"
	_ "embed"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
)

//go:embed manifests.yaml
var manifests string

// rolloutLimit is the time limit for each pod to become ready.
const rolloutLimit = "120s"

// Install applies the definitions in a folder and the manifests, and waits until both controllers run.
func Install(ctx context.Context, k kubectl.Client, definitions string) error {
	if _, err := k.Run(ctx, "", "apply", "--server-side", "-f", definitions); err != nil {
		return err
	}
	if _, err := k.Run(ctx, "", "wait", "--for=condition=Established", "--timeout=60s", "-f", definitions); err != nil {
		return err
	}
	if _, err := k.Run(ctx, manifests, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
		return err
	}
	for _, name := range []string{"olm", "catalog"} {
		if _, err := k.Run(ctx, "", "--namespace", "olm", "rollout", "status", "deployment/"+name, "--timeout="+rolloutLimit); err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes the controllers, and their kinds with all objects.
func Remove(ctx context.Context, k kubectl.Client, definitions string) error {
	if _, err := k.Run(ctx, manifests, "delete", "--ignore-not-found", "-f", "-"); err != nil {
		return err
	}
	_, err := k.Run(ctx, "", "delete", "--ignore-not-found", "-f", definitions)
	return err
}
