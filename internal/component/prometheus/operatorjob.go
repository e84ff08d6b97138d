package prometheus

import (
	"regexp"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/component"
	"github.com/openservicemesh/osm-operator/internal/names"
)

const (
	// metricsReader is the ClusterRole that the installation of the operator has for its metrics.
	metricsReader = "osm-operator-metrics-reader"
	// operatorPort is the name of the port of the operator that serves metrics.
	operatorPort = "metrics"
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
	ofMesh := keep("|"+regexp.QuoteMeta(mesh), "mesh")
	return scrapeConfig{
		JobName: names.Operator, HonorLabels: true, Scheme: "https",
		Authorization: &tokenFile{CredentialsFile: accountToken}, TLSConfig: &tlsConfig{InsecureSkipVerify: true},
		KubernetesSDConfigs: pods(namespace),
		RelabelConfigs: []relabeling{
			keep(names.Operator, "__meta_kubernetes_pod_label_app"), keep(operatorPort, "__meta_kubernetes_pod_container_port_name"),
			label("namespace", "(.*)", "$1", "__meta_kubernetes_namespace"), label("pod", "(.*)", "$1", "__meta_kubernetes_pod_name"),
		},
		MetricRelabelConfigs: []relabeling{ofMesh},
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
