package ingest

import (
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

const (
	// defaultAuthorizationTimeout and defaultAuthorizationPrefix are those of OSM.
	defaultAuthorizationTimeout = time.Second
	defaultAuthorizationPrefix  = "inboundExtAuthz"
	// maxAuthorizationTimeout bounds how long a server can delay requests.
	maxAuthorizationTimeout = time.Minute
)

// externalAuthorization reads the server that authorizes inbound requests; nil if it is disabled. A server without a usable address is
// one that never answers: ignoring it would allow what it should deny.
func externalAuthorization(spec *configv1alpha2.ExternalAuthorizationSpec, found *problems) *catalog.ExternalAuthorization {
	if !spec.Enable {
		return nil
	}
	const field = "spec.traffic.inboundExternalAuthorization"
	server := &catalog.ExternalAuthorization{
		Address: strings.ToLower(strings.TrimSuffix(spec.Address, ".")), Port: uint16(spec.Port), //nolint:gosec // checked below
		StatPrefix: spec.StatPrefix, Timeout: authorizationTimeout(field+".timeout", spec.Timeout, found), FailureModeAllow: spec.FailureModeAllow,
	}
	if server.StatPrefix == "" {
		server.StatPrefix = defaultAuthorizationPrefix
	}
	_, notAddress := netip.ParseAddr(server.Address)
	switch {
	case notAddress != nil && len(validation.IsDNS1123Subdomain(server.Address)) > 0:
		found.reject(ReasonInvalidName, "%s.address %.80q is not a DNS name or an IP address: write the name of the authorization server.", field, spec.Address)
	case spec.Port < 1 || spec.Port > 65535:
		found.reject(ReasonInvalidPort, "%s.port is %d: write the port of the authorization server, 1 to 65535.", field, spec.Port)
	default:
		return server
	}
	server.Address, server.Port = "", 0
	if server.FailureModeAllow {
		found.effect("No request is sent to it, and all are allowed, because failureModeAllow is true.")
	} else {
		found.effect("Inbound HTTP requests are denied with status 503, because failureModeAllow is false.")
	}
	return server
}

func authorizationTimeout(field, text string, found *problems) time.Duration {
	if text == "" {
		return defaultAuthorizationTimeout
	}
	timeout, err := time.ParseDuration(text)
	switch {
	case err != nil:
		found.reject(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 1s or 250ms.", field, text)
	case timeout < minTimeout || timeout > maxAuthorizationTimeout:
		found.reject(ReasonInvalidDuration, "%s %s is out of range: write a duration from %s to %s.", field, text, minTimeout, maxAuthorizationTimeout)
	default:
		return timeout
	}
	found.effect("The timeout is %s.", defaultAuthorizationTimeout)
	return defaultAuthorizationTimeout
}
