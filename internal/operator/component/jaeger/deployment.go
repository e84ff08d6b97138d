package jaeger

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

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
	return []corev1.ServicePort{
		component.NamedPort("zipkin", zipkinPort), component.NamedPort("otlp-grpc", otlpPort), component.NamedPort("otlp-http", otlpHTTPPort),
		component.NamedPort("query", QueryPort),
	}
}

// deployment has one pod, because traces in memory are not shared.
func deployment(inputs component.Inputs, config *corev1.ConfigMap) (*appsv1.Deployment, error) {
	settings := managedSettings(inputs.Mesh)
	volumes, mounts := volumesOf(settings)
	return component.Server{
		Name: Name, Selector: selector, Strategy: component.RollingUpdate(), Scheduling: settings.SchedulingSpec,
		Overlay: settings.OverlaySpec, Pod: corev1.PodSpec{
			AutomountServiceAccountToken: ptr.To(false),
			SecurityContext:              component.PodSecurity(userID),
			Containers:                   []corev1.Container{container(settings, inputs.Image(image(), settings.Image), mounts)},
			Volumes:                      volumes,
		},
	}.Deployment(inputs.Mesh, config)
}

func container(settings v1alpha1.ManagedJaeger, image string, mounts []corev1.VolumeMount) corev1.Container {
	health := component.HTTPProbe(corev1.URISchemeHTTP, "health", "/status")
	ports := []corev1.ContainerPort{{Name: "health", ContainerPort: healthPort, Protocol: corev1.ProtocolTCP}}
	for _, p := range servicePorts() {
		ports = append(ports, corev1.ContainerPort{Name: p.Name, ContainerPort: p.Port, Protocol: p.Protocol})
	}
	return corev1.Container{
		Name: "jaeger", Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:           []string{"--config=" + configDir + "/" + configFile},
		Ports:          ports,
		Resources:      ptr.Deref(settings.Resources, component.Resources("50m", "128Mi", "512Mi")),
		ReadinessProbe: health, LivenessProbe: health,
		SecurityContext: component.ContainerSecurity(),
		VolumeMounts:    mounts,
	}
}

// volumesOf mounts the configuration, and the Secret of the storage if there is one.
func volumesOf(settings v1alpha1.ManagedJaeger) ([]corev1.Volume, []corev1.VolumeMount) {
	volumes := []corev1.Volume{component.ConfigMapVolume("config", Name)}
	mounts := []corev1.VolumeMount{{Name: "config", MountPath: configDir, ReadOnly: true}}
	if ref := settings.StorageSecretRef; ref != nil {
		volumes = append(volumes, corev1.Volume{Name: "storage", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
			SecretName: ref.Name, Items: []corev1.KeyToPath{{Key: ref.Key, Path: storageFile}},
		}}})
		mounts = append(mounts, corev1.VolumeMount{Name: "storage", MountPath: storageDir, ReadOnly: true})
	}
	return volumes, mounts
}

const (
	configDir, configFile = "/etc/jaeger", "config.yaml"
	// storageDir has storageFile with the configuration of a storage backend, if the Mesh names a Secret.
	storageDir, storageFile = "/etc/jaeger-storage", "backend.yaml"
	// store is the name of the only storage backend.
	store = "traces"
	// memoryPercentage is the share of the memory limit at which spans are rejected, and memorySpike the share below it at which
	// the garbage is collected.
	memoryPercentage, memorySpike = 80, 15
)

// object is a mapping of YAML.
type object = map[string]any

func configMap(mesh *v1alpha1.Mesh) (*corev1.ConfigMap, error) {
	text, err := yaml.Marshal(configuration(managedSettings(mesh)))
	if err != nil {
		return nil, fmt.Errorf("the configuration of Jaeger cannot be written: %w", err)
	}
	return component.ConfigMap(mesh, Name, map[string]string{configFile: string(text)}), nil
}

// configuration receives spans of Zipkin and OTLP, and serves them. Jaeger's own metrics are off, because nothing scrapes them.
func configuration(settings v1alpha1.ManagedJaeger) object {
	return object{
		"service": object{
			"extensions": []string{"healthcheckv2", "jaeger_storage", "jaeger_query"},
			"pipelines": object{"traces": object{
				"receivers": []string{"otlp", "zipkin"}, "processors": []string{"memory_limiter", "batch"}, "exporters": []string{"jaeger_storage_exporter"},
			}},
			"telemetry": object{"metrics": object{"level": "none"}},
		},
		"extensions": object{
			"healthcheckv2":  object{"use_v2": true, "http": endpoint(healthPort)},
			"jaeger_storage": object{"backends": object{store: backend(settings)}},
			"jaeger_query":   object{"storage": object{"traces": store}, "http": endpoint(QueryPort), "grpc": object{"endpoint": "127.0.0.1:16685"}},
		},
		"receivers": object{
			"otlp":   object{"protocols": object{"grpc": endpoint(otlpPort), "http": endpoint(otlpHTTPPort)}},
			"zipkin": endpoint(zipkinPort),
		},
		"processors": object{
			"memory_limiter": object{"check_interval": "1s", "limit_percentage": memoryPercentage, "spike_limit_percentage": memorySpike},
			"batch":          object{},
		},
		"exporters": object{"jaeger_storage_exporter": object{"trace_storage": store}},
	}
}

// endpoint listens on all addresses, of IPv4 and IPv6.
func endpoint(port int32) object { return object{"endpoint": fmt.Sprintf(":%d", port)} }

// backend is the storage backend. Jaeger includes the file of the Secret.
func backend(settings v1alpha1.ManagedJaeger) any {
	if settings.StorageSecretRef != nil {
		return "${file:" + storageDir + "/" + storageFile + "}"
	}
	return object{"memory": object{"max_traces": ptr.Deref(settings.MaxTraces, DefaultMaxTraces)}}
}
