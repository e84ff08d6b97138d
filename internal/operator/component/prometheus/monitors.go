package prometheus

import (
	"fmt"
	"regexp"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus/rules"
	"github.com/openservicemesh/osm-operator/internal/operator/metricsserver/servingcert"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Monitors describes the mesh to a prometheus-operator.
type Monitors struct{ component.Passive }

// Name implements component.Component.
func (Monitors) Name() string { return "prometheus-monitors" }

// Enabled implements component.Optional.
func (Monitors) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.PrometheusOperator }

// Requires implements component.Component.
func (Monitors) Requires() []component.Kind {
	kind := func(name, resource string) component.Kind {
		return component.Kind{GroupVersionKind: monitoringv1.SchemeGroupVersion.WithKind(name), Resource: resource}
	}
	return []component.Kind{
		kind(monitoringv1.PodMonitorsKind, monitoringv1.PodMonitorName),
		kind(monitoringv1.ServiceMonitorsKind, monitoringv1.ServiceMonitorName),
		kind(monitoringv1.PrometheusRuleKind, monitoringv1.PrometheusRuleName),
		component.V1("", "ConfigMap", "configmaps"),
	}
}

// Render implements component.Component.
func (Monitors) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	if inputs.OperatorAuthoritiesErr != nil {
		return nil, inputs.OperatorAuthoritiesErr
	}
	rule, err := prometheusRule(inputs)
	if err != nil {
		return nil, err
	}
	objects := []client.Object{controllerMonitor(inputs), injectorMonitor(inputs), sidecarMonitor(inputs), rule}
	if namespace := operatorNamespace(inputs); namespace != "" {
		authorities := map[string]string{servingcert.AuthoritiesKey: inputs.OperatorAuthorities}
		objects = append(objects, operatorMonitor(inputs, namespace), component.ConfigMap(inputs.Mesh, names.OperatorMetrics, authorities))
	}
	return component.Labelled(inputs, objects...)
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: monitoringv1.SchemeGroupVersion.String(), Kind: kind}
}

func controllerMonitor(inputs component.Inputs) *monitoringv1.ServiceMonitor {
	return &monitoringv1.ServiceMonitor{
		TypeMeta: typeMeta(monitoringv1.ServiceMonitorsKind), ObjectMeta: component.Meta(inputs.Mesh, names.Controller),
		Spec: monitoringv1.ServiceMonitorSpec{
			Selector: metav1.LabelSelector{MatchLabels: map[string]string{"app": names.Controller, names.MeshLabel: inputs.Mesh.Name}},
			Endpoints: []monitoringv1.Endpoint{{
				Port: healthPort, Interval: scrapeInterval,
				RelabelConfigs: converted([]relabeling{{TargetLabel: "mesh", Replacement: &inputs.Mesh.Name}}),
			}},
		},
	}
}

// healthPort is the name of the port of the control plane that serves metrics.
const healthPort = "healthz"

// injectorMonitor monitors pods, because the Service of the injector has no port for metrics.
func injectorMonitor(inputs component.Inputs) *monitoringv1.PodMonitor {
	return &monitoringv1.PodMonitor{
		TypeMeta: typeMeta(monitoringv1.PodMonitorsKind), ObjectMeta: component.Meta(inputs.Mesh, names.Injector),
		Spec: monitoringv1.PodMonitorSpec{
			Selector: metav1.LabelSelector{MatchLabels: map[string]string{"app": names.Injector}},
			PodMetricsEndpoints: []monitoringv1.PodMetricsEndpoint{{
				Port: ptr.To(healthPort), Interval: scrapeInterval,
				RelabelConfigs: converted([]relabeling{{TargetLabel: "mesh", Replacement: &inputs.Mesh.Name}}),
			}},
		},
	}
}

func prometheusRule(inputs component.Inputs) (*monitoringv1.PrometheusRule, error) {
	file, err := rules.ForMesh(inputs.Mesh.Name)
	if err != nil {
		return nil, fmt.Errorf("the rules of Prometheus cannot be read: %w", err)
	}
	object := &monitoringv1.PrometheusRule{TypeMeta: typeMeta(monitoringv1.PrometheusRuleKind), ObjectMeta: component.Meta(inputs.Mesh, Name)}
	for _, group := range file.Groups {
		converted := monitoringv1.RuleGroup{Name: group.Name}
		for _, r := range group.Rules {
			rule := monitoringv1.Rule{
				Record: r.Record, Alert: r.Alert, Expr: intstr.FromString(r.Expr), Labels: r.Labels, Annotations: r.Annotations,
			}
			if r.For != "" {
				rule.For = ptr.To(monitoringv1.Duration(r.For))
			}
			converted.Rules = append(converted.Rules, rule)
		}
		object.Spec.Groups = append(object.Spec.Groups, converted)
	}
	return object, nil
}

