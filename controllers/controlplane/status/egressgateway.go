package status

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/endpoints"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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

// usingEgressGateway returns a filter for the Egresses that a change of the Service of the egress gateway affects.
func usingEgressGateway(namespace string) func(client.Object) func(*unstructured.Unstructured) bool {
	return func(service client.Object) func(*unstructured.Unstructured) bool {
		changed := service.GetNamespace() == namespace && service.GetName() == names.EgressGateway
		// Their namespaces may require the gateway.
		return func(*unstructured.Unstructured) bool { return changed }
	}
}
