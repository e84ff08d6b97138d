package verdict

import (
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest" //nolint:staticcheck // its words make meshes read like sentences
)

// meshNamespace is the namespace of the mesh. Authorization policies there apply to all pods.
const meshNamespace = "osm-system"

// authorizationTimeout is never reached, and shorter than responseTimeout.
const authorizationTimeout = responseTimeout / 2

// anyAuthorizerPort draws the port of an authorization server. One has no server.
var anyAuthorizerPort = oneOf([]uint16{authorizers[0].port, authorizers[0].port, authorizers[1].port, authorizers[1].port, absentAuthorizerPort})

// drawConfiguredAuthorization draws the authorization server of the MeshConfig; usually none.
func drawConfiguredAuthorization(t *rapid.T) *catalog.ExternalAuthorization {
	if !oneIn(t, 4, "authorization") {
		return nil
	}
	return &catalog.ExternalAuthorization{
		Address: outsideAddresses[0].String(), Port: anyAuthorizerPort.Draw(t, "authorizer"), StatPrefix: "authorization",
		Timeout: authorizationTimeout, FailureModeAllow: oneIn(t, 2, "fail open"),
	}
}

// drawAuthorization draws an ExternalAuthorization for some or all pods.
func drawAuthorization(t *rapid.T, name catalog.Name) catalog.Entry {
	policy := &catalog.ExternalAuthorizationPolicy{Name: name, Service: Name(name.Namespace, "server"), Timeout: authorizationTimeout, FailureModeAllow: oneIn(t, 2, "fail open")}
	if oneIn(t, 3, "server of the mesh") {
		policy.Service.Namespace = meshNamespace
	}
	if !oneIn(t, 3, "all pods") {
		policy.Selector = map[string]string{appLabel: oneOf([]string{"x", "y"}).Draw(t, "selector")}
	}
	return policy
}

// drawExtensionService draws the authorization server of a namespace.
func drawExtensionService(t *rapid.T, name catalog.Name) catalog.Entry {
	return &catalog.ExtensionService{Name: name, Address: outsideAddresses[0].String(), Port: anyAuthorizerPort.Draw(t, "authorizer")}
}
