package message

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	detectorsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/tracers/opentelemetry/resource_detectors/v3"
)

// SidecarEnvironment makes OpenTelemetry describe the sidecar by its environment variable names.ResourceAttributesEnv. Listeners are shared among sidecars.
var SidecarEnvironment = []*corev3.TypedExtensionConfig{
	Extension("envoy.tracers.opentelemetry.resource_detectors.environment", &detectorsv3.EnvironmentResourceDetectorConfig{}),
}
