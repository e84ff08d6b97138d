package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
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
	a.idleBackend(s, split, service)
	a.nestedSplit(s, split, service)
	for _, port := range root.Ports {
		if !slices.ContainsFunc(service.Ports, func(p catalog.Port) bool { return p.Number == port.Number }) {
			a.add(codeBackendPort, s, "Backend %s has no port %d of the root %s, so it gets no requests to this port: add a port with this number.", name.Name, port.Number, split.Root.Name)
		}
	}
}

// nestedSplit reports a backend that is the root of another TrafficSplit.
func (a *analysis) nestedSplit(s subject, split *catalog.TrafficSplit, service *catalog.Service) {
	for _, other := range entries[*catalog.TrafficSplit](a) {
		if other.Root == service.Name && other.Root != split.Root {
			a.add(codeNestedSplit, s, "TrafficSplit %s also splits the backend %s, but it does not apply to the requests of this one: name its backends here.", other.Name.Name, service.Name.Name)
		}
	}
}

// idleBackend reports a backend that gets requests and has no ready pod. Files have no pods that are ready.
func (a *analysis) idleBackend(s subject, split *catalog.TrafficSplit, service *catalog.Service) {
	total, weight := uint64(0), uint64(0)
	for _, b := range split.Backends {
		total += uint64(b.Weight)
		if b.Service == service.Name {
			weight = uint64(b.Weight)
		}
	}
	ready := slices.ContainsFunc(service.Ports, func(p catalog.Port) bool { return len(a.view.Backends(service, p)) > 0 })
	if a.mesh.Partial || weight == 0 || ready {
		return
	}
	a.add(codeIdleBackend, s, "Backend %s gets %d%% of the requests and has no ready pod with a sidecar, so they get status 503: start its workload, or set its weight to 0.", service.Name.Name, 100*weight/total)
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
		a.limitedRoutes(setting)
	}
}

// limitedRoutes reports limits for a path that no HTTPRouteGroup has.
func (a *analysis) limitedRoutes(setting *catalog.UpstreamTrafficSetting) {
	if a.mesh.Partial && !a.has(catalog.KindHTTPRouteGroup, setting.Name.Namespace) {
		return
	}
	for _, route := range setting.Routes {
		has := func(g *catalog.HTTPRouteGroup) bool {
			return g.Name.Namespace == setting.Name.Namespace && slices.ContainsFunc(g.Matches, func(m catalog.HTTPMatch) bool { return m.PathRegex == route.Path })
		}
		if route.Path != ".*" && !slices.ContainsFunc(entries[*catalog.HTTPRouteGroup](a), has) {
			a.add(codeNoRouteOfLimit, a.subject(setting.Kind, setting.Name), "No HTTPRouteGroup of namespace %s has exactly the pathRegex %q, so this limit in spec.httpRoutes has no effect: use an existing one.", setting.Name.Namespace, route.Path)
		}
	}
}

// isUsedByEgress returns true for an UpstreamTrafficSetting that an Egress names.
func (a *analysis) isUsedByEgress(kind catalog.Kind, name catalog.Name) bool {
	return kind == catalog.KindUpstreamTrafficSetting && slices.ContainsFunc(entries[*catalog.Egress](a), func(e *catalog.Egress) bool {
		return e.Name.Namespace == name.Namespace && e.Setting == name.Name
	})
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

// services reports Services that select no pod, and addresses in their EndpointSlices that get no traffic.
func (a *analysis) services() {
	for _, service := range entries[*catalog.Service](a) {
		if !a.view.InMesh(service.Name.Namespace) || a.mesh.Partial && !a.has(catalog.KindPod, service.Name.Namespace) {
			continue
		}
		a.leftOut(service)
		a.protocolConflicts(service)
		if !service.HasSelector() || len(a.view.ServiceIdentities(service.Name)) > 0 {
			continue
		}
		if f, found := a.uncreatedBehind(service); found {
			a.add(codeNobodySelected, a.subject(catalog.KindService, service.Name), "Requests to it fail, because %s %s has no pod: %s: %s.", f.Kind, f.Name, f.Message(), f.Remedy())
		} else {
			a.add(codeNobodySelected, a.subject(catalog.KindService, service.Name), "No pod matches its selector (%s), so requests to it fail: correct the selector, or start the workload.", selectorText(service.Selector))
		}
	}
}

// protocolConflicts reports ports whose clients use another protocol than the sidecars of the servers, because of another port for the same container port.
func (a *analysis) protocolConflicts(service *catalog.Service) {
	for _, c := range authz.ProtocolConflicts(a.view, service) {
		effect := "connections with another protocol than HTTP fail"
		if !c.Effective.IsHTTP() {
			effect = "a TCPRoute is needed instead of an HTTPRouteGroup, and requests are not authorized one by one"
		}
		a.add(codePortConflict, a.subject(catalog.KindService, service.Name), "Port %d has the protocol %s, and a port of Service %s for the same container port declares %s, which has precedence: %s. Set the same appProtocol for both.",
			c.Port.Number, c.Port.Protocol, c.By, c.Effective, effect)
	}
}

func (a *analysis) leftOut(service *catalog.Service) {
	addresses, condition := a.view.LeftOut(service), "an endpoint must name a pod that the selector of the Service matches"
	if len(addresses) == 0 {
		return
	}
	if !service.HasSelector() {
		condition = fmt.Sprintf("without a selector, each must be that of exactly one running pod of namespace %s, which has a sidecar", service.Name.Namespace)
	}
	a.add(codeLeftOut, a.subject(catalog.KindService, service.Name), "Its EndpointSlices have addresses that get no traffic: %s. Correct them: %s.", addressesText(addresses), condition)
}

// addressesText lists the first addresses.
func addressesText(addresses []netip.Addr) string {
	const most = 5
	var texts []string
	for _, address := range addresses {
		texts = append(texts, address.String())
	}
	return strings.Join(message.First(texts, most), ", ")
}

func selectorText(selector map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		pairs = append(pairs, key+"="+selector[key])
	}
	return strings.Join(pairs, ",")
}

