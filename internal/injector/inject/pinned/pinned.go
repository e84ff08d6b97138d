package pinned

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// Sidecar is what new pods get. The zero value leaves it to the MeshConfig.
type Sidecar struct {
	// Image is the image of Envoy, and InitImage that of the init containers.
	Image     string `json:"image,omitempty"`
	InitImage string `json:"initImage,omitempty"`
	// Resources are the compute resources of injected containers; nil for the defaults.
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// Statistics are Essential or All.
	Statistics string `json:"statistics,omitempty"`
	// Hash identifies what images do not change. Pods with slots have it in an annotation.
	Hash string `json:"hash,omitempty"`
}

// String returns the flag.
func (s Sidecar) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return "" // its types are always written
	}
	return string(text)
}

// Parse reads the flag. An empty one is the zero value.
func Parse(text string) (Sidecar, error) {
	var s Sidecar
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("the flag --sidecar is not what the operator writes: %w", err)
	}
	return s, nil
}

// In returns settings with what new pods get.
func (s Sidecar) In(settings configv1alpha2.SidecarSpec) configv1alpha2.SidecarSpec {
	if s.Image == "" {
		return settings
	}
	settings.EnvoyImage, settings.InitContainerImage, settings.Statistics = s.Image, s.InitImage, configv1alpha2.Statistics(s.Statistics)
	settings.Resources = corev1.ResourceRequirements{}
	if s.Resources != nil {
		settings.Resources = *s.Resources
	}
	return settings
}
