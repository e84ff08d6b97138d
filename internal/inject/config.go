package inject

import (
	"cmp"
	"errors"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// Config is what injection depends on besides the pod and its namespace.
type Config struct {
	// Mesh is the name of the mesh: the value of the label openservicemesh.io/monitored-by on its namespaces.
	Mesh string
	// Namespace is where the control plane of the mesh runs.
	Namespace string
	// TrustDomain is the last part of every identity in the mesh.
	TrustDomain string
	// Revision is the MeshRevision that the injector belongs to; empty without one.
	Revision string
	// XDSHost is the host of the control plane that sidecars connect to for life. Empty means the mesh's own Service in Namespace.
	XDSHost string
	// EnvoyImage and InitImage are used where the settings name no image.
	EnvoyImage string
	InitImage  string
	// Settings is the MeshConfig; its zero value means the defaults that its fields name.
	Settings configv1alpha2.MeshConfigSpec
}

// Namespace is what injection reads of a pod's namespace.
type Namespace struct {
	Name        string
	Labels      map[string]string
	Annotations map[string]string
}

// images are the images of the sidecar and of osm-init.
func (c Config) images() (envoy, init string, err error) {
	envoy = cmp.Or(c.Settings.Sidecar.EnvoyImage, c.EnvoyImage)
	init = cmp.Or(c.Settings.Sidecar.InitContainerImage, c.InitImage)
	if envoy == "" || init == "" {
		return "", "", errors.New("the injector does not know which images to use: " +
			"set spec.sidecar.envoyImage and spec.sidecar.initContainerImage in the MeshConfig")
	}
	return envoy, init, nil
}
