package ingest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/names"
)

const (
	// defaultLifetime is the validity of workload certificates when the MeshConfig says nothing usable.
	defaultLifetime = 24 * time.Hour
	// minLifetime is the shortest validity of workload certificates.
	minLifetime = time.Minute
	// minResync is the shortest interval of resynchronisation.
	minResync = 30 * time.Second
)

// tlsVersions are the versions a MeshConfig may name, oldest first.
var tlsVersions = []string{"TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"}

const (
	defaultMinTLS = "TLSv1_2"
	defaultMaxTLS = "TLSv1_3"
)

// MeshConfig reads the settings that reach sidecars. No MeshConfig (nil) means that everything is off: nothing is allowed that
// no policy allows. Problems include the fields that are set and not acted on.
func MeshConfig(config *configv1alpha2.MeshConfig) (*catalog.Settings, []Problem) {
	if config == nil {
		return &catalog.Settings{TLS: catalog.TLS{MinVersion: defaultMinTLS, MaxVersion: defaultMaxTLS}}, nil
	}
	var found problems
	spec := &config.Spec
	settings := &catalog.Settings{
		Permissive: spec.Traffic.EnablePermissiveTrafficPolicyMode,
		Egress:     spec.Traffic.EnableEgress,
		TLS: catalog.TLS{
			CipherSuites: known("spec.sidecar.cipherSuites", spec.Sidecar.CipherSuites, CipherSuites(), &found),
			ECDHCurves:   known("spec.sidecar.ecdhCurves", spec.Sidecar.ECDHCurves, ECDHCurves(), &found),
		},
		RetryPolicies:           spec.FeatureFlags.EnableRetryPolicy,
		ActiveHealthChecks:      spec.FeatureFlags.EnableEnvoyActiveHealthChecks,
		EmptyRulesSelectNothing: spec.Traffic.RulesWithoutMatches == configv1alpha2.RulesWithoutMatchesNone,
		Leaving:                 leaving(config.Annotations[names.LeavingAnnotation]),
	}
	settings.TLS.MinVersion, settings.TLS.MaxVersion = tlsRange(spec.Sidecar, &found)
	_, durations := ServiceCertificateLifetime(spec)
	found = append(found, durations...)
	_, durations = ResyncInterval(spec)
	found = append(found, durations...)
	if ignored := IgnoredFields(spec); len(ignored) > 0 {
		found.warn(ReasonUnsupported, "This version of the mesh does not act on these fields yet: %s. Everything else in this MeshConfig is in force.", strings.Join(ignored, ", "))
	}
	return settings, found
}

// leaving reads the word of the operator that takes a mesh apart.
func leaving(word string) catalog.Leaving {
	switch word {
	case names.LeavingOpen:
		return catalog.LeavingOpen
	case names.LeavingTransparent:
		return catalog.LeavingTransparent
	}
	return 0
}

// tlsRange reads the TLS versions, or the defaults when they exclude each other.
func tlsRange(spec configv1alpha2.SidecarSpec, found *problems) (string, string) {
	least, most := string(spec.TLSMinProtocolVersion), string(spec.TLSMaxProtocolVersion)
	if least == "" {
		least = defaultMinTLS
	}
	if most == "" {
		most = defaultMaxTLS
	}
	for _, version := range []string{least, most} {
		if version != "TLS_AUTO" && !slices.Contains(tlsVersions, version) {
			found.refuse(ReasonInvalidTLS, "spec.sidecar names %.40q, which is not a version of TLS: use TLS_AUTO, TLSv1_2 or TLSv1_3. Sidecars use %s to %s.", version, defaultMinTLS, defaultMaxTLS)
			return defaultMinTLS, defaultMaxTLS
		}
	}
	// TLS_AUTO is not in the list and excludes nothing.
	if low, high := slices.Index(tlsVersions, least), slices.Index(tlsVersions, most); low >= 0 && high >= 0 && low > high {
		found.refuse(ReasonInvalidTLS, "spec.sidecar.tlsMinProtocolVersion %s is newer than spec.sidecar.tlsMaxProtocolVersion %s: swap them. Sidecars use %s to %s.", least, most, defaultMinTLS, defaultMaxTLS)
		return defaultMinTLS, defaultMaxTLS
	}
	return least, most
}

// ServiceCertificateLifetime is how long certificates of workloads are valid: spec.certificate.serviceCertValidityDuration, or
// 24 hours when that is not a usable duration, as OSM has it.
func ServiceCertificateLifetime(spec *configv1alpha2.MeshConfigSpec) (time.Duration, []Problem) {
	const field = "spec.certificate.serviceCertValidityDuration"
	text := spec.Certificate.ServiceCertValidityDuration
	lifetime, err := time.ParseDuration(text)
	var found problems
	switch {
	case err != nil:
		found.refuse(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 24h or 90m. Certificates are valid for %s.", field, text, defaultLifetime)
	case lifetime <= 0:
		found.refuse(ReasonInvalidDuration, "%s %s is not above zero: write for example 24h. Certificates are valid for %s.", field, text, defaultLifetime)
	case lifetime < minLifetime:
		found.refuse(ReasonInvalidDuration, "%s %s is too short: write at least %s. Certificates are valid for %s.", field, text, minLifetime, minLifetime)
		return minLifetime, found
	default:
		return lifetime, nil
	}
	return defaultLifetime, found
}

// ResyncInterval is how often everything is built and compared again: spec.sidecar.configResyncInterval. 0 means never, also when that
// is not a usable duration or, as OSM has it, shorter than 30 seconds.
func ResyncInterval(spec *configv1alpha2.MeshConfigSpec) (time.Duration, []Problem) {
	const field = "spec.sidecar.configResyncInterval"
	text := spec.Sidecar.ConfigResyncInterval
	if text == "" {
		return 0, nil
	}
	interval, err := time.ParseDuration(text)
	var found problems
	switch {
	case err != nil || interval < 0:
		found.refuse(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 0s or 5m. Nothing is resynchronised.", field, text)
	case interval > 0 && interval < minResync:
		found.warn(ReasonInvalidDuration, "%s %s is shorter than %s and ignored: write at least that, or 0s for never.", field, text, minResync)
	default:
		return interval, nil
	}
	return 0, found
}

// notActedOn lists the fields that no code acts on yet, and how to tell that they ask for something. A field leaves this list
// in the change that makes it work. Not in it are switches that OSM's preset turns on for features whose objects this version
// does not have: nobody asked for anything by them.
var notActedOn = []struct {
	path string
	set  func(*configv1alpha2.MeshConfigSpec) bool
}{
	{"sidecar.envoyWindowsImage", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Sidecar.EnvoyWindowsImage != "" }},
	{"traffic.inboundExternalAuthorization", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Traffic.InboundExternalAuthorization.Enable }},
	{"observability.tracing", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Observability.Tracing.Enable }},
	{"certificate.ingressGateway", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Certificate.IngressGateway != nil }},
	{"featureFlags.enableMulticlusterMode", func(s *configv1alpha2.MeshConfigSpec) bool { return s.FeatureFlags.EnableMulticlusterMode }},
}

// IgnoredFields are the paths, for example spec.observability.tracing, of fields that ask for something and are not acted on.
func IgnoredFields(spec *configv1alpha2.MeshConfigSpec) []string {
	var paths []string
	for _, field := range notActedOn {
		if field.set(spec) {
			paths = append(paths, fmt.Sprintf("spec.%s", field.path))
		}
	}
	return paths
}
