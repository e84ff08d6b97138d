package xds

import (
	"fmt"
	"math"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/printable"
)

const (
	// maxBootstrapVersionLength limits the bootstrap version that a proxy reports.
	maxBootstrapVersionLength = 16
	// maxEpoch is the greatest epoch that a proxy can report. A greater one has no exact number in JSON.
	maxEpoch = 1 << 53
)

// recordSoftware records what a proxy reports about itself and returns whether it is served. Envoy sends the node with the first
// request of a stream. Other clients may send none.
func (s *Server) recordSoftware(stream *snapshot.Stream, peer Peer, node *core.Node) (served bool) {
	software := softwareOf(node)
	if peer.OSMProxy == nil { // the others have configuration for an earlier Envoy
		software.UnservedReason = s.config.Compatibility.UnsupportedReason(software.Envoy)
	}
	stream.SetSoftware(software)
	switch {
	case software.UnservedReason != "":
		s.metrics.rejected.WithLabelValues("envoy").Inc()
		s.log.info("A sidecar is not served", "pod", peer.Pod.String(), "reason", software.UnservedReason)
		return false
	case software.Envoy != "" && peer.OSMProxy == nil && !s.config.Compatibility.IsTested(software.Envoy):
		s.log.info("A sidecar runs an Envoy release that this version is not tested with", "pod", peer.Pod.String(), "envoy", software.Envoy)
	}
	return true
}

// softwareOf returns what a node reports. It is empty for clients other than Envoy.
func softwareOf(node *core.Node) (software status.Software) {
	if release := node.GetUserAgentBuildVersion().GetVersion(); node.GetUserAgentName() == "envoy" && release != nil {
		software.Envoy = fmt.Sprintf("%d.%d.%d", release.GetMajorNumber(), release.GetMinorNumber(), release.GetPatch())
	}
	metadata := node.GetMetadata().GetFields()
	software.Bootstrap = printable.Line(metadata["bootstrap_version"].GetStringValue())
	if len(software.Bootstrap) > maxBootstrapVersionLength {
		software.Bootstrap = ""
	}
	if slot := metadata[names.SlotMetadata].GetStringValue(); names.IsSlot(slot) {
		software.Slot = slot
	}
	software.Epoch = epochOf(node)
	return software
}

// epochOf returns the epoch that a node reports; 0 for none, and for one that no launcher counts to.
func epochOf(node *core.Node) uint64 {
	epoch := node.GetMetadata().GetFields()[names.EpochMetadata].GetNumberValue()
	if epoch < 0 || epoch > maxEpoch || epoch != math.Trunc(epoch) {
		return 0
	}
	return uint64(epoch)
}
