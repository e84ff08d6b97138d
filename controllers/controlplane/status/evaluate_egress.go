package status

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/endpoints"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// EvaluateEgress evaluates an Egress: its fields, the feature flag of the MeshConfig in namespace, conflicts with older Egresses, and the
// objects and hosts that it refers to. It reads Secrets with their own reader, because they are not in the cache.
func EvaluateEgress(namespace string, lookup HostLookup, secrets client.Reader) Evaluate {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		policy, problems := ingest.Egress(object)
		if policy == nil {
			return []metav1.Condition{unusedCondition(problems)}, nil
		}
		disabled, err := disabledFeature(ctx, reader, namespace, kinds.Egress)
		if err != nil {
			return nil, err
		}
		problems = append(problems, disabled...)
		policy, others, lost, err := asApplied(ctx, reader, policy)
		if err != nil {
			return nil, err
		}
		hosts, err := forwardedHosts(ctx, reader, namespace)
		if err != nil {
			return nil, err
		}
		problems = append(append(problems, lost...), protectedHosts(policy, hosts)...)
		missing, err := unresolvedEgress(ctx, reader, policy)
		if err != nil {
			return nil, err
		}
		unavailable, err := unresolvedGateway(ctx, reader, secrets, namespace, policy)
		if err != nil {
			return nil, err
		}
		missing = append(append(missing, unavailable...), unresolvedHosts(ctx, lookup, policy)...)
		problems = append(problems, egressConflicts(policy, others)...)
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems), condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)}, nil
	}
}

// forwardedHosts reads to which hosts the egress gateway forwards.
func forwardedHosts(ctx context.Context, reader client.Reader, namespace string) (catalog.ForwardedHosts, error) {
	hosts := catalog.ForwardedHosts{MeshNamespace: namespace}
	service := &corev1.Service{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.EgressGateway}, service)
	if apierrors.IsNotFound(err) {
		return hosts, nil
	}
	if entry, _ := ingest.Service(service); entry != nil {
		hosts.Namespaces = entry.AllowedNamespaces
	}
	return hosts, err
}

// protectedHosts returns the hosts to which the egress gateway does not forward.
func protectedHosts(policy *catalog.Egress, hosts catalog.ForwardedHosts) []ingest.Problem {
	if policy.Gateway == nil {
		return nil
	}
	var problems []ingest.Problem
	for _, host := range policy.Hosts {
		if !hosts.Allows(host) {
			problems = append(problems, ingest.Problem{Reason: ingest.ReasonRejectedAddress, Message: fmt.Sprintf(
				"The host %s of spec.hosts is or can be in the cluster, so the egress gateway does not forward to it: name a host outside by its complete name, or add the namespace of the host to spec.egressGateway.allowedNamespaces of the Mesh. It never forwards to the namespace of the mesh and to kube-system.", host)})
		}
	}
	return problems
}

// egressConflicts returns the ports on which an older Egress of the same client excludes the protocol of this one.
func egressConflicts(policy *catalog.Egress, others []*catalog.Egress) []ingest.Problem {
	var problems []ingest.Problem
	for _, port := range policy.Ports {
		older, found := oldestBefore(policy, others, func(other *catalog.Egress) bool { return other.Excludes(port) && other.SharesSource(policy) })
		if found {
			problems = append(problems, conflict(
				"Egress %s is older and has port %d with a protocol that excludes %s, so this one has no effect on that port for their common sources: use one protocol.", older.Name, port.Number, port.Protocol))
		}
	}
	return append(problems, gatewayConflicts(policy, others)...)
}

// unresolvedEgress returns the references of an Egress to what does not exist.
func unresolvedEgress(ctx context.Context, reader client.Reader, policy *catalog.Egress) ([]ingest.Problem, error) {
	missing, err := unresolvedSources(ctx, reader, policy.Sources)
	if err != nil {
		return nil, err
	}
	groups, err := unresolvedRouteGroups(ctx, reader, policy.Name.Namespace, policy.RouteGroups)
	if missing = append(missing, groups...); err != nil || policy.Setting == "" {
		return missing, err
	}
	err = reader.Get(ctx, client.ObjectKey{Namespace: policy.Name.Namespace, Name: policy.Setting}, kinds.Object(kinds.UpstreamTrafficSetting))
	if apierrors.IsNotFound(err) {
		return append(missing, notFound("UpstreamTrafficSetting %s/%s does not exist, so connections have no limits: create it, or correct the name.", policy.Name.Namespace, policy.Setting)), nil
	}
	return missing, err
}

