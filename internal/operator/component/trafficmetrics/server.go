package trafficmetrics

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// Server runs the server in the namespace of the mesh.
type Server struct{}

// Name implements component.Component.
func (Server) Name() string { return "traffic-metrics" }

// Enabled implements component.Optional.
func (Server) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.TrafficMetricsManaged }

// Requires implements component.Component.
func (Server) Requires() []component.Kind {
	return []component.Kind{
		component.V1("", "ServiceAccount", "serviceaccounts"),
		component.V1("", "ConfigMap", "configmaps"),
		component.V1("", "Service", "services"),
		component.V1("apps", "Deployment", "deployments"),
		component.V1("rbac.authorization.k8s.io", "Role", "roles"),
		component.V1("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
		component.V1("rbac.authorization.k8s.io", "ClusterRole", "clusterroles"),
		component.V1("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings"),
	}
}

// Images implements component.Component.
func (Server) Images() []component.Image { return []component.Image{image()} }

// Render implements component.Component.
func (Server) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	config := authorities(inputs)
	objects := append([]client.Object{component.ServiceAccount(inputs.Mesh, Name), config}, access(inputs)...)
	service := component.Service(inputs.Mesh, Name, selector, component.NamedPort(portName, servicePort))
	server, err := deployment(inputs, config)
	if err != nil {
		return nil, err
	}
	return component.Labelled(inputs, append(objects, service, server)...)
}

// Health implements component.Component. It is that of the Deployment.
func (Server) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, Name)
}

// API registers the server in the API server.
type API struct{ component.Passive }

// Name implements component.Component.
func (API) Name() string { return "traffic-metrics-api" }

// Enabled implements component.Optional. The API is registered while its server is ready.
func (API) Enabled(mesh *v1alpha1.Mesh) bool {
	if !(Server{}).Enabled(mesh) {
		return false
	}
	for _, c := range mesh.Status.Components {
		if c.Name == (Server{}).Name() {
			return c.Ready
		}
	}
	return false
}

// Requires implements component.Component.
func (API) Requires() []component.Kind {
	kind := component.V1("apiregistration.k8s.io", "APIService", "apiservices")
	kind.Names = []string{APIServiceName}
	return []component.Kind{kind}
}

// Render implements component.Component. The server writes the certificate that the API server trusts.
func (API) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	api := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": APIServiceName},
		"spec": map[string]any{
			"group": "metrics.smi-spec.io", "version": "v1alpha1", "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"service": map[string]any{"namespace": component.Namespace(inputs.Mesh), "name": Name, "port": int64(servicePort)},
		},
	}}
	return component.Labelled(inputs, api)
}

// Health implements component.Component. It is that of the APIService.
func (API) Health(live []*unstructured.Unstructured) component.Health {
	for _, object := range live {
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] != "Available" {
				continue
			}
			if condition["status"] == "True" {
				return component.Health{Ready: true}
			}
			message, _ := condition["message"].(string)
			return component.Health{Message: "the APIService " + APIServiceName + " is not available: " + message}
		}
	}
	return component.Health{Message: "the API server has not reached the server yet"}
}

// access allows the server to authenticate and authorize requests, to write its certificate into its APIService, and to list the objects
// that label selectors select. It grants no access to the content of the cluster beyond the namespaces of the mesh.
func access(inputs component.Inputs) []client.Object {
	name := Name + "-" + inputs.Mesh.Name
	bind := func(namespace, name, kind, role string) client.Object {
		return component.Bind(inputs.Mesh, Name, namespace, name, kind, role)
	}
	objects := []client.Object{
		component.Role("", name,
			rbacv1.PolicyRule{
				APIGroups: []string{"apiregistration.k8s.io"}, Resources: []string{"apiservices"}, ResourceNames: []string{APIServiceName},
				Verbs: []string{"get", "patch"},
			},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list"}}),
		bind("", name, "ClusterRole", name),
		bind("", name+"-auth", "ClusterRole", "system:auth-delegator"),
		bind("kube-system", name, "Role", "extension-apiserver-authentication-reader"),
	}
	for _, namespace := range inputs.Members {
		objects = append(objects,
			component.Role(namespace, Name,
				rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "replicationcontrollers", "services"}, Verbs: []string{"list"}},
				rbacv1.PolicyRule{
					APIGroups: []string{"apps"}, Resources: []string{"daemonsets", "deployments", "replicasets", "statefulsets"}, Verbs: []string{"list"},
				},
				rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"list"}}),
			bind(namespace, Name, "Role", Name))
	}
	return objects
}

