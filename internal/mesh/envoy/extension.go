package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// extensionClusters are the servers outside the mesh that policies refer to.
func extensionClusters(s *scope.Scope) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	if s.AccessLog != nil && s.AccessLog.Export != nil {
		service := &s.AccessLog.Export.Service
		out = append(out, extensionCluster(extensionClusterName(service.Name), service, s.Key.Class))
	}
	for _, a := range s.Authorizations {
		name := PolicyAuthorizationCluster(a.MeshWide)
		if a.Service == nil {
			out = append(out, emptyCluster(name))
			continue
		}
		out = append(out, extensionCluster(name, a.Service, s.Key.Class))
	}
	return out
}

func extensionCluster(name string, service *catalog.ExtensionService, class scope.Class) *clusterv3.Cluster {
	out := serverCluster(name, service.Address, service.Port, class)
	if !service.HTTP1 {
		out.TypedExtensionProtocolOptions = map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(onlyHTTP2)}
	}
	if service.ConnectTimeout > 0 {
		out.ConnectTimeout = durationpb.New(service.ConnectTimeout)
	}
	return out
}

func extensionClusterName(name catalog.Name) string { return "extension|" + name.String() }
