package ingest

import (
	"strings"
	"time"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
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
	if isServer(field, server.Address, spec.Address, spec.Port, "authorization server", found) {
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
