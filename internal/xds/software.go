package xds

import (
	"fmt"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// introduce notes what a sidecar is made of, and says whether it is served. Envoy tells it with the first request of a stream.
func (s *Server) introduce(stream *snapshot.Stream, peer Peer, node *core.Node) bool {
	software := softwareOf(node)
	software.Unserved = s.config.Contract.Refuses(software.Envoy)
	stream.Introduce(software)
	switch {
	case software.Unserved != "":
		s.metrics.refused.WithLabelValues("envoy").Inc()
		s.refusals.log("a sidecar is not served", "pod", peer.Pod.String(), "reason", software.Unserved)
		return false
	case software.Envoy != "" && !s.config.Contract.Tried(software.Envoy):
		s.refusals.log("a sidecar runs an Envoy that this version was not tried with", "pod", peer.Pod.String(), "envoy", software.Envoy)
	}
	return true
}

// softwareOf reads what a node says of itself; nothing is known of what is not Envoy.
func softwareOf(node *core.Node) (software snapshot.Software) {
	if release := node.GetUserAgentBuildVersion().GetVersion(); node.GetUserAgentName() == "envoy" && release != nil {
		software.Envoy = fmt.Sprintf("%d.%d.%d", release.GetMajorNumber(), release.GetMinorNumber(), release.GetPatch())
	}
	software.Bootstrap = node.GetMetadata().GetFields()["bootstrap_version"].GetStringValue()
	if len(software.Bootstrap) > maxBootstrap {
		software.Bootstrap = ""
	}
	return software
}

// maxBootstrap is the length of the longest bootstrap version that is believed to be one.
const maxBootstrap = 16
