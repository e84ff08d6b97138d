package jaeger

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

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
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: component.Namespace(mesh), Name: Name},
		Data:       map[string]string{configFile: string(text)},
	}, nil
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
