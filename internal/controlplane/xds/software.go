package xds

import (
	"fmt"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/platform/printable"
)

// maxBootstrapVersionLength limits the bootstrap version that a proxy reports.
const maxBootstrapVersionLength = 16

// recordSoftware records what a proxy reports about itself and returns whether it is served. Envoy sends the node with the first
// request of a stream.
func (s *Server) recordSoftware(stream *snapshot.Stream, peer Peer, node *core.Node) (served bool) {
	software := softwareOf(node)
	software.UnservedReason = s.config.Compatibility.UnsupportedReason(software.Envoy)
	stream.SetSoftware(software)
	switch {
	case software.UnservedReason != "":
		s.metrics.rejected.WithLabelValues("envoy").Inc()
		s.log.info("A sidecar is not served", "pod", peer.Pod.String(), "reason", software.UnservedReason)
		return false
	case software.Envoy != "" && !s.config.Compatibility.IsTested(software.Envoy):
		s.log.info("A sidecar runs an Envoy release that this version is not tested with", "pod", peer.Pod.String(), "envoy", software.Envoy)
	}
	return true
}

// softwareOf returns what a node reports. It is empty for clients other than Envoy.
func softwareOf(node *core.Node) (software status.Software) {
	if release := node.GetUserAgentBuildVersion().GetVersion(); node.GetUserAgentName() == "envoy" && release != nil {
		software.Envoy = fmt.Sprintf("%d.%d.%d", release.GetMajorNumber(), release.GetMinorNumber(), release.GetPatch())
	}
	software.Bootstrap = printable.Text(node.GetMetadata().GetFields()["bootstrap_version"].GetStringValue())
	if len(software.Bootstrap) > maxBootstrapVersionLength {
		software.Bootstrap = ""
	}
	return software
}
