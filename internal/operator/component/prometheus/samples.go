package prometheus

import "slices"

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
	var list []relabeling
	for _, target := range []string{"source_namespace", "source_pod_name", "source_service", "source_workload_kind", "source_workload_name"} {
		list = append(list, label(target, inboundMetrics, "", nameLabel))
	}
	return list
}
