package inject

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// minDrainBound is the shortest drain bound that a class may have.
const minDrainBound = time.Minute

// applyClass returns the input of injection for a pod, with the settings of its class instead of the mesh's.
func (c Config) applyClass(pod *corev1.Pod, ns Namespace) Config {
	class, _ := c.class(pod, ns)
	if class == nil {
		return c
	}
	if class.Resources != nil {
		c.Settings.Sidecar.Resources = *class.Resources
	}
	if class.Concurrency != nil {
		c.workers = *class.Concurrency
	}
	// An upgrade waits for the bound of the mesh, so no class has a longer one.
	if bound, err := time.ParseDuration(class.DrainTimeout); err == nil && bound >= minDrainBound && bound < c.DrainBound {
		c.DrainBound = bound
	}
	return c
}

// class returns the class of a pod; nil without one. The problem says why an annotation has no effect.
func (c Config) class(pod *corev1.Pod, ns Namespace) (class *configv1alpha2.SidecarClass, problem string) {
	return ingest.SidecarClass(c.Settings.Sidecar.Classes, pod.Annotations, metav1.ObjectMeta{Name: ns.Name, Labels: ns.Labels, Annotations: ns.Annotations})
}

// classWarnings reports an annotation that has no effect.
func classWarnings(pod *corev1.Pod, ns Namespace, c Config) []string {
	if _, problem := c.class(pod, ns); problem != "" {
		return []string{problem}
	}
	return nil
}

// concurrency returns the number of worker threads of Envoy: the declared one, or else one for each whole CPU of the limit, and at least one.
func concurrency(declared int32, limit resource.Quantity) string {
	workers := int64(defaultConcurrency)
	switch {
	case declared > 0:
		workers = int64(declared)
	case !limit.IsZero():
		workers = max(limit.Value(), 1)
	}
	return strconv.FormatInt(workers, 10)
}
