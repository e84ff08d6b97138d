package prometheus

import (
	"regexp"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// metricsReader is the ClusterRole that the installation of the operator has for its metrics.
	metricsReader = "osm-operator-metrics-reader"
	// operatorPort is the name of the port of the operator that serves metrics, and operatorServicePort that of its Service.
	operatorPort, operatorServicePort = "metrics", "https-metrics"
	// accountToken is the token of the server's ServiceAccount.
	accountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // a path
)

// operatorNamespace returns the namespace of the operator, or "" while no control plane runs.
func operatorNamespace(inputs component.Inputs) string {
	if len(inputs.ControlPlanes) == 0 {
		return ""
	}
	return inputs.ControlPlanes[0].Parameters.OperatorNamespace
}

// operatorJob scrapes the operator, and drops what it reports about other meshes. The operator signs its own certificate.
func operatorJob(mesh, namespace string) scrapeConfig {
	return scrapeConfig{
		JobName: names.Operator, HonorLabels: true, Scheme: "https",
		Authorization: &tokenFile{CredentialsFile: accountToken}, TLSConfig: &tlsConfig{InsecureSkipVerify: true},
		KubernetesSDConfigs: pods(namespace),
		RelabelConfigs: []relabeling{
			keep(names.Operator, "__meta_kubernetes_pod_label_app"), keep(operatorPort, "__meta_kubernetes_pod_container_port_name"),
			label("namespace", "(.*)", "$1", "__meta_kubernetes_namespace"), label("pod", "(.*)", "$1", "__meta_kubernetes_pod_name"),
		},
		MetricRelabelConfigs: []relabeling{ofMesh(mesh)},
	}
}

// ofMesh drops what the operator reports about other meshes.
func ofMesh(mesh string) relabeling { return keep("|"+regexp.QuoteMeta(mesh), "mesh") }

// operatorMonitor is operatorJob for a prometheus-operator. Its server needs the ClusterRole metricsReader, which its owner binds: the
// server's account is unknown to the operator of the mesh.
func operatorMonitor(inputs component.Inputs, namespace string) *monitoringv1.ServiceMonitor {
	endpoint := monitoringv1.Endpoint{
		Port: operatorServicePort, Interval: scrapeInterval, Scheme: "https", HonorLabels: true,
		MetricRelabelConfigs: converted([]relabeling{ofMesh(inputs.Mesh.Name)}),
	}
	endpoint.BearerTokenFile = accountToken //nolint:staticcheck // there is no other field for the token of the server itself
	endpoint.TLSConfig = &monitoringv1.TLSConfig{SafeTLSConfig: monitoringv1.SafeTLSConfig{InsecureSkipVerify: ptr.To(true)}}
	return &monitoringv1.ServiceMonitor{
		TypeMeta: typeMeta(monitoringv1.ServiceMonitorsKind), ObjectMeta: meta(inputs, names.Operator),
		Spec: monitoringv1.ServiceMonitorSpec{
			NamespaceSelector: monitoringv1.NamespaceSelector{MatchNames: []string{namespace}},
			Selector:          metav1.LabelSelector{MatchLabels: map[string]string{"app": names.Operator}},
			Endpoints:         []monitoringv1.Endpoint{endpoint},
		},
	}
}

// operatorAccess allows the server to discover and scrape the operator. Meshes share the operator, so the names contain the mesh.
func operatorAccess(inputs component.Inputs) []client.Object {
	namespace := operatorNamespace(inputs)
	if namespace == "" {
		return nil
	}
	name := Name + "-" + inputs.Mesh.Name
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: Name, Namespace: component.Namespace(inputs.Mesh)}}
	return []client.Object{
		&rbacv1.Role{
			TypeMeta: rbacType("Role"), ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Rules: []rbacv1.PolicyRule{{APIGroups: []string{corev1.GroupName}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}}},
		},
		&rbacv1.RoleBinding{
			TypeMeta: rbacType("RoleBinding"), ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		},
		&rbacv1.ClusterRoleBinding{
			TypeMeta: rbacType("ClusterRoleBinding"), ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: metricsReader},
		},
	}
}

func rbacType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}
