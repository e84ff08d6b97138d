package ingest

import (
	"net/netip"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// isServer reports whether a server of the MeshConfig has a usable address and port. Otherwise it rejects the field. Written is the
// address as the user wrote it, and role describes the server.
func isServer(field, address, written string, port int, role string, found *problems) bool {
	return isAddress(field+".address", address, written, role, found) && isPort(field+".port", port, role, found)
}

func isAddress(field, address, written, role string, found *problems) bool {
	if _, err := netip.ParseAddr(address); err == nil || isHostName(address) {
		return true
	}
	found.reject(ReasonInvalidName, "%s %.80q is not a DNS name or an IP address: write the name of the %s.", field, written, role)
	return false
}

// isHostName reports whether a text is a DNS name. No top-level domain is a number: some resolvers read 127.1 as 127.0.0.1, so it is no name
// either.
func isHostName(text string) bool {
	top := text[strings.LastIndexByte(text, '.')+1:]
	_, err := strconv.ParseUint(top, 0, 64)
	return err != nil && strings.Trim(top, "0123456789") != "" && len(validation.IsDNS1123Subdomain(text)) == 0
}

func isPort[N int | int32 | int64](field string, port N, role string, found *problems) bool {
	if port >= 1 && port <= 65535 {
		return true
	}
	found.reject(ReasonInvalidPort, "%s is %d: write the port of the %s, 1 to 65535.", field, port, role)
	return false
}
