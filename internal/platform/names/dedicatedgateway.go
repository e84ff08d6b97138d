package names

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Labels on the objects of a Gateway of the Gateway API that has pods of its own.
const (
	// GatewayNameLabel has the name of the Gateway, as the Gateway API defines. LabelValue shortens it.
	GatewayNameLabel = "gateway.networking.k8s.io/gateway-name"
	// GatewayNamespaceLabel has the namespace of the Gateway.
	GatewayNamespaceLabel = "gateway.openservicemesh.io/gateway-namespace"
)

// Annotations of a GatewayClass, which the operator writes and the control plane reads.
const (
	// GatewayDeploymentAnnotation has the value GatewayDeploymentPerGateway if each Gateway has pods of its own. Otherwise all share those of the
	// ingress gateway.
	GatewayDeploymentAnnotation = "openservicemesh.io/gateway-deployment"
	GatewayDeploymentPerGateway = "PerGateway"
	// AllowedPortsAnnotation has the ports that listeners may use, separated by commas. Without it, they may use all.
	AllowedPortsAnnotation = "openservicemesh.io/allowed-ports"
	// AllowedMetadataAnnotation has the labels and annotations that such Gateways may give to their Services, separated by commas: keys, or domains with a
	// slash at the end. Without it, they may give none.
	AllowedMetadataAnnotation = "openservicemesh.io/allowed-metadata"
	// RejectedGatewaysAnnotation has the answers of the API server about objects of such Gateways that it rejects: an object in JSON with a text for each
	// NAMESPACE/NAME.
	RejectedGatewaysAnnotation = "openservicemesh.io/rejected-gateways"
)

// dedicatedGatewayPrefix begins the names of the objects of such Gateways.
const dedicatedGatewayPrefix = "osm-gateway-"

// maxLabel is the maximum length of a DNS label, and of the value of a label.
const maxLabel = 63

// DedicatedGateway returns the name of the Deployment and the Service of a Gateway that has pods of its own. It is a DNS label. The hash keeps
// names of different Gateways different: neither "a/b-c" and "a-b/c" nor long names with one beginning have the same.
func DedicatedGateway(namespace, name string) string {
	readable := dedicatedGatewayPrefix + namespace + "-" + strings.ReplaceAll(name, ".", "-")
	return shorten(readable, namespace+"/"+name)
}

// IsDedicatedGateway reports whether a name is one of DedicatedGateway.
func IsDedicatedGateway(name string) bool { return strings.HasPrefix(name, dedicatedGatewayPrefix) }

// LabelValue returns a name of an object as the value of a label. Those that are too long end with a hash.
func LabelValue(name string) string {
	if len(name) <= maxLabel {
		return name
	}
	return shorten(name, name)
}

// shorten returns a text of at most maxLabel bytes that ends with a hash of a full name. 64 bits are enough: nobody finds another name with the hash of a
// given one.
func shorten(text, full string) string {
	sum := sha256.Sum256([]byte(full))
	hash := hex.EncodeToString(sum[:8])
	text = text[:min(len(text), maxLabel-len(hash)-1)]
	return strings.TrimRight(text, "-.") + "-" + hash
}
