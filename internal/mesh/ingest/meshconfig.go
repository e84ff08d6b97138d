package ingest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// defaultLifetime is the validity of workload certificates without a valid setting.
	defaultLifetime = 24 * time.Hour
	// minLifetime is the shortest validity of workload certificates.
	minLifetime = time.Minute
	// minKeySize is the smallest and the default size of RSA keys in bits, maxKeySize the largest.
	minKeySize, maxKeySize = 2048, 4096
	// minResync is the shortest resync interval.
	minResync = 30 * time.Second
)

// tlsVersions are the versions a MeshConfig may name, oldest first.
var tlsVersions = []string{"TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"}

const (
	defaultMinTLS = "TLSv1_2"
	defaultMaxTLS = "TLSv1_3"
)

// MeshConfig reads the settings that reach sidecars. Without a MeshConfig (nil) every feature is off and only policies
// allow traffic. The problems include fields that are set but not supported.
func MeshConfig(config *configv1alpha2.MeshConfig) (*catalog.Settings, []Problem) {
	if config == nil {
		return &catalog.Settings{TLS: catalog.TLS{MinVersion: defaultMinTLS, MaxVersion: defaultMaxTLS}}, nil
	}
	var found problems
	spec := &config.Spec
	settings := &catalog.Settings{
		Namespace:  config.Namespace,
		Permissive: spec.Traffic.EnablePermissiveTrafficPolicyMode,
		Egress:     spec.Traffic.EnableEgress,
		TLS: catalog.TLS{
			CipherSuites: knownNames("spec.sidecar.cipherSuites", spec.Sidecar.CipherSuites, CipherSuites(), &found),
			ECDHCurves:   knownNames("spec.sidecar.ecdhCurves", spec.Sidecar.ECDHCurves, ECDHCurves(), &found),
		},
		RetryPolicies:           spec.FeatureFlags.EnableRetryPolicy,
		EgressPolicies:          spec.FeatureFlags.EnableEgressPolicy,
		IngressBackends:         spec.FeatureFlags.EnableIngressBackendPolicy,
		ActiveHealthChecks:      spec.FeatureFlags.EnableEnvoyActiveHealthChecks,
		EmptyRulesSelectNothing: spec.Traffic.RulesWithoutMatches == configv1alpha2.RulesWithoutMatchesNone,
		Teardown:                teardownMode(config.Annotations[names.TeardownAnnotation]),
	}
	settings.ExternalAuthorization = externalAuthorization(&spec.Traffic.InboundExternalAuthorization, &found)
	settings.Tracing = tracing(&spec.Observability.Tracing, config.Namespace, &found)
	settings.TLS.MinVersion, settings.TLS.MaxVersion = tlsRange(spec.Sidecar, &found)
	_, durations := ServiceCertificateLifetime(spec)
	found = append(found, durations...)
	_, durations = ResyncInterval(spec)
	found = append(found, durations...)
	replacedSettings(spec, &found)
	if ignored := IgnoredFields(spec); len(ignored) > 0 {
		found.warn(ReasonUnsupported, "This version of the mesh does not act on these fields yet: %s. Everything else in this MeshConfig is in force.", strings.Join(ignored, ", "))
	}
	return settings, found
}

// replacedSettings warns about values that OSM accepts and replaces by defaults.
func replacedSettings(spec *configv1alpha2.MeshConfigSpec, found *problems) {
	levels := []string{"trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"}
	if level := spec.Observability.OSMLogLevel; level != "" && !slices.Contains(levels, level) {
		found.warn(ReasonUnsupported, "spec.observability.osmLogLevel %.40q is not a log level and means info: use one of %s.", level, strings.Join(levels, ", "))
	}
	if bits := spec.Certificate.CertKeyBitSize; bits != 0 && (bits < minKeySize || bits > maxKeySize) {
		found.warn(ReasonUnsupported, "spec.certificate.certKeyBitSize %d is out of range and means %d: write a number from %d to %d.", bits, minKeySize, minKeySize, maxKeySize)
	}
}

// teardownMode reads the annotation of the operator during removal of a mesh.
func teardownMode(annotation string) catalog.Teardown {
	switch annotation {
	case names.TeardownOpen:
		return catalog.TeardownOpen
	case names.TeardownPassthrough:
		return catalog.TeardownPassthrough
	}
	return 0
}

