package prometheus

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus/rules"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	configDir = "/etc/prometheus"
	dataDir   = "/prometheus"
	// portName is the name of the port of the server.
	portName = "http"
	// userID is that of the image: the nobody of Prometheus.
	userID = 65534
)

var selector = map[string]string{"app": Name}

func managedSettings(mesh *v1alpha1.Mesh) v1alpha1.ManagedPrometheus {
	return ptr.Deref(Settings(mesh).Managed, v1alpha1.ManagedPrometheus{})
}

// strategy stops the earlier pod first if both would write to the same volume.
func strategy(settings v1alpha1.ManagedPrometheus) appsv1.DeploymentStrategy {
	if settings.Storage != nil {
		return appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	}
	return component.RollingUpdate()
}

// deployment has one pod: a second one would scrape everything twice. Its template does not depend on the configuration, which the server reads
// again by itself: a restart for each namespace that joins would lose the samples, and the state of alerts.
func deployment(inputs component.Inputs) (*appsv1.Deployment, error) {
	settings := managedSettings(inputs.Mesh)
	return component.Server{
		Name: Name, Selector: selector, Strategy: strategy(settings), Scheduling: settings.SchedulingSpec,
		Overlay: settings.OverlaySpec, Pod: corev1.PodSpec{
			ServiceAccountName: Name,
			SecurityContext:    component.PodSecurity(userID),
			Containers:         []corev1.Container{container(settings, inputs.Image(image(), settings.Image))},
			Volumes: []corev1.Volume{
				component.ConfigMapVolume("config", Name),
				{Name: "data", VolumeSource: dataVolume(settings)},
				{Name: "operator-token", VolumeSource: operatorToken()},
			},
		},
	}.Deployment(inputs.Mesh)
}

func container(settings v1alpha1.ManagedPrometheus, image string) corev1.Container {
	retention := settings.Retention.ValueOr(DefaultRetention)
	return corev1.Container{
		Name: "prometheus", Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"/bin/prometheus"},
		Args: []string{
			"--config.file=" + configDir + "/" + configFile,
			// Every version from 3.0 on knows this name. The newer --config.auto-reload is an unknown option in some of them, and stops them.
			"--enable-feature=auto-reload-config",
			"--storage.tsdb.path=" + dataDir,
			fmt.Sprintf("--storage.tsdb.retention.time=%dms", retention.Milliseconds()),
			fmt.Sprintf("--web.listen-address=:%d", Port),
		},
		Ports: []corev1.ContainerPort{{Name: portName, ContainerPort: Port, Protocol: corev1.ProtocolTCP}},
		// There is a limit, because the pods of tenants decide how many series exist. Without it, the node would pay for them.
		Resources:       ptr.Deref(settings.Resources, component.Resources("100m", "512Mi", "4Gi")),
		ReadinessProbe:  component.HTTPProbe(corev1.URISchemeHTTP, portName, "/-/ready"),
		LivenessProbe:   component.HTTPProbe(corev1.URISchemeHTTP, portName, "/-/healthy"),
		SecurityContext: component.ContainerSecurity(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: configDir, ReadOnly: true},
			{Name: "data", MountPath: dataDir},
			{Name: "operator-token", MountPath: operatorTokenDir, ReadOnly: true},
		},
	}
}

// operatorToken is a token that nobody accepts except the metrics of the operator.
func operatorToken() corev1.VolumeSource {
	token := &corev1.ServiceAccountTokenProjection{Audience: names.OperatorMetricsAudience, ExpirationSeconds: ptr.To(int64(3600)), Path: "token"}
	return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ServiceAccountToken: token}}}}
}

func dataVolume(settings v1alpha1.ManagedPrometheus) corev1.VolumeSource {
	if settings.Storage == nil {
		return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	}
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: Name}}
}

// volumeClaim returns the claim for the samples, or nil without storage.
func volumeClaim(inputs component.Inputs) *corev1.PersistentVolumeClaim {
	settings := managedSettings(inputs.Mesh)
	if settings.Storage == nil {
		return nil
	}
	return &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}, ObjectMeta: component.Meta(inputs.Mesh, Name),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: settings.StorageClassName,
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: *settings.Storage}},
		},
	}
}

// access allows the server to discover the pods of the mesh, in its namespaces and in no others.
func access(inputs component.Inputs) []client.Object {
	namespaces := lists.Unique(append([]string{component.Namespace(inputs.Mesh)}, inputs.Members...))
	return lists.FlatMap(namespaces, func(namespace string) []client.Object {
		return []client.Object{component.Role(namespace, Name, readPods()), component.Bind(inputs.Mesh, Name, namespace, Name, "Role", Name)}
	})
}

func readPods() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}}
}

// unboundClaim describes the live claim for the samples if it has no volume; empty if it has one, or without a claim. The pod does not start
// without the volume.
func unboundClaim(live []*unstructured.Unstructured) string {
	for _, object := range live {
		if object.GetKind() != "PersistentVolumeClaim" {
			continue
		}
		if phase, _, _ := unstructured.NestedString(object.Object, "status", "phase"); phase == "Bound" {
			continue
		}
		class, _, _ := unstructured.NestedString(object.Object, "spec", "storageClassName")
		of := "no StorageClass"
		if class != "" {
			of = "the StorageClass " + class
		}
		return fmt.Sprintf("the PersistentVolumeClaim %s/%s with %s has no volume: see kubectl describe persistentvolumeclaim -n %s %s",
			object.GetNamespace(), object.GetName(), of, object.GetNamespace(), object.GetName())
	}
	return ""
}

// Files of the ConfigMap.
const (
	configFile = "prometheus.yml"
	rulesFile  = "rules.yml"
	// operatorAuthoritiesFile has the authorities of the operator's metrics.
	operatorAuthoritiesFile = "operator-ca.crt"
)

func configMap(inputs component.Inputs) (*corev1.ConfigMap, error) {
	file, err := rules.ForMesh(inputs.Mesh.Name)
	if err != nil {
		return nil, err
	}
	config, err := yaml.Marshal(configuration(inputs))
	if err != nil {
		return nil, fmt.Errorf("the configuration of Prometheus cannot be written: %w", err)
	}
	ruleText, err := yaml.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("the rules of Prometheus cannot be written: %w", err)
	}
	files := map[string]string{configFile: string(config), rulesFile: string(ruleText)}
	if operatorNamespace(inputs) != "" {
		files[operatorAuthoritiesFile] = inputs.OperatorAuthorities
	}
	return component.ConfigMap(inputs.Mesh, Name, files), nil
}
