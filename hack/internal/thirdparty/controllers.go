package thirdparty

import (
	"context"
	"embed"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
)

//go:embed *.yaml
var manifests embed.FS

// Controllers are programs that are installed together.
type Controllers struct {
	// Name is that of the server and of its command, and Title what texts call it.
	Name, Title string
	// Purpose is what they are installed for.
	Purpose string

	namespace   string
	deployments []string
}

// All returns everything that can be installed, in the order of the names.
func All() []Controllers {
	return []Controllers{
		{"flux", "source and kustomize controllers of Flux", "a mesh in Git", "flux-system", []string{"source-controller", "kustomize-controller"}},
		{"metrics-server", "metrics-server", "autoscaling", "metrics-server", []string{"metrics-server"}},
		{"olm", "Operator Lifecycle Manager", "the bundle", "olm", []string{"olm", "catalog"}},
		{"prometheus-operator", "prometheus-operator", "the objects for it", "prometheus-operator", []string{"prometheus-operator"}},
	}
}

// Install applies the definitions in a folder and the manifests, and waits until the Deployments have their pods.
func (c Controllers) Install(ctx context.Context, k kubectl.Client, definitions string) error {
	text, err := c.manifests()
	if err != nil {
		return err
	}
	if err := k.Install(ctx, definitions, text); err != nil {
		return err
	}
	return k.Await(ctx, c.namespace, c.deployments...)
}

// Remove deletes the manifests, and the kinds with all their objects.
func (c Controllers) Remove(ctx context.Context, k kubectl.Client, definitions string) error {
	text, err := c.manifests()
	if err != nil {
		return err
	}
	return k.Remove(ctx, definitions, text)
}

func (c Controllers) manifests() (string, error) {
	text, err := manifests.ReadFile(c.Name + ".yaml")
	return string(text), err
}
