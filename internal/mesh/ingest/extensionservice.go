package ingest

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ExtensionService reads an ExtensionService (config.openservicemesh.io/v1alpha2). There is no entry without a usable address.
func ExtensionService(u *unstructured.Unstructured) (*catalog.ExtensionService, []Problem) {
	var found problems
	spec, ok := decodeSpec[configv1alpha2.ExtensionServiceSpec](specOf(u), &found)
	if !ok {
		return nil, found
	}
	protocol := strings.ToLower(spec.Protocol)
	service := &catalog.ExtensionService{
		Name: nameOf(u), Address: strings.ToLower(strings.TrimSuffix(spec.Host, ".")),
		ConnectTimeout: found.durationFrom("spec.connectTimeout", spec.ConnectTimeout, "2s", minTimeout),
	}
	usable := isExtensionServer("spec.host", "spec.port", service.Address, spec.Host, spec.Port, &found)
	switch {
	case protocol == "http":
		service.HTTP1 = true
	case !slices.Contains([]string{"", "h2c", "grpc"}, protocol):
		found.reject(ReasonUnknownProtocol, "spec.protocol is %.40q: write h2c or grpc for a server with HTTP/2 without TLS, or http for one with HTTP/1.1.", protocol)
		usable = false
	}
	if !usable {
		return nil, found
	}
	service.Port = uint16(spec.Port) //nolint:gosec // checked
	return service, found
}

// isExtensionServer reports whether sidecars may connect to a server. The loopback address is the sidecar itself: whoever may edit
// policies must not reach its admin interface through it.
func isExtensionServer(hostField, portField, address, written string, port int32, found *problems) bool {
	if !isAddress(hostField, address, written, "server", found) || !isPort(portField, port, "server", found) {
		return false
	}
	switch {
	case catalog.IsOwnHost(address):
		found.reject(ReasonInvalidName, "%s %.80q is the pod of each sidecar: write the name of a Service or of a server outside the cluster.", hostField, written)
	case names.IsReservedPort(uint16(port)): //nolint:gosec // checked
		found.reject(ReasonInvalidPort, "%s %d belongs to sidecars: the server needs another port.", portField, port)
	default:
		return true
	}
	return false
}
