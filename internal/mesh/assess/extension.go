package assess

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

func (m Mesh) telemetry(policy *catalog.Telemetry) []Finding {
	// A pod without other labels than those of the selector: what applies to it applies to all pods that the policy selects.
	pod := &catalog.Pod{Name: catalog.Name{Namespace: policy.Name.Namespace}, Labels: policy.Selector}
	var found []Finding
	if winner := m.View.TelemetryOf(pod); winner != (catalog.Name{}) && winner != policy.Name {
		found = append(found, selectorConflict(catalog.KindTelemetry, winner))
	}
	if policy.Export == (catalog.Name{}) {
		return found
	}
	service, missing := m.extension(policy.Name.Namespace, policy.Export, "logs are not exported")
	if service != nil && service.HTTP1 {
		missing = []Finding{{Cause: NoExtension, Problem: ingest.Problem{Reason: ingest.ReasonUnknownProtocol,
			Message: "ExtensionService " + service.Name.String() +
				" has the protocol http, and logs are exported over gRPC, so they are lost: write the protocol h2c, and the port for OTLP over gRPC."}}}
	}
	return append(found, missing...)
}

func (m Mesh) authorization(policy *catalog.ExternalAuthorizationPolicy) []Finding {
	pod := &catalog.Pod{Name: catalog.Name{Namespace: policy.Name.Namespace}, Labels: policy.Selector}
	own, ofMesh := m.View.AuthorizationsOf(pod)
	winner := own
	if policy.Name.Namespace == m.View.Settings().Namespace {
		winner = ofMesh
	}
	var found []Finding
	if winner != (catalog.Name{}) && winner != policy.Name {
		found = append(found, selectorConflict(catalog.KindExternalAuthorization, winner))
	}
	_, missing := m.extension(policy.Name.Namespace, policy.Service, effectWithoutServer(policy))
	return append(found, missing...)
}

func selectorConflict(kind catalog.Kind, winner catalog.Name) Finding {
	return conflict(catalog.Ref{Kind: kind, Name: winner}, "%s %s is older and selects all pods that this one selects, so this one has no effect: merge them into one.", kind, winner)
}

// effectWithoutServer describes what happens to requests without an answer.
func effectWithoutServer(policy *catalog.ExternalAuthorizationPolicy) string {
	if policy.FailureModeAllow {
		return "no request is sent to it, and all are allowed"
	}
	return "requests get status 503"
}

// ExtensionService returns the ExtensionService to which a policy of a namespace refers, or nil if it cannot be used.
func (m Mesh) ExtensionService(namespace string, name catalog.Name) *catalog.ExtensionService {
	service, _ := m.extension(namespace, name, "")
	return service
}

// extension returns the ExtensionService to which a policy of a namespace refers, or why it cannot be used.
func (m Mesh) extension(namespace string, name catalog.Name, effect string) (*catalog.ExtensionService, []Finding) {
	if name.Namespace != namespace && name.Namespace != m.Namespace {
		return nil, []Finding{problem(NoExtension, ingest.ReasonForeignNamespace,
			"ExtensionService %s is in another namespace, so %s: create one in %s, or have one created in the namespace of the mesh, %s.", name, effect, namespace, m.Namespace)}
	}
	ref := catalog.Ref{Kind: catalog.KindExtensionService, Name: name}
	if !m.View.Exists(ref) {
		return nil, []Finding{notFound(NoExtension, ref, "ExtensionService %s does not exist, so %s: create it, or correct the reference.", name, effect)}
	}
	service := m.View.ExtensionService(namespace, name)
	if service == nil {
		return nil, []Finding{notFound(NoExtension, catalog.Ref{}, "ExtensionService %s cannot be used, so %s. %s", name, effect, m.View.WhyUnread(ref))}
	}
	return service, nil
}
