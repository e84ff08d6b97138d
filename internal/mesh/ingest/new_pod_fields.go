package ingest

import (
	"fmt"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// newPodFields lists the fields that only the injector reads, and whether they differ from their defaults.
var newPodFields = []struct {
	path string
	set  func(*configv1alpha2.MeshConfigSpec) bool
}{
	{"sidecar.enablePrivilegedInitContainer", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Sidecar.EnablePrivilegedInitContainer }},
	{"sidecar.logLevel", func(s *configv1alpha2.MeshConfigSpec) bool {
		return s.Sidecar.LogLevel != "" && s.Sidecar.LogLevel != "error"
	}},
	{"sidecar.envoyImage", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Sidecar.EnvoyImage != "" }},
	{"sidecar.initContainerImage", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Sidecar.InitContainerImage != "" }},
	{"sidecar.resources", func(s *configv1alpha2.MeshConfigSpec) bool {
		return len(s.Sidecar.Resources.Limits)+len(s.Sidecar.Resources.Requests) > 0
	}},
	{"sidecar.statistics", func(s *configv1alpha2.MeshConfigSpec) bool {
		return s.Sidecar.Statistics == configv1alpha2.StatisticsAll
	}},
	{"sidecar.localProxyMode", func(s *configv1alpha2.MeshConfigSpec) bool {
		return s.Sidecar.LocalProxyMode == configv1alpha2.LocalProxyModePodIP
	}},
	{"traffic.outboundIPRangeExclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.OutboundIPRangeExclusionList) > 0 }},
	{"traffic.outboundIPRangeInclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.OutboundIPRangeInclusionList) > 0 }},
	{"traffic.outboundPortExclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.OutboundPortExclusionList) > 0 }},
	{"traffic.inboundPortExclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.InboundPortExclusionList) > 0 }},
	{"traffic.networkInterfaceExclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.NetworkInterfaceExclusionList) > 0 }},
}

// NewPodFields are the paths of fields that are set and apply to new pods only, for example spec.sidecar.logLevel.
func NewPodFields(spec *configv1alpha2.MeshConfigSpec) []string {
	var paths []string
	for _, field := range newPodFields {
		if field.set(spec) {
			paths = append(paths, fmt.Sprintf("spec.%s", field.path))
		}
	}
	return paths
}
