package ingest

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation"
)

// isServer reports whether a server of the MeshConfig has a usable address and port. Otherwise it rejects the field. Written is the
// address as the user wrote it, and role describes the server.
func isServer(field, address, written string, port int, role string, found *problems) bool {
	_, notAddress := netip.ParseAddr(address)
	switch {
	case notAddress != nil && len(validation.IsDNS1123Subdomain(address)) > 0:
		found.reject(ReasonInvalidName, "%s.address %.80q is not a DNS name or an IP address: write the name of the %s.", field, written, role)
	case port < 1 || port > 65535:
		found.reject(ReasonInvalidPort, "%s.port is %d: write the port of the %s, 1 to 65535.", field, port, role)
	default:
		return true
	}
	return false
}
