package prometheus

import (
	"slices"
	"strconv"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// sidecarsJob is the name of the job that scrapes sidecars.
const sidecarsJob = "osm-sidecars"

// metricsPort is the name of the metrics port of sidecars, as in OSM.
const metricsPort = "proxy-metrics"

// scrapeLimits bound what one scrape can store. A scrape beyond a limit fails as a whole, and other targets are not affected.
type scrapeLimits struct {
	SampleLimit           uint64 `json:"sample_limit,omitempty"`
	LabelLimit            uint64 `json:"label_limit,omitempty"`
	LabelNameLengthLimit  uint64 `json:"label_name_length_limit,omitempty"`
	LabelValueLengthLimit uint64 `json:"label_value_length_limit,omitempty"`
	BodySizeLimit         string `json:"body_size_limit,omitempty"`
}

// sidecarLimits are above what a sidecar with a thousand destinations reports. Whoever writes pods in a member namespace can answer scrapes.
var sidecarLimits = scrapeLimits{SampleLimit: 50_000, LabelLimit: 40, LabelNameLengthLimit: 128, LabelValueLengthLimit: 1024, BodySizeLimit: "32MB"}

// sidecarJob scrapes the sidecars of the member namespaces. Labels of the target replace those of a sample with the same name.
func sidecarJob(mesh string, members []string) scrapeConfig {
	return scrapeConfig{
		JobName: sidecarsJob, KubernetesSDConfigs: pods(members...), RelabelConfigs: sidecarTargets(mesh),
		MetricRelabelConfigs: sidecarSamples, scrapeLimits: sidecarLimits,
	}
}

// sidecarMonitor is sidecarJob for a prometheus-operator.
func sidecarMonitor(inputs component.Inputs) *monitoringv1.PodMonitor {
	body := monitoringv1.ByteSize(sidecarLimits.BodySizeLimit)
	return &monitoringv1.PodMonitor{
		TypeMeta: typeMeta(monitoringv1.PodMonitorsKind), ObjectMeta: component.Meta(inputs.Mesh, sidecarsJob),
		Spec: monitoringv1.PodMonitorSpec{
			NamespaceSelector: monitoringv1.NamespaceSelector{MatchNames: append([]string{component.Namespace(inputs.Mesh)}, inputs.Members...)},
			Selector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
				Key: names.ProxyUUIDLabel, Operator: metav1.LabelSelectorOpExists,
			}}},
			PodMetricsEndpoints: []monitoringv1.PodMetricsEndpoint{{
				Port: ptr.To(metricsPort), Interval: scrapeInterval,
				RelabelConfigs: converted(sidecarTargets(inputs.Mesh.Name)), MetricRelabelConfigs: converted(sidecarSamples),
			}},
			SampleLimit: &sidecarLimits.SampleLimit, LabelLimit: &sidecarLimits.LabelLimit, LabelNameLengthLimit: &sidecarLimits.LabelNameLengthLimit,
			LabelValueLengthLimit: &sidecarLimits.LabelValueLengthLimit, BodySizeLimit: &body,
		},
	}
}

// sidecarTargets selects and labels the metrics port of sidecars in pods with the annotations of "osm metrics enable".
func sidecarTargets(mesh string) []relabeling {
	return slices.Concat(scrapedSidecars, podLabels(mesh), ofSource)
}

// scrapedSidecars requires the number of the port and the name of the container, because every pod can name a port.
var scrapedSidecars = []relabeling{
	keep("true", "__meta_kubernetes_pod_annotation_prometheus_io_scrape"),
	keep(strconv.Itoa(names.PrometheusPort), "__meta_kubernetes_pod_annotation_prometheus_io_port"),
	keep(names.SidecarContainer+";"+metricsPort+";"+strconv.Itoa(names.PrometheusPort),
		"__meta_kubernetes_pod_container_name", "__meta_kubernetes_pod_container_port_name", "__meta_kubernetes_pod_container_port_number"),
	label("__metrics_path__", "(.+)", "$1", "__meta_kubernetes_pod_annotation_prometheus_io_path"),
}

// ofSource are the labels that OSM's Prometheus adds to the statistics of clients. As in OSM, a ReplicaSet counts as its Deployment.
var ofSource = []relabeling{
	label("source_namespace", "(.*)", "$1", "__meta_kubernetes_namespace"),
	label("source_pod_name", "(.*)", "$1", "__meta_kubernetes_pod_name"),
	label("source_service", "(.*)", "$1", "__meta_kubernetes_pod_label_app"),
	label("source_workload_kind", "(.*)", "$1", "__meta_kubernetes_pod_controller_kind"),
	label("source_workload_name", "(.*)", "$1", "__meta_kubernetes_pod_controller_name"),
	label("source_workload_name", "ReplicaSet;(.*)-[^-]+", "$1", "__meta_kubernetes_pod_controller_kind", "__meta_kubernetes_pod_controller_name"),
	label("source_workload_kind", "ReplicaSet", "Deployment", "source_workload_kind"),
}

const (
	nameLabel = "__name__"
	// inboundMetrics are counted by the sidecar of the server, and outboundMetrics by that of the client.
	inboundMetrics  = "envoy_osm_inbound_.*"
	outboundMetrics = "envoy_osm_(?:request|response|tcp)_.*"
	// workloadMetrics lose Envoy's prefix. Others keep it, so no sidecar can report a metric of the control plane.
	workloadMetrics = "envoy_(osm_(?:inbound|request|response|tcp)_.*)"
	// claimLabel has the namespace whose side of a connection a sample describes.
	claimLabel = "__tmp_claim"
	// replacedLabels are labels of a sample that its target has too. Prometheus keeps the sample's with this prefix.
	replacedLabels = "exported_.*"
)

// sidecarSamples are the rules for what a sidecar reports. It can prove its own side of a connection only: samples in the name of another
// namespace are dropped. What a client reports about its destination remains, with the client's namespace.
var sidecarSamples = slices.Concat(
	[]relabeling{
		keep("envoy_.*", nameLabel),
		label(claimLabel, "(.*)", "$1", "namespace"),
		label(claimLabel, inboundMetrics+";(.*)", "$1", nameLabel, "destination_namespace"),
		label(claimLabel, outboundMetrics+";(.+)", "$1", nameLabel, "exported_source_namespace"),
		{SourceLabels: []string{"namespace"}, TargetLabel: claimLabel, Action: "keepequal"},
		{Regex: claimLabel + "|" + replacedLabels, Action: "labeldrop"},
	},
	withoutSource(),
	[]relabeling{label(nameLabel, workloadMetrics, "$1", nameLabel)},
)

// withoutSource removes the labels of a source from the statistics that a server counts.
func withoutSource() []relabeling {
	ofSource := []string{"source_namespace", "source_pod_name", "source_service", "source_workload_kind", "source_workload_name"}
	return lists.Map(ofSource, func(target string) relabeling { return label(target, inboundMetrics, "", nameLabel) })
}