// tlsRange reads the TLS versions, or returns the defaults when they exclude each other.
func tlsRange(spec configv1alpha2.SidecarSpec, found *problems) (string, string) {
	minimum, maximum := string(spec.TLSMinProtocolVersion), string(spec.TLSMaxProtocolVersion)
	if minimum == "" {
		minimum = defaultMinTLS
	}
	if maximum == "" {
		maximum = defaultMaxTLS
	}
	for _, version := range []string{minimum, maximum} {
		if version != "TLS_AUTO" && !slices.Contains(tlsVersions, version) {
			found.reject(ReasonInvalidTLS, "spec.sidecar names %.40q, which is not a version of TLS: use TLS_AUTO, TLSv1_2 or TLSv1_3.", version)
			found.effect("Sidecars use %s to %s.", defaultMinTLS, defaultMaxTLS)
			return defaultMinTLS, defaultMaxTLS
		}
	}
	// TLS_AUTO has the index -1 and excludes nothing.
	if low, high := slices.Index(tlsVersions, minimum), slices.Index(tlsVersions, maximum); high >= 0 && low > high {
		found.reject(ReasonInvalidTLS, "spec.sidecar.tlsMinProtocolVersion %s is newer than spec.sidecar.tlsMaxProtocolVersion %s: swap them.", minimum, maximum)
		found.effect("Sidecars use %s to %s.", defaultMinTLS, defaultMaxTLS)
		return defaultMinTLS, defaultMaxTLS
	}
	return minimum, maximum
}

// ServiceCertificateLifetime is the validity of workload certificates: spec.certificate.serviceCertValidityDuration,
// or 24 hours when that is not a valid duration, as in OSM.
func ServiceCertificateLifetime(spec *configv1alpha2.MeshConfigSpec) (time.Duration, []Problem) {
	const field = "spec.certificate.serviceCertValidityDuration"
	text := spec.Certificate.ServiceCertValidityDuration
	lifetime, err := time.ParseDuration(text)
	var found problems
	switch {
	case err != nil:
		found.reject(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 24h or 90m.", field, text)
		found.effect("Certificates are valid for %s.", defaultLifetime)
	case lifetime <= 0:
		found.reject(ReasonInvalidDuration, "%s %s is not above zero: write for example 24h.", field, text)
		found.effect("Certificates are valid for %s.", defaultLifetime)
	case lifetime < minLifetime:
		found.reject(ReasonInvalidDuration, "%s %s is too short: write at least %s.", field, text, minLifetime)
		found.effect("Certificates are valid for %s.", minLifetime)
		return minLifetime, found
	default:
		return lifetime, nil
	}
	return defaultLifetime, found
}

// ResyncInterval is the interval at which all sidecars are updated again: spec.sidecar.configResyncInterval. 0 means
// never. Invalid durations and, as in OSM, durations below 30 seconds mean 0.
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
		found.reject(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 0s or 5m.", field, text)
		found.effect("Nothing is resynchronised.")
	case interval > 0 && interval < minResync:
		found.warn(ReasonInvalidDuration, "%s %s is shorter than %s and ignored: write at least that, or 0s for never.", field, text, minResync)
	default:
		return interval, nil
	}
	return 0, found
}

// unsupportedFields lists the fields that no code supports yet. Remove a field in the change that implements it.
// Switches that OSM's presets turn on for features without objects in this version are not listed, because users did
// not request them.
var unsupportedFields = []struct {
	path string
	set  func(*configv1alpha2.MeshConfigSpec) bool
}{
	{"sidecar.envoyWindowsImage", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Sidecar.EnvoyWindowsImage != "" }},
	{"featureFlags.enableMulticlusterMode", func(s *configv1alpha2.MeshConfigSpec) bool { return s.FeatureFlags.EnableMulticlusterMode }},
}

// IgnoredFields are the paths of unsupported fields that are set, for example spec.sidecar.envoyWindowsImage.
func IgnoredFields(spec *configv1alpha2.MeshConfigSpec) []string {
	var paths []string
	for _, field := range unsupportedFields {
		if field.set(spec) {
			paths = append(paths, fmt.Sprintf("spec.%s", field.path))
		}
	}
	return paths
}
