package ingest

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// MaxEagerDestinations is how many Services a list of eager destinations may have. The list is part of the key by which sidecars share configuration.
const MaxEagerDestinations = 32

// EagerDestinations reads a list of Services, "<namespace>/<name>" or a name in the given namespace, separated by commas. The result is sorted.
func EagerDestinations(list, namespace string) ([]entity.Name, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	var services []entity.Name
	for text := range strings.SplitSeq(list, ",") {
		name := entity.Name{Namespace: namespace, Name: strings.TrimSpace(text)}
		if before, after, found := strings.Cut(name.Name, "/"); found {
			name = entity.Name{Namespace: before, Name: after}
		}
		if len(validation.IsDNS1123Label(name.Namespace))+len(validation.IsDNS1123Label(name.Name)) > 0 {
			return nil, fmt.Errorf("%.130q is not a Service: write NAMESPACE/NAME, separated by commas", strings.TrimSpace(text))
		}
		services = append(services, name)
	}
	slices.SortFunc(services, entity.Name.Compare)
	if services = slices.Compact(services); len(services) > MaxEagerDestinations {
		return nil, fmt.Errorf("%d Services are listed, and the maximum is %d", len(services), MaxEagerDestinations)
	}
	return services, nil
}

// JoinDestinations is the inverse of EagerDestinations.
func JoinDestinations(services []entity.Name) string {
	texts := make([]string, len(services))
	for i, name := range services {
		texts[i] = name.String()
	}
	return strings.Join(texts, ",")
}

// destinations returns whether the sidecar of this operator loads its destinations at first use, and those that it has from the beginning. A list that
// no injector wrote is ignored.
func destinations(pod *corev1.Pod) (onDemand bool, eager string) {
	i := slices.IndexFunc(pod.Spec.InitContainers, isInjected)
	if i < 0 {
		return false, ""
	}
	list := ""
	for _, variable := range pod.Spec.InitContainers[i].Env {
		switch variable.Name {
		case names.DestinationsEnv:
			onDemand = variable.Value == names.DestinationsOnDemand
		case names.EagerDestinationsEnv:
			list = variable.Value
		}
	}
	services, err := EagerDestinations(list, pod.Namespace)
	if !onDemand || err != nil {
		return onDemand, ""
	}
	return true, JoinDestinations(services)
}

// destinationsEnv returns the variables of a sidecar that destinations reads.
func destinationsEnv(c corev1.Container) []corev1.EnvVar {
	if !isSidecar(c) {
		return nil
	}
	var env []corev1.EnvVar
	for _, variable := range c.Env {
		if variable.Name == names.DestinationsEnv || variable.Name == names.EagerDestinationsEnv {
			env = append(env, variable)
		}
	}
	return env
}
