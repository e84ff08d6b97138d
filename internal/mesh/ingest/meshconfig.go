package ingest

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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
	var found Problems
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
	settings.UnloggedRequests = unloggedRequests(spec.Observability.AccessLog.SamplingPercentage, &found)
	settings.Tracing = tracing(&spec.Observability.Tracing, config.Namespace, &found)
	settings.TLS.MinVersion, settings.TLS.MaxVersion = tlsRange(spec.Sidecar, &found)
	_, durations := ServiceCertificateLifetime(spec)
	found = append(found, durations...)
	_, durations = ResyncInterval(spec)
	found = append(found, durations...)
	replacedSettings(spec, &found)
	if ignored := IgnoredFields(spec); len(ignored) > 0 {
		found.Warn(ReasonUnsupported, "This version of the mesh does not act on these fields yet: %s. Everything else in this MeshConfig is in force.", strings.Join(ignored, ", "))
	}
	return settings, found
}

// replacedSettings warns about values that OSM accepts and replaces by defaults.
func replacedSettings(spec *configv1alpha2.MeshConfigSpec, found *Problems) {
	levels := []string{"trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"}
	if level := spec.Observability.OSMLogLevel; level != "" && !slices.Contains(levels, level) {
		found.Warn(ReasonUnsupported, "spec.observability.osmLogLevel %.40q is not a log level and means info: use one of %s.", level, strings.Join(levels, ", "))
	}
	if bits := spec.Certificate.CertKeyBitSize; bits != 0 && (bits < minKeySize || bits > maxKeySize) {
		found.Warn(ReasonUnsupported, "spec.certificate.certKeyBitSize %d is out of range and means %d: write a number from %d to %d.", bits, minKeySize, minKeySize, maxKeySize)
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
func tlsRange(spec configv1alpha2.SidecarSpec, found *Problems) (string, string) {
	minimum, maximum := cmp.Or(string(spec.TLSMinProtocolVersion), defaultMinTLS), cmp.Or(string(spec.TLSMaxProtocolVersion), defaultMaxTLS)
	for _, version := range []string{minimum, maximum} {
		if version != "TLS_AUTO" && !slices.Contains(tlsVersions, version) {
			found.Reject(ReasonInvalidTLS, "spec.sidecar names %.40q, which is not a version of TLS: use TLS_AUTO, TLSv1_2 or TLSv1_3.", version)
			found.Effect("Sidecars use %s to %s.", defaultMinTLS, defaultMaxTLS)
			return defaultMinTLS, defaultMaxTLS
		}
	}
	// TLS_AUTO has the index -1 and excludes nothing.
	if low, high := slices.Index(tlsVersions, minimum), slices.Index(tlsVersions, maximum); high >= 0 && low > high {
		found.Reject(ReasonInvalidTLS, "spec.sidecar.tlsMinProtocolVersion %s is newer than spec.sidecar.tlsMaxProtocolVersion %s: swap them.", minimum, maximum)
		found.Effect("Sidecars use %s to %s.", defaultMinTLS, defaultMaxTLS)
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
	var found Problems
	switch {
	case err != nil:
		found.Reject(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 24h or 90m.", field, text)
		found.Effect("Certificates are valid for %s.", defaultLifetime)
	case lifetime <= 0:
		found.Reject(ReasonInvalidDuration, "%s %s is not above zero: write for example 24h.", field, text)
		found.Effect("Certificates are valid for %s.", defaultLifetime)
	case lifetime < minLifetime:
		found.Reject(ReasonInvalidDuration, "%s %s is too short: write at least %s.", field, text, minLifetime)
		found.Effect("Certificates are valid for %s.", minLifetime)
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
	var found Problems
	switch {
	case err != nil || interval < 0:
		found.Reject(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 0s or 5m.", field, text)
		found.Effect("Nothing is resynchronised.")
	case interval > 0 && interval < minResync:
		found.Warn(ReasonInvalidDuration, "%s %s is shorter than %s and ignored: write at least that, or 0s for never.", field, text, minResync)
	default:
		return interval, nil
	}
	return 0, found
}

// unsupportedFields lists the fields that no code supports yet. Remove a field in the change that implements it.
// Switches that OSM's presets turn on for features without objects in this version are not listed, because users did
// not request them.
var unsupportedFields = []specField{
	{"sidecar.envoyWindowsImage", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Sidecar.EnvoyWindowsImage != "" }},
	{"featureFlags.enableMulticlusterMode", func(s *configv1alpha2.MeshConfigSpec) bool { return s.FeatureFlags.EnableMulticlusterMode }},
}

// IgnoredFields are the paths of unsupported fields that are set, for example spec.sidecar.envoyWindowsImage.
func IgnoredFields(spec *configv1alpha2.MeshConfigSpec) []string {
	return pathsOf(unsupportedFields, spec)
}

// specField is a field of a MeshConfig, with its path below spec and whether it is set.
type specField struct {
	path string
	set  func(*configv1alpha2.MeshConfigSpec) bool
}

// pathsOf returns the paths of the fields that are set.
func pathsOf(fields []specField, spec *configv1alpha2.MeshConfigSpec) []string {
	set := lists.Filter(fields, func(field specField) bool { return field.set(spec) })
	return lists.Map(set, func(field specField) string { return "spec." + field.path })
}

// CipherSuites are the TLS 1.2 cipher suites that sidecars support, by Envoy's names. Envoy rejects a listener or
// cluster with any other.
func CipherSuites() []string {
	return []string{
		"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
		"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
		"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
		"AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA",
	}
}

// ECDHCurves are the curves that sidecars support, by Envoy's names.
func ECDHCurves() []string { return []string{"X25519", "P-256", "P-384", "P-521", "X25519MLKEM768"} }

// knownNames returns the names that sidecars support. One unsupported name would make every sidecar reject every
// listener and cluster. An empty result means Envoy's defaults.
func knownNames(field string, names, all []string, found *Problems) []string {
	var good, bad []string
	for _, name := range names {
		if slices.Contains(all, name) {
			good = append(good, name)
		} else {
			bad = append(bad, name)
		}
	}
	if len(bad) > 0 {
		found.Reject(ReasonInvalidTLS, "%s names %.80q, which sidecars do not support: use %s.", field, strings.Join(bad, ", "), strings.Join(all, ", "))
		found.Effect("These are left out.")
	}
	return good
}

// isServer reports whether a server of the MeshConfig has a usable address and port. Otherwise it rejects the field. Written is the
// address as the user wrote it, and role describes the server.
func isServer(field, address, written string, port int, role string, found *Problems) bool {
	return isAddress(field+".address", address, written, role, found) && isPort(field+".port", port, role, found)
}

func isAddress(field, address, written, role string, found *Problems) bool {
	if _, err := netip.ParseAddr(address); err == nil || isHostName(address) {
		return true
	}
	found.Reject(ReasonInvalidName, "%s %.80q is not a DNS name or an IP address: write the name of the %s.", field, written, role)
	return false
}

// isHostName reports whether a text is a DNS name. No top-level domain is a number: some resolvers read 127.1 as 127.0.0.1, so it is no name
// either.
func isHostName(text string) bool {
	top := text[strings.LastIndexByte(text, '.')+1:]
	_, err := strconv.ParseUint(top, 0, 64)
	return err != nil && strings.Trim(top, "0123456789") != "" && len(validation.IsDNS1123Subdomain(text)) == 0
}

func isPort[N int | int32 | int64](field string, port N, role string, found *Problems) bool {
	if port >= 1 && port <= 65535 {
		return true
	}
	found.Reject(ReasonInvalidPort, "%s is %d: write the port of the %s, 1 to 65535.", field, port, role)
	return false
}
