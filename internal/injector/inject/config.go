package inject

import (
	"cmp"
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Config is the input of injection besides the pod and its namespace.
type Config struct {
	// Mesh is the name of the mesh: the value of the label openservicemesh.io/monitored-by on its namespaces.
	Mesh string
	// Namespace is the namespace of the mesh's control plane.
	Namespace string
	// TrustDomain is the trust domain of every identity in the mesh.
	TrustDomain string
	// Revision is the name of the injector's MeshRevision; it may be empty.
	Revision string
	// XDSHost is the host name of the control plane, fixed for the lifetime of a sidecar. Empty selects the mesh's own Service in Namespace.
	XDSHost string
	// EnvoyImage and InitImage are the defaults for images that Settings does not set.
	EnvoyImage string
	InitImage  string
	// Settings is the spec of the MeshConfig. Its zero value selects the documented defaults.
	Settings configv1alpha2.MeshConfigSpec
}

// Namespace holds the metadata of a pod's namespace that injection reads.
type Namespace struct {
	Name        string
	Labels      map[string]string
	Annotations map[string]string
}

// images returns the images of the sidecar and of osm-init.
func (c Config) images() (envoy, init string, err error) {
	envoy = cmp.Or(c.Settings.Sidecar.EnvoyImage, c.EnvoyImage)
	init = cmp.Or(c.Settings.Sidecar.InitContainerImage, c.InitImage)
	if envoy == "" || init == "" {
		return "", "", errors.New("no images are configured for the sidecar and osm-init:  " +
			"set spec.sidecar.envoyImage and spec.sidecar.initContainerImage in the MeshConfig")
	}
	return envoy, init, nil
}

// tokenSeconds is the lifetime of the sidecar's token. The kubelet renews it after 80 percent of that time.
const tokenSeconds = 3600

// injectedVolumes returns the names of the volumes that injection adds.
func injectedVolumes() []string {
	return []string{names.BootstrapVolume, names.TokenVolume, names.TrustVolume}
}

func addVolumes(pod *corev1.Pod, c Config) {
	size := resource.MustParse("1Mi")
	volume := func(name string, source corev1.VolumeSource) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	}
	volume(names.BootstrapVolume, corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &size},
	})
	volume(names.TokenVolume, corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: names.TokenAudience(c.Mesh, c.Namespace), ExpirationSeconds: new(int64(tokenSeconds)), Path: names.TokenFile,
		}}},
	}})
	volume(names.TrustVolume, corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: names.TrustConfigMap(c.Mesh)},
	}})
}