// asApplied returns an Egress and all those of its namespace as the namespace applies them, and what the first one loses because the namespace
// requires the egress gateway.
func asApplied(ctx context.Context, reader client.Reader, policy *catalog.Egress) (*catalog.Egress, []*catalog.Egress, []ingest.Problem, error) {
	all, err := listEntries(ctx, reader, kinds.Egress, policy.Name.Namespace, ingest.Egress)
	if err != nil {
		return nil, nil, nil, err
	}
	namespace := &corev1.Namespace{}
	if err := reader.Get(ctx, client.ObjectKey{Name: policy.Name.Namespace}, namespace); client.IgnoreNotFound(err) != nil {
		return nil, nil, nil, err
	}
	if entry, _ := ingest.Namespace(namespace, ""); !entry.EgressGateway {
		return policy, all, nil, nil
	}
	for i := range all {
		all[i] = all[i].ThroughGateway()
	}
	return policy.ThroughGateway(), all, ingest.RequiredGateway(policy), nil
}

// unresolvedGateway returns what an Egress with the egress gateway lacks: the gateway, or a usable Secret. Requests get status 503 without it.
func unresolvedGateway(ctx context.Context, reader, credentials client.Reader, namespace string, policy *catalog.Egress) ([]ingest.Problem, error) {
	if policy.Gateway == nil {
		return nil, nil
	}
	missing, err := unavailableGateway(ctx, reader, namespace)
	name, encrypted := policy.Credential()
	if err != nil || !encrypted {
		return missing, err
	}
	data, problem, err := secrets.Read(ctx, credentials, name, namespace)
	if err != nil {
		return nil, err
	}
	if problem == "" {
		problem = ingest.EgressCredential(name, data).Problem
	}
	if problem != "" {
		missing = append(missing, notFound("%s Until then, requests that the egress gateway should encrypt get status 503.", problem))
	}
	return missing, nil
}

// unavailableGateway returns why the egress gateway accepts no connections.
func unavailableGateway(ctx context.Context, reader client.Reader, namespace string) ([]ingest.Problem, error) {
	service := client.ObjectKey{Namespace: namespace, Name: names.EgressGateway}
	err := reader.Get(ctx, service, &corev1.Service{})
	if apierrors.IsNotFound(err) {
		return []ingest.Problem{notFound("The mesh has no egress gateway, so requests get status 503: set spec.egressGateway.mode of the Mesh to Managed, or remove spec.gateway and the annotation %s of the namespace.", names.EgressGatewayAnnotation)}, nil
	}
	if err != nil {
		return nil, err
	}
	ready, err := endpoints.HasReady(ctx, reader, service)
	if err != nil || ready {
		return nil, err
	}
	return []ingest.Problem{notFound("No pod of the egress gateway is ready, so requests get status 503: see the Deployment %s/%s.", namespace, names.EgressGateway)}, nil
}

// gatewayConflicts returns the ports and hosts that an older Egress of the same client sends through the egress gateway. That one decides alone
// about requests.
func gatewayConflicts(policy *catalog.Egress, others []*catalog.Egress) []ingest.Problem {
	var problems []ingest.Problem
	for _, other := range others {
		if other.Name == policy.Name || other.Gateway == nil || policy.Gateway != nil && !other.Precedes(policy) || !other.SharesSource(policy) {
			continue
		}
		for _, port := range policy.Ports {
			i := slices.IndexFunc(policy.Hosts, func(host string) bool { return slices.Contains(other.Hosts, host) })
			if i >= 0 && port.Protocol == catalog.ProtocolHTTP && other.HasPort(port.Number, catalog.ProtocolHTTP) {
				problems = append(problems, conflict("Egress %s sends requests to %s on port %d through the egress gateway and decides alone about them, so this one has no effect on them for their common sources: use one Egress.",
					other.Name, policy.Hosts[i], port.Number))
			}
		}
	}
	return problems
}

// isOfEgressGateway returns a filter for the EndpointSlices of the egress gateway, which have the readiness of its pods.
func isOfEgressGateway(namespace string) func(client.Object) bool {
	return func(slice client.Object) bool {
		return slice.GetNamespace() == namespace && slice.GetLabels()[discoveryv1.LabelServiceName] == names.EgressGateway
	}
}

// usingEgressGateway returns a filter for the Egresses that a change of the Service of the egress gateway affects.
func usingEgressGateway(namespace string) func(client.Object) func(*unstructured.Unstructured) bool {
	return func(service client.Object) func(*unstructured.Unstructured) bool {
		changed := service.GetNamespace() == namespace && service.GetName() == names.EgressGateway
		// Their namespaces may require the gateway.
		return func(*unstructured.Unstructured) bool { return changed }
	}
}
