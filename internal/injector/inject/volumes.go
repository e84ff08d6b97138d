package inject

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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
