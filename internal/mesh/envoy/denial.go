package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Values of the key denied_by of the access log. Policies of the mesh only allow, so a denial by RBAC means that none allows.
const (
	noPolicy             = "no policy"
	externalAuthorizer   = "external authorization"
	limitField           = "limit"
	globalLimitReached   = "request_rate_limited"
	localLimitReached    = "local_rate_limited"
	authorizationDetails = "ext_authz_"
	routeNotFound        = "route_not_found"
)

// requestDenial is an expression for the name of what denied a request; empty if it was not denied.
const requestDenial = "!has(response.code_details) ? '' : " +
	requestDenied + " || response.code_details == '" + routeNotFound + "' ? '" + noPolicy + "' : " +
	"response.code_details.startsWith('" + authorizationDetails + "') ? '" + externalAuthorizer + "' : " +
	"response.code_details == '" + localLimitReached + "' || response.code_details == '" + globalLimitReached + "' ? xds.route_metadata.filter_metadata['" + metadataNamespace + "']['" + limitField + "'] : ''"

// connectionDenial is requestDenial for a TCP connection.
const connectionDenial = connectionDenied + " ? '" + noPolicy + "' : ''"

// deniedBeforeRequest selects denied connections to HTTP ports. The logs of TCP ports contain theirs.
const deniedBeforeRequest = connectionDenied +
	" && !xds.filter_chain_name.endsWith('_tcp') && !xds.filter_chain_name.endsWith('_tcp-server-first')"

func deniedBy(expression string) string { return "%CEL(" + expression + ")%" }

// limitMetadata names the setting whose limit a route enforces; nil without limits of requests.
func limitMetadata(limits *scope.Limits) *corev3.Metadata {
	if limits == nil || limits.Requests == nil && len(limits.Routes) == 0 && limits.GlobalRequests == nil {
		return nil
	}
	return metadata(map[string]string{limitField: string(limits.Policy.Kind) + " " + limits.Policy.Name.String()})
}