// converted writes relabelings in the format of prometheus-operator.
func converted(list []relabeling) []monitoringv1.RelabelConfig {
	return lists.Map(list, func(r relabeling) monitoringv1.RelabelConfig {
		sources := lists.Map(r.SourceLabels, func(source string) monitoringv1.LabelName { return monitoringv1.LabelName(source) })
		return monitoringv1.RelabelConfig{SourceLabels: sources, Regex: r.Regex, Replacement: r.Replacement, TargetLabel: r.TargetLabel, Action: r.Action}
	})
}

const (
	// metricsReader is the ClusterRole that the installation of the operator has for its metrics.
	metricsReader = "osm-operator-metrics-reader"
	// operatorPort is the name of the port of the operator that serves metrics, and operatorServicePort that of its Service.
	operatorPort, operatorServicePort = "metrics", "https-metrics"
	// operatorTokenDir has the token for the metrics of the operator.
	operatorTokenDir = "/var/run/secrets/operator.openservicemesh.io"
	// accountToken is the token of the ServiceAccount of a prometheus-operator's server.
	accountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

// operatorNamespace returns the namespace of the operator, or "" while no control plane runs, or if the operator serves no metrics.
func operatorNamespace(inputs component.Inputs) string {
	if len(inputs.ControlPlanes) == 0 || inputs.OperatorAuthorities == "" {
		return ""
	}
	return inputs.ControlPlanes[0].Parameters.OperatorNamespace
}

// operatorJob scrapes the operator, and drops what it reports about other meshes. The token is for these metrics only, and is sent to
// nobody else: all replicas serve a certificate of the same authorities.
func operatorJob(mesh, namespace string) scrapeConfig {
	return scrapeConfig{
		JobName: names.Operator, HonorLabels: true, Scheme: "https",
		Authorization: &tokenFile{CredentialsFile: operatorTokenDir + "/token"}, TLSConfig: &tlsConfig{CAFile: configDir + "/" + operatorAuthoritiesFile, ServerName: servingcert.ServerName(namespace)},
		KubernetesSDConfigs: pods(namespace),
		RelabelConfigs: []relabeling{
			keep(names.Operator, "__meta_kubernetes_pod_label_app"), keep(operatorPort, "__meta_kubernetes_pod_container_port_name"),
			label("namespace", "(.*)", "$1", "__meta_kubernetes_namespace"), label("pod", "(.*)", "$1", "__meta_kubernetes_pod_name"),
		},
		MetricRelabelConfigs: operatorSamples(mesh), scrapeLimits: sidecarLimits,
	}
}

// operatorSamples are the rules for what the operator reports: about this mesh and itself, and never what sidecars and the control plane count.
func operatorSamples(mesh string) []relabeling {
	return []relabeling{ofMesh(mesh), {SourceLabels: []string{nameLabel}, Regex: "envoy_.*|osm_(?:inbound|request|response|tcp|proxy|policy|denied)_.*", Action: "drop"}}
}

// ofMesh drops what the operator reports about other meshes.
func ofMesh(mesh string) relabeling { return keep("|"+regexp.QuoteMeta(mesh), "mesh") }

// operatorMonitor is operatorJob for a prometheus-operator. Its server needs the ClusterRole metricsReader, which its owner binds: the
// server's account is unknown to the operator of the mesh.
func operatorMonitor(inputs component.Inputs, namespace string) *monitoringv1.ServiceMonitor {
	endpoint := monitoringv1.Endpoint{
		Port: operatorServicePort, Interval: scrapeInterval, Scheme: "https", HonorLabels: true,
		MetricRelabelConfigs: converted(operatorSamples(inputs.Mesh.Name)),
	}
	endpoint.BearerTokenFile = accountToken //nolint:staticcheck // there is no other field for the token of the server itself
	authorities := &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: names.OperatorMetrics}, Key: servingcert.AuthoritiesKey}
	endpoint.TLSConfig = &monitoringv1.TLSConfig{SafeTLSConfig: monitoringv1.SafeTLSConfig{
		CA: monitoringv1.SecretOrConfigMap{ConfigMap: authorities}, ServerName: ptr.To(servingcert.ServerName(namespace)),
	}}
	return &monitoringv1.ServiceMonitor{
		TypeMeta: typeMeta(monitoringv1.ServiceMonitorsKind), ObjectMeta: component.Meta(inputs.Mesh, names.Operator),
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
	return []client.Object{
		component.Role(namespace, name, readPods()),
		component.Bind(inputs.Mesh, Name, namespace, name, "Role", name),
		component.Bind(inputs.Mesh, Name, "", name, "ClusterRole", metricsReader),
	}
}
