package inject

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// AutoServices is the number of Services up to which DestinationsAuto selects Eager. The first sync of such a sidecar is small, and no call waits for
// configuration.
const AutoServices = 50

// Reach is what the state of the cluster contributes to a sidecar: to the choice of its destinations, and the address of the control plane.
type Reach struct {
	// ControlPlane is the address and port of the Service of the control plane; not valid if it is not known.
	ControlPlane netip.AddrPort
	// HasServiceRanges is true if the cluster has ServiceCIDRs. The control plane sends nothing on demand for addresses outside of their ranges.
	HasServiceRanges bool
	// PermissiveServices is the number of Services in namespaces of the mesh with permissive mode, which every workload may call. It is 0 unless the
	// settings have DestinationsAuto.
	PermissiveServices int
}

// destinationsEnv returns the variables by which the control plane recognizes a sidecar that loads its destinations on demand, and those that it does not
// load so. Others have none. The pod keeps them as long as it runs.
func destinationsEnv(pod *corev1.Pod, ns Namespace, c Config) ([]corev1.EnvVar, error) {
	declared, _, modeErr := declaredDestinations(pod, ns)
	eager, eagerErr := eagerDestinations(pod, ns)
	if err := errors.Join(modeErr, eagerErr); err != nil || !loadsOnDemand(declared, c) {
		return nil, err
	}
	env := []corev1.EnvVar{{Name: names.DestinationsEnv, Value: names.DestinationsOnDemand}}
	if len(eager) > 0 {
		env = append(env, corev1.EnvVar{Name: names.EagerDestinationsEnv, Value: ingest.JoinDestinations(eager)})
	}
	return env, nil
}

// eagerDestinations returns the Services in the annotations of the pod and of its namespace, sorted.
func eagerDestinations(pod *corev1.Pod, ns Namespace) ([]entity.Name, error) {
	onPod, podErr := parseEagerDestinations("pod", pod.Annotations, ns)
	onNamespace, namespaceErr := parseEagerDestinations("namespace "+ns.Name, ns.Annotations, ns)
	if err := errors.Join(podErr, namespaceErr); err != nil {
		return nil, err
	}
	all, err := ingest.EagerDestinations(ingest.JoinDestinations(slices.Concat(onPod, onNamespace)), ns.Name)
	if err != nil {
		return nil, fmt.Errorf("the annotations %s of the pod and of the namespace %s: %w", names.EagerDestinationsAnnotation, ns.Name, err)
	}
	return all, nil
}

func parseEagerDestinations(where string, annotations map[string]string, ns Namespace) ([]entity.Name, error) {
	services, err := ingest.EagerDestinations(annotations[names.EagerDestinationsAnnotation], ns.Name)
	if err != nil {
		return nil, fmt.Errorf("the annotation %s of the %s: %w", names.EagerDestinationsAnnotation, where, err)
	}
	return services, nil
}

// loadsOnDemand decides by the value of the annotation, and without one by the settings. An Envoy that does not belong to the version has not been tested
// with destinations on demand, so only the annotation selects them for it.
func loadsOnDemand(declared configv1alpha2.Destinations, c Config) bool {
	settings := c.Settings.Sidecar
	hasOwnEnvoy := settings.EnvoyImage != "" && settings.EnvoyImage != c.EnvoyImage
	switch {
	case !c.Reach.HasServiceRanges:
		return false
	case declared != "":
		return declared == configv1alpha2.DestinationsOnDemand
	case hasOwnEnvoy:
		return false
	case settings.Destinations == configv1alpha2.DestinationsAuto:
		return c.Reach.PermissiveServices > AutoServices
	}
	return settings.Destinations == configv1alpha2.DestinationsOnDemand
}

// declaredDestinations returns the value of the annotation of the pod, or else of its namespace, and whose it is. It is empty without one.
func declaredDestinations(pod *corev1.Pod, ns Namespace) (declared configv1alpha2.Destinations, where string, err error) {
	for _, owner := range []struct {
		where       string
		annotations map[string]string
	}{{"pod", pod.Annotations}, {"namespace " + ns.Name, ns.Annotations}} {
		text, isSet := owner.annotations[names.DestinationsAnnotation]
		if !isSet {
			continue
		}
		for _, value := range []configv1alpha2.Destinations{configv1alpha2.DestinationsEager, configv1alpha2.DestinationsOnDemand} {
			if strings.EqualFold(strings.TrimSpace(text), string(value)) {
				return value, owner.where, nil
			}
		}
		return "", owner.where, fmt.Errorf("the annotation %s of the %s is %q: use %s or %s",
			names.DestinationsAnnotation, owner.where, text, configv1alpha2.DestinationsEager, configv1alpha2.DestinationsOnDemand)
	}
	return "", "", nil
}

// destinationsWarnings reports an annotation that has no effect.
func destinationsWarnings(pod *corev1.Pod, ns Namespace, c Config) []string {
	declared, where, err := declaredDestinations(pod, ns)
	if err != nil || declared != configv1alpha2.DestinationsOnDemand || c.Reach.HasServiceRanges {
		return nil
	}
	return []string{fmt.Sprintf("the annotation %s=%s of the %s has no effect, because the cluster has no ServiceCIDRs: they exist since Kubernetes %s",
		names.DestinationsAnnotation, declared, where, compatibility.FeatureOf(compatibility.DestinationsOnDemand).APIServer)}
}