const (
	portName    = "https"
	port        = 8443
	servicePort = 443
	userID      = 65532
	// startPeriod and startTimeout are how often a starting server is probed, and for how long, in seconds.
	startPeriod, startTimeout = 2, 3600
	// caDir has caFile with the certificates of the Prometheus, and tokenDir the key token of the Secret, if it exists.
	caDir, caFile = "/etc/prometheus-ca", "ca.crt"
	tokenDir      = "/etc/prometheus-token"
)

var selector = map[string]string{names.AppLabel: Name}

// authorities has the certificates that verify an https address of the Prometheus.
func authorities(inputs component.Inputs) *corev1.ConfigMap {
	config := component.ConfigMap(inputs.Mesh, Name, map[string]string{})
	if bundle := ptr.Deref(prometheus.Settings(inputs.Mesh).CABundle, ""); bundle != "" {
		config.Data[caFile] = string(bundle)
	}
	return config
}

// replicas is the number of pods. While none answers, the API server cannot delete namespaces, because it cannot list their TrafficMetrics.
const replicas = 2

// deployment has two pods, whose certificates are both in the APIService.
func deployment(inputs component.Inputs, config *corev1.ConfigMap) (*appsv1.Deployment, error) {
	secret := &corev1.SecretVolumeSource{
		SecretName: names.PrometheusTokenSecret, Optional: ptr.To(true),
		Items: []corev1.KeyToPath{{Key: "token", Path: "token"}},
	}
	settings := managedSettings(inputs.Mesh)
	servers, err := component.Server{
		Name: Name, Selector: selector, Strategy: component.RollingUpdate(), Scheduling: settings.SchedulingSpec,
		Overlay: settings.OverlaySpec, Pod: corev1.PodSpec{
			ServiceAccountName: Name,
			SecurityContext:    component.PodSecurity(userID),
			Containers:         []corev1.Container{container(inputs.Mesh, inputs.Image(image(), settings.Image))},
			Volumes:            []corev1.Volume{component.ConfigMapVolume("ca", Name), {Name: "token", VolumeSource: corev1.VolumeSource{Secret: secret}}},
		},
	}.Deployment(inputs.Mesh, config)
	if err == nil {
		servers.Spec.Replicas = ptr.To(int32(replicas))
	}
	return servers, err
}

func container(mesh *v1alpha1.Mesh, image string) corev1.Container {
	settings := managedSettings(mesh)
	health := component.HTTPProbe(corev1.URISchemeHTTPS, portName, "/healthz")
	// The server accepts requests once the API server has answered. A restart would not make it answer.
	started := health.DeepCopy()
	started.PeriodSeconds, started.FailureThreshold = startPeriod, startTimeout/startPeriod
	return corev1.Container{
		Name: "traffic-metrics", Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args: []string{
			fmt.Sprintf("--address=:%d", port),
			fmt.Sprintf("--host=%s.%s.svc", Name, component.Namespace(mesh)),
			"--prometheus=" + prometheus.Address(mesh),
			"--prometheus-ca=" + caDir + "/" + caFile,
			"--prometheus-token=" + tokenDir + "/token",
		},
		Ports:        []corev1.ContainerPort{{Name: portName, ContainerPort: port, Protocol: corev1.ProtocolTCP}},
		Resources:    ptr.Deref(settings.Resources, component.Resources("10m", "64Mi", "256Mi")),
		StartupProbe: started, ReadinessProbe: health, LivenessProbe: health,
		SecurityContext: component.ContainerSecurity(),
		VolumeMounts:    []corev1.VolumeMount{{Name: "ca", MountPath: caDir, ReadOnly: true}, {Name: "token", MountPath: tokenDir, ReadOnly: true}},
	}
}

// Name is the name of the objects of the server.
const Name = "osm-traffic-metrics"

// APIServiceName is the name of the APIService.
const APIServiceName = "v1alpha1.metrics.smi-spec.io"

// imageName is the default image without its version.
const imageName = "openservicemesh/osm-traffic-metrics"

func settings(mesh *v1alpha1.Mesh) v1alpha1.TrafficMetricsComponent {
	return ptr.Deref(ptr.Deref(mesh.Spec.Observability, v1alpha1.ObservabilitySpec{}).TrafficMetrics, v1alpha1.TrafficMetricsComponent{})
}

func managedSettings(mesh *v1alpha1.Mesh) v1alpha1.ManagedTrafficMetrics {
	return ptr.Deref(settings(mesh).Managed, v1alpha1.ManagedTrafficMetrics{})
}

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.TrafficMetricsMode {
	return ptr.Deref(settings(mesh).Mode, v1alpha1.TrafficMetricsDisabled)
}

// image is that of the operator's version.
func image() component.Image {
	return component.Image{
		Variable: "RELATED_IMAGE_TRAFFIC_METRICS", HelmKey: "trafficMetrics", Field: "spec.observability.trafficMetrics.managed.image",
		Reference: imageName + ":" + version.Version,
	}
}