// Conflict is a policy without effect, or with less effect, because another policy takes precedence.
type Conflict struct {
	// Kind and Name identify the overridden policy.
	Kind catalog.Kind
	Name catalog.Name
	// WinnerKind and WinnerName identify the policy that takes precedence.
	WinnerKind catalog.Kind
	WinnerName catalog.Name
	// About describes the subject of both policies and the remedy.
	About string
}

// Winner returns "<kind> <namespace>/<name>" of the policy that takes precedence.
func (c Conflict) Winner() string { return string(c.WinnerKind) + " " + c.WinnerName.String() }

// claim is the configuration of a subject by a policy.
type claim struct {
	ref     catalog.Ref
	created time.Time
	about   string
}

// compare sorts the claim with precedence first: UpstreamTrafficSettings before Backpressures, then by age, then by name.
func (c claim) compare(other claim) int {
	last := func(x claim) int {
		if x.ref.Kind == catalog.KindBackpressure {
			return 1
		}
		return 0
	}
	return cmp.Or(last(c)-last(other), c.created.Compare(other.created), c.ref.Name.Compare(other.ref.Name))
}

// Conflicts returns the conflicts among policies, sorted by the overridden policy.
func Conflicts(l *load.Loaded) []Conflict {
	claims := map[string][]claim{}
	for ref, entry := range l.Entries {
		policy, exclusive := entry.(catalog.Claimant)
		if !exclusive {
			continue
		}
		for _, c := range policy.Claims() {
			claims[c.Subject] = append(claims[c.Subject], claim{ref, policy.Age(), c.About})
		}
	}
	var list []Conflict
	for _, subject := range slices.Sorted(maps.Keys(claims)) {
		all := claims[subject]
		slices.SortFunc(all, claim.compare)
		for _, c := range all[1:] {
			list = append(list, Conflict{Kind: c.ref.Kind, Name: c.ref.Name, WinnerKind: all[0].ref.Kind, WinnerName: all[0].ref.Name, About: c.about})
		}
	}
	list = append(list, egressConflicts(l)...)
	slices.SortStableFunc(list, func(a, b Conflict) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), a.Name.Compare(b.Name), a.WinnerName.Compare(b.WinnerName), strings.Compare(a.About, b.About))
	})
	return list
}

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

// ingress analyzes the backends and gateways of IngressBackends.
func (a *analysis) ingress() {
	for _, policy := range entries[*catalog.IngressBackend](a) {
		s := a.subject(catalog.KindIngressBackend, policy.Name)
		for _, port := range policy.Backends {
			a.ingressPort(s, port)
		}
		for _, gateway := range policy.Gateways {
			if a.missing(catalog.KindService, gateway) {
				a.add(codeNoGateway, s, "Service %s not found in namespace %s, so connections from its pods are rejected: correct spec.sources.", gateway.Name, gateway.Namespace)
			}
		}
		a.principals(s, policy)
		if !a.view.Settings().IngressBackends && (!a.mesh.Partial || a.configured()) {
			a.add(codeIngressOff, s, "IngressBackend policies are disabled: set spec.featureFlags.enableIngressBackendPolicy to true in the MeshConfig.")
		}
	}
}

func (a *analysis) ingressPort(s subject, port catalog.IngressPort) {
	if a.missing(catalog.KindService, port.Service) {
		a.add(codeNoIngressPort, s, "Service %s not found in namespace %s: correct spec.backends.", port.Service.Name, port.Service.Namespace)
		return
	}
	service := a.view.Service(port.Service)
	if service == nil {
		return
	}
	hasPort := slices.ContainsFunc(service.Ports, func(p catalog.Port) bool {
		target := a.view.TargetPort(service, p)
		return target == port.TargetPort || target == 0
	})
	if !hasPort {
		a.add(codeNoIngressPort, s, "Service %s has no targetPort %d: set port.number to the port of the pods, not of the Service.", service.Name.Name, port.TargetPort)
	}
}

// principals reports names of service accounts in another trust domain.
func (a *analysis) principals(s subject, policy *catalog.IngressBackend) {
	domain := cmp.Or(a.mesh.TrustDomain, names.DefaultClusterDomain)
	for _, principal := range policy.Principals {
		parts := strings.SplitN(principal, ".", 3)
		if len(parts) < 3 || parts[2] == domain || !a.exists(catalog.KindServiceAccount, catalog.Name{Namespace: parts[1], Name: parts[0]}) {
			continue
		}
		a.add(codeNoPrincipal, s, "%s is service account %s of namespace %s in the trust domain %s, but the mesh has %s, so no client has this name: write %s.%s.%s.",
			principal, parts[0], parts[1], parts[2], domain, parts[0], parts[1], domain)
	}
}
