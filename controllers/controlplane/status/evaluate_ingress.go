package status

import (
	"context"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// EvaluateIngress evaluates an IngressBackend: its fields, the feature flag of the MeshConfig in namespace, conflicts with older
// IngressBackends, and the Services and HTTPRouteGroups that it refers to.
func EvaluateIngress(namespace string) Evaluate {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		policy, problems := ingest.IngressBackend(object)
		if policy == nil {
			return []metav1.Condition{unusedCondition(problems)}, nil
		}
		disabled, err := disabledFeature(ctx, reader, namespace, kinds.IngressBackend)
		if err != nil {
			return nil, err
		}
		problems = append(problems, disabled...)
		others, err := listEntries(ctx, reader, kinds.IngressBackend, policy.Name.Namespace, ingest.IngressBackend)
		if err != nil {
			return nil, err
		}
		missing, err := unresolvedIngress(ctx, reader, policy)
		if err != nil {
			return nil, err
		}
		problems = append(problems, ingressConflicts(policy, others)...)
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems), condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)}, nil
	}
}

// ingressConflicts returns the ports for which an older IngressBackend has precedence.
func ingressConflicts(policy *catalog.IngressBackend, others []*catalog.IngressBackend) []ingest.Problem {
	var problems []ingest.Problem
	for _, port := range policy.Backends {
		older, found := oldestBefore(policy, others, func(other *catalog.IngressBackend) bool {
			return slices.ContainsFunc(other.Backends, func(p catalog.IngressPort) bool { return p.Service == port.Service && p.TargetPort == port.TargetPort })
		})
		if found {
			problems = append(problems, conflict(
				"IngressBackend %s is older and already opens port %d of Service %s, so this one has no effect there: merge them into one.", older.Name, port.TargetPort, port.Service))
		}
	}
	return problems
}

// unresolvedIngress returns the references of an IngressBackend to what does not exist.
func unresolvedIngress(ctx context.Context, reader client.Reader, policy *catalog.IngressBackend) ([]ingest.Problem, error) {
	var missing []ingest.Problem
	for _, port := range policy.Backends {
		service, err := getService(ctx, reader, port.Service)
		if err != nil {
			return nil, err
		}
		switch {
		case service == nil:
			missing = append(missing, notFound("Service %s does not exist, so nobody is admitted to it: create it, or correct the name.", port.Service))
		case !hasTargetPort(service, port.TargetPort):
			missing = append(missing, notFound("Service %s has no targetPort %d, so nobody is admitted to it: write one of its target ports, %s.",
				port.Service, port.TargetPort, targetPorts(service)))
		}
	}
	for _, gateway := range policy.Gateways {
		service, err := getService(ctx, reader, gateway)
		if err != nil {
			return nil, err
		}
		if service == nil {
			missing = append(missing, notFound("Service %s of spec.sources does not exist, so its clients are not admitted: create it, or correct the name.", gateway))
		}
	}
	groups, err := unresolvedRouteGroups(ctx, reader, policy.Name.Namespace, policy.RouteGroups)
	return append(missing, groups...), err
}

// hasTargetPort reports whether a Service may have a target port. The number of a named port depends on the pods, and without a selector that of any port on
// EndpointSlices.
func hasTargetPort(service *corev1.Service, number uint16) bool {
	return len(service.Spec.Selector) == 0 || slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.TargetPort.Type == intstr.String || targetPort(p) == int32(number)
	})
}

func targetPort(port corev1.ServicePort) int32 {
	if port.TargetPort.IntVal == 0 {
		return port.Port
	}
	return port.TargetPort.IntVal
}

func targetPorts(service *corev1.Service) string {
	var all []string
	for _, port := range service.Spec.Ports {
		all = append(all, strconv.Itoa(int(targetPort(port))))
	}
	return strings.Join(all, ", ")
}

// fromGateway returns a filter for the IngressBackends that admit the clients of a Service.
func fromGateway(service client.Object) func(*unstructured.Unstructured) bool {
	gateway := catalog.Name{Namespace: service.GetNamespace(), Name: service.GetName()}
	return func(object *unstructured.Unstructured) bool {
		policy, _ := ingest.IngressBackend(object)
		return policy != nil && slices.Contains(policy.Gateways, gateway)
	}
}
