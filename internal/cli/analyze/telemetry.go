package analyze

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

// telemetries analyzes the references of Telemetries.
func (a *analysis) telemetries() {
	for _, policy := range entries[*catalog.Telemetry](a) {
		if policy.Export != (catalog.Name{}) {
			a.extension(a.subject(catalog.KindTelemetry, policy.Name), policy.Name.Namespace, policy.Export, "logs are not exported")
		}
	}
}

// authorizations analyzes the references of ExternalAuthorizations.
func (a *analysis) authorizations() {
	for _, policy := range entries[*catalog.ExternalAuthorizationPolicy](a) {
		effect := "requests get status 503"
		if policy.FailureModeAllow {
			effect = "all requests are allowed, because failureModeAllow is true"
		}
		a.extension(a.subject(catalog.KindExternalAuthorization, policy.Name), policy.Name.Namespace, policy.Service, effect)
	}
}

// extension reports an ExtensionService that a policy cannot use.
func (a *analysis) extension(s subject, namespace string, name catalog.Name, effect string) {
	if a.view.ExtensionService(namespace, name) == nil && (!a.mesh.Partial || a.configured()) {
		a.add(codeNoExtension, s, "ExtensionService %s cannot be used by this object, so %s: create it in namespace %s or in the namespace of the mesh, or correct the reference.", name, effect, namespace)
	}
}
