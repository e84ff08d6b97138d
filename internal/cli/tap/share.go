package tap

import (
	"strconv"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Share is how many of a million requests have a line in access logs. The others have one only if they fail or take a second or more, or if `osm tap`
// looks at the pod.
type Share uint32

// AllRequests is the Share of a mesh that logs each request.
const AllRequests Share = catalog.AllRequests

// ShareOf returns the share that settings request.
func ShareOf(settings *catalog.Settings) Share { return AllRequests - Share(settings.UnloggedRequests) }

// idDigits is the number of hexadecimal digits of a request's identifier from which Envoy computes whether it is logged.
const idDigits = 8

// Selects reports whether the share selects the request with an identifier. Failures and slow requests that it does not select have lines too, so only
// selected ones are a sample of all requests. The decision is that of Envoy's runtime filter: the first digits of the identifier as a number, modulo a
// million, are less than the share. known is false for an identifier without these digits, which each sidecar decides by chance.
func (s Share) Selects(requestID string) (selected, known bool) {
	if s >= AllRequests {
		return true, true
	}
	if len(requestID) < idDigits {
		return false, false
	}
	number, err := strconv.ParseUint(requestID[:idDigits], 16, 32)
	return err == nil && number%uint64(AllRequests) < uint64(s), err == nil
}

// String returns the share in percent, such as "0.5%".
func (s Share) String() string {
	return strconv.FormatFloat(100*float64(s)/float64(AllRequests), 'f', -1, 64) + "%"
}
