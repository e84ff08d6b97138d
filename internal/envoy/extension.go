package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// extensionClusters are the servers outside the mesh that policies refer to.
func extensionClusters(s *scope.Scope) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	if s.AccessLog != nil && s.AccessLog.Export != nil {
		out = append(out, extensionCluster(&s.AccessLog.Export.Service, s.Key.Class))
	}
	return out
}

func extensionCluster(service *catalog.ExtensionService, class scope.Class) *clusterv3.Cluster {
	out := serverCluster(extensionClusterName(service.Name), service.Address, service.Port, class)
	if !service.HTTP1 {
		out.TypedExtensionProtocolOptions = map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(onlyHTTP2)}
	}
	if service.ConnectTimeout > 0 {
		out.ConnectTimeout = durationpb.New(service.ConnectTimeout)
	}
	return out
}

func extensionClusterName(name catalog.Name) string { return "extension|" + name.String() }
