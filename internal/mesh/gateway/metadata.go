package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxNamedKeys is how many keys the status of a Gateway names.
const maxNamedKeys = 10

// MayHaveMetadata reports whether the Service of a Gateway with pods of its own may have a label or annotation of the Gateway. The Service is in the
// namespace of the mesh: its annotations configure load balancers and DNS names, past the policies of the namespace of the Gateway.
func MayHaveMetadata(class *catalog.GatewayClass, key string) bool {
	return !isReserved(key) && slices.ContainsFunc(class.Metadata, func(allowed string) bool {
		return allowed == key || strings.HasSuffix(allowed, "/") && strings.HasPrefix(key, allowed)
	})
}

// isReserved reports whether a label or annotation has a meaning for the operator, or for whoever finds the objects of a mesh.
func isReserved(key string) bool {
	prefix, _, qualified := strings.Cut(key, "/")
	if !qualified {
		return key == names.AppLabel || key == names.MeshNameLabel
	}
	return prefix == openServiceMesh || strings.HasSuffix(prefix, "."+openServiceMesh) || prefix == "app.kubernetes.io" || prefix == Group
}

// openServiceMesh is the domain of the labels and annotations of meshes. Prefixes are the domain or one below it.
const openServiceMesh = "openservicemesh.io"

// omittedMetadata describes the labels and annotations of a Gateway that its Service does not have; empty without any.
func omittedMetadata(class *catalog.GatewayClass, g *catalog.Gateway) string {
	reserved := lists.Filter(g.Metadata, isReserved)
	omitted := lists.Filter(g.Metadata, func(key string) bool { return !isReserved(key) && !MayHaveMetadata(class, key) })
	var texts []string
	if len(omitted) > 0 {
		texts = append(texts, fmt.Sprintf("The Service lacks these labels and annotations of spec.infrastructure: %s. Who manages the mesh can add them to "+
			"spec.ingressGateway.service.allowedMetadata of the Mesh.", firstKeys(omitted)))
	}
	if len(reserved) > 0 {
		texts = append(texts, fmt.Sprintf("The Service lacks these labels and annotations of spec.infrastructure, because the mesh uses such keys: %s. Remove them.",
			firstKeys(reserved)))
	}
	return strings.Join(texts, " ")
}

// firstKeys lists keys, and how many there are beyond maxNamedKeys.
func firstKeys(keys []string) string {
	if len(keys) <= maxNamedKeys {
		return strings.Join(keys, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(keys[:maxNamedKeys], ", "), len(keys)-maxNamedKeys)
}
