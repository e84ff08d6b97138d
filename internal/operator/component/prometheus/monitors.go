package prometheus

import (
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus/rules"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Monitors describes the mesh to a prometheus-operator.
type Monitors struct{}

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
	}
}

// Images implements component.Component. The prometheus-operator runs the server.
func (Monitors) Images() []component.Image { return nil }

// Render implements component.Component.
func (Monitors) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	rule, err := prometheusRule(inputs)
	if err != nil {
		return nil, err
	}
	objects := []client.Object{controllerMonitor(inputs), injectorMonitor(inputs), sidecarMonitor(inputs), rule}
	if namespace := operatorNamespace(inputs); namespace != "" {
		objects = append(objects, operatorMonitor(inputs, namespace))
	}
	return component.Labelled(inputs, objects...)
}

// Health implements component.Component. The prometheus-operator reports problems in Events of these objects.
func (Monitors) Health(live []*unstructured.Unstructured) component.Health {
	return component.AlwaysHealthy(live)
}

func meta(inputs component.Inputs, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: component.Namespace(inputs.Mesh), Name: name}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: monitoringv1.SchemeGroupVersion.String(), Kind: kind}
}

func controllerMonitor(inputs component.Inputs) *monitoringv1.ServiceMonitor {
	return &monitoringv1.ServiceMonitor{
		TypeMeta: typeMeta(monitoringv1.ServiceMonitorsKind), ObjectMeta: meta(inputs, names.Controller),
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
		TypeMeta: typeMeta(monitoringv1.PodMonitorsKind), ObjectMeta: meta(inputs, names.Injector),
		Spec: monitoringv1.PodMonitorSpec{
			Selector: metav1.LabelSelector{MatchLabels: map[string]string{"app": names.Injector}},
			PodMetricsEndpoints: []monitoringv1.PodMetricsEndpoint{{
				Port: ptr.To(healthPort), Interval: scrapeInterval,
				RelabelConfigs: converted([]relabeling{{TargetLabel: "mesh", Replacement: &inputs.Mesh.Name}}),
			}},
		},
	}
}

func sidecarMonitor(inputs component.Inputs) *monitoringv1.PodMonitor {
	relabelings := append(converted(scrapedSidecars), converted(identifying(inputs.Mesh.Name))...)
	return &monitoringv1.PodMonitor{
		TypeMeta: typeMeta(monitoringv1.PodMonitorsKind), ObjectMeta: meta(inputs, sidecarsJob),
		Spec: monitoringv1.PodMonitorSpec{
			NamespaceSelector: monitoringv1.NamespaceSelector{MatchNames: append([]string{component.Namespace(inputs.Mesh)}, inputs.Members...)},
			Selector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
				Key: names.ProxyUUIDLabel, Operator: metav1.LabelSelectorOpExists,
			}}},
			PodMetricsEndpoints: []monitoringv1.PodMetricsEndpoint{{
				Port: ptr.To(metricsPort), Interval: scrapeInterval, HonorLabels: true,
				RelabelConfigs: append(relabelings, converted(ofSource)...), MetricRelabelConfigs: converted(renamed),
			}},
		},
	}
}

func prometheusRule(inputs component.Inputs) (*monitoringv1.PrometheusRule, error) {
	file, err := rules.ForMesh(inputs.Mesh.Name)
	if err != nil {
		return nil, fmt.Errorf("the rules of Prometheus cannot be read: %w", err)
	}
	object := &monitoringv1.PrometheusRule{TypeMeta: typeMeta(monitoringv1.PrometheusRuleKind), ObjectMeta: meta(inputs, Name)}
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
	var all []monitoringv1.RelabelConfig
	for _, r := range list {
		config := monitoringv1.RelabelConfig{Regex: r.Regex, Replacement: r.Replacement, TargetLabel: r.TargetLabel, Action: r.Action}
		for _, source := range r.SourceLabels {
			config.SourceLabels = append(config.SourceLabels, monitoringv1.LabelName(source))
		}
		all = append(all, config)
	}
	return all
}
