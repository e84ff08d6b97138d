package status

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// unmatchedPorts returns the TCPRoutes of a TrafficTarget that grant nothing, because no Service of its namespace leads to one of their ports.
// Without Services nothing is known, and neither is it with target ports that have names, or with Services without a selector.
func unmatchedPorts(ctx context.Context, reader client.Reader, target *catalog.TrafficTarget) ([]ingest.Problem, error) {
	if !slices.ContainsFunc(target.Rules, func(r catalog.TargetRule) bool { return r.Kind == catalog.KindTCPRoute }) {
		return nil, nil
	}
	var services corev1.ServiceList
	if err := reader.List(ctx, &services, client.InNamespace(target.Name.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	known, complete := numericTargetPorts(services.Items)
	if !complete || len(known) == 0 {
		return nil, nil
	}
	var problems []ingest.Problem
	for _, rule := range target.Rules {
		if rule.Kind != catalog.KindTCPRoute {
			continue
		}
		object := kinds.Object(kinds.TCPRoute)
		if err := reader.Get(ctx, client.ObjectKey{Namespace: target.Name.Namespace, Name: rule.Name}, object); err != nil {
			if client.IgnoreNotFound(err) == nil {
				continue // reported as missing
			}
			return nil, err
		}
		route, _ := ingest.TCPRoute(object)
		if route == nil || len(route.Ports) == 0 || slices.ContainsFunc(route.Ports, func(p uint16) bool { return slices.Contains(known, p) }) {
			continue
		}
		problems = append(problems, notFound("TCPRoute %s/%s has the ports %s, but the Services of the namespace have the target ports %s, so the rule that refers to it grants nothing: use the targetPort of a Service.",
			target.Name.Namespace, rule.Name, portNumbers(route.Ports), portNumbers(known)))
	}
	return problems, nil
}

// numericTargetPorts returns the ports of pods that Services lead to, sorted, and false if some are not known: those with names, and those
// of handwritten EndpointSlices.
func numericTargetPorts(services []corev1.Service) (known []uint16, complete bool) {
	for i := range services {
		if len(services[i].Spec.Selector) == 0 {
			return nil, false
		}
		for _, port := range services[i].Spec.Ports {
			number := port.TargetPort.IntVal
			if port.TargetPort.Type == intstr.String && port.TargetPort.StrVal != "" {
				return nil, false
			}
			if number == 0 {
				number = port.Port
			}
			known = append(known, uint16(number)) //nolint:gosec // the API server validates ports
		}
	}
	slices.Sort(known)
	return slices.Compact(known), true
}

func portNumbers(list []uint16) string {
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = fmt.Sprint(n)
	}
	return strings.Join(parts, ", ")
}
