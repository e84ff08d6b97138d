package jaeger

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// userID is that of the image.
const userID = 10001

// Ports of the pod. The Service has all but the last.
const (
	zipkinPort   = 9411
	otlpPort     = 4317
	otlpHTTPPort = 4318
	healthPort   = 13133
)

var selector = map[string]string{names.AppLabel: Name}

// servicePorts are the ports of the Service by their names.
func servicePorts() []corev1.ServicePort {
	var ports []corev1.ServicePort
	for _, p := range []corev1.ContainerPort{
		{Name: "zipkin", ContainerPort: zipkinPort},
		{Name: "otlp-grpc", ContainerPort: otlpPort},
		{Name: "otlp-http", ContainerPort: otlpHTTPPort},
		{Name: "query", ContainerPort: QueryPort},
	} {
		ports = append(ports, corev1.ServicePort{Name: p.Name, Port: p.ContainerPort, TargetPort: intstr.FromString(p.Name), Protocol: corev1.ProtocolTCP})
	}
	return ports
}

func service(mesh *v1alpha1.Mesh) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: component.Namespace(mesh), Name: Name},
		Spec:       corev1.ServiceSpec{Selector: selector, Ports: servicePorts()},
	}
}

// deployment has one pod, because traces in memory are not shared.
func deployment(inputs component.Inputs, config *corev1.ConfigMap) *appsv1.Deployment {
	mesh := inputs.Mesh
	settings := managedSettings(mesh)
	volumes, mounts := volumesOf(settings)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: component.Namespace(mesh), Name: Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(int32(1)),
			Strategy: component.RollingUpdate(),
			Selector: &metav1.LabelSelector{MatchLabels: selector},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: selector, Annotations: map[string]string{component.ConfigHashAnnotation: component.ConfigHash(config)}},
				Spec: corev1.PodSpec{
					AutomountServiceAccountToken: ptr.To(false),
					NodeSelector:                 map[string]string{"kubernetes.io/os": "linux"},
					SecurityContext:              component.PodSecurity(userID),
					Containers:                   []corev1.Container{container(settings, inputs.Image(image(), settings.Image), mounts)},
					Volumes:                      volumes,
				},
			},
		},
	}
}

func container(settings v1alpha1.ManagedJaeger, image string, mounts []corev1.VolumeMount) corev1.Container {
	health := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: "/status", Port: intstr.FromString("health"), Scheme: corev1.URISchemeHTTP,
	}}}
	ports := []corev1.ContainerPort{{Name: "health", ContainerPort: healthPort, Protocol: corev1.ProtocolTCP}}
	for _, p := range servicePorts() {
		ports = append(ports, corev1.ContainerPort{Name: p.Name, ContainerPort: p.Port, Protocol: p.Protocol})
	}
	return corev1.Container{
		Name: "jaeger", Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:           []string{"--config=" + configDir + "/" + configFile},
		Ports:          ports,
		Resources:      ptr.Deref(settings.Resources, defaultResources()),
		ReadinessProbe: health, LivenessProbe: health,
		SecurityContext: component.ContainerSecurity(),
		VolumeMounts:    mounts,
	}
}

func defaultResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
	}
}

// volumesOf mounts the configuration, and the Secret of the storage if there is one.
func volumesOf(settings v1alpha1.ManagedJaeger) ([]corev1.Volume, []corev1.VolumeMount) {
	volumes := []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: Name},
	}}}}
	mounts := []corev1.VolumeMount{{Name: "config", MountPath: configDir, ReadOnly: true}}
	if ref := settings.StorageSecretRef; ref != nil {
		volumes = append(volumes, corev1.Volume{Name: "storage", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
			SecretName: ref.Name, Items: []corev1.KeyToPath{{Key: ref.Key, Path: storageFile}},
		}}})
		mounts = append(mounts, corev1.VolumeMount{Name: "storage", MountPath: storageDir, ReadOnly: true})
	}
	return volumes, mounts
}
