package analyze

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// splits analyzes the Services and route objects of TrafficSplits.
func (a *analysis) splits() {
	for _, split := range entries[*catalog.TrafficSplit](a) {
		s := a.subject(catalog.KindTrafficSplit, split.Name)
		if a.missing(catalog.KindService, split.Root) {
			a.add(codeNoRoot, s, "Root Service %s not found in namespace %s: create it, or correct spec.service.", split.Root.Name, split.Root.Namespace)
		}
		for _, backend := range split.Backends {
			a.backend(s, split, backend.Service)
		}
		for _, group := range split.Matches {
			if !a.exists(catalog.KindHTTPRouteGroup, catalog.Name{Namespace: split.Name.Namespace, Name: group}) {
				a.add(codeNoRoute, s, "HTTPRouteGroup %s not found, so the split does not apply to its requests: create it in namespace %s, or correct the name.", group, split.Name.Namespace)
			}
		}
	}
}

func (a *analysis) backend(s subject, split *catalog.TrafficSplit, name catalog.Name) {
	if a.missing(catalog.KindService, name) {
		a.add(codeNoBackend, s, "Backend %s not found in namespace %s, so it gets no requests: create the Service, or correct the name.", name.Name, name.Namespace)
		return
	}
	root, service := a.view.Service(split.Root), a.view.Service(name)
	if root == nil || service == nil {
		return
	}
	for _, port := range root.Ports {
		if !slices.ContainsFunc(service.Ports, func(p catalog.Port) bool { return p.Number == port.Number }) {
			a.add(codeBackendPort, s, "Backend %s has no port %d of the root %s, so it gets no requests to this port: add a port with this number.", name.Name, port.Number, split.Root.Name)
		}
	}
}

// servicePolicies analyzes the policies that configure requests to Services.
func (a *analysis) servicePolicies() {
	a.retries()
	a.settings()
}

// retries analyzes the clients and Services of Retries.
func (a *analysis) retries() {
	for _, retry := range entries[*catalog.Retry](a) {
		s := a.subject(catalog.KindRetry, retry.Name)
		if a.noAccount(retry.Source) {
			a.add(codeNoSource, s, "Source service account %s not found in namespace %s: correct spec.source, or create it.", retry.Source.Name, retry.Source.Namespace)
		}
		for _, destination := range retry.Destinations {
			if a.missing(catalog.KindService, destination) {
				a.add(codeNoRetryTarget, s, "Destination Service %s not found in namespace %s, so requests to it are not retried: correct spec.destinations.", destination.Name, destination.Namespace)
			}
		}
		if !a.view.Settings().RetryPolicies && (!a.mesh.Partial || a.configured()) {
			a.add(codeRetriesOff, s, "Retry policies are disabled: set spec.featureFlags.enableRetryPolicy to true in the MeshConfig.")
		}
	}
}

// configured returns true if the mesh has a MeshConfig.
func (a *analysis) configured() bool {
	_, found := a.mesh.Loaded.Entries[catalog.Ref{Kind: catalog.KindSettings}]
	return found
}

// settings analyzes the Services of UpstreamTrafficSettings and Backpressures.
func (a *analysis) settings() {
	for _, setting := range entries[*catalog.UpstreamTrafficSetting](a) {
		if setting.Service != (catalog.Name{}) && a.missing(catalog.KindService, setting.Service) {
			a.add(codeNoHost, a.subject(setting.Kind, setting.Name), "Service %s not found in namespace %s, so the settings have no effect: correct the name.", setting.Service.Name, setting.Service.Namespace)
		}
	}
}

// conflicts reports overridden policies.
func (a *analysis) conflicts() {
	codes := map[catalog.Kind]string{
		catalog.KindTrafficSplit: codeSplitConflict, catalog.KindRetry: codeRetryConflict,
		catalog.KindUpstreamTrafficSetting: codeSettingConflict, catalog.KindBackpressure: codeSettingConflict,
		catalog.KindIngressBackend: codeIngressConflict, catalog.KindEgress: codeEgressConflict, catalog.KindTelemetry: codeLogConflict,
		catalog.KindExternalAuthorization: codeAuthConflict,
	}
	for _, c := range Conflicts(a.mesh.Loaded) {
		a.add(codes[c.Kind], a.subject(c.Kind, c.Name), "%s takes precedence: %s", c.Winner(), c.About)
	}
}

// services reports Services that select no pod.
func (a *analysis) services() {
	for _, service := range entries[*catalog.Service](a) {
		if !a.view.InMesh(service.Name.Namespace) || len(service.Selector) == 0 || a.mesh.Partial && !a.has(catalog.KindPod, service.Name.Namespace) {
			continue
		}
		if len(a.view.ServiceIdentities(service.Name)) == 0 {
			a.add(codeNobodySelected, a.subject(catalog.KindService, service.Name), "No pod matches its selector (%s), so requests to it fail: correct the selector, or start the workload.", selectorText(service.Selector))
		}
	}
}

func selectorText(selector map[string]string) string {
	text := ""
	for _, key := range sortedKeys(selector) {
		if text != "" {
			text += ","
		}
		text += fmt.Sprintf("%s=%s", key, selector[key])
	}
	return text
}
