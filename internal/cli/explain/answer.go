package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Answer is the answer to a question.
type Answer struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Request string `json:"request,omitempty"`
	// Allowed is true if every way to the destination allows the request.
	Allowed bool `json:"allowed"`
	// Partly is true if only some ways allow the request.
	Partly bool  `json:"partly,omitempty"`
	Ways   []Way `json:"ways"`
	// Missing lists requirements other than policies, such as a sidecar, with their remedies.
	Missing []diagnosis.Finding `json:"missing,omitempty"`
	// Teardown is a note that policies are not enforced, because the mesh is being removed. It is empty otherwise.
	Teardown string `json:"teardown,omitempty"`
	// Note explains a verdict that no policy is about. It is empty otherwise.
	Note string `json:"note,omitempty"`
	// Remedy holds the objects that would allow the request. It is nil if the request is allowed or policies cannot allow it.
	Remedy []*unstructured.Unstructured `json:"remedy,omitempty"`
	// RemedySuffices is false if requirements other than the remedy are missing.
	RemedySuffices bool `json:"remedySuffices,omitempty"`
	// Outside is true if the destination is outside the mesh. Policies are then Egresses.
	Outside bool `json:"outside,omitempty"`
	// FromOutside is true if the client is outside the mesh. Policies are then IngressBackends, or TrafficTargets of the ingress gateway, and
	// one way is enough.
	FromOutside bool `json:"fromOutside,omitempty"`
	// Policies are the TrafficTargets that allow the request, without duplicates.
	Policies []string `json:"policies,omitempty"`
	// Live holds the acknowledgements of sidecars. It is nil if they were not read.
	Live []Live `json:"live,omitempty"`
	// Parties are the service accounts of all involved sidecars. The first one is the caller.
	Parties []identity.ServiceAccount `json:"-"`
}

// Way is the verdict for one port of a Service and one identity behind it.
type Way struct {
	Service  string `json:"service"`
	Port     uint16 `json:"port"`
	Protocol string `json:"protocol"`
	// Gateway is the address at the ingress gateway that leads there. It is empty for other ways.
	Gateway string `json:"gateway,omitempty"`
	// At is the backend Service that a TrafficSplit selects. It is empty for the Service itself.
	At string `json:"at,omitempty"`
	// Split is the TrafficSplit in use, Match its HTTPRouteGroup matches that select the request.
	Split string `json:"split,omitempty"`
	Match string `json:"match,omitempty"`
	// Route is the route of the Gateway API in use, with its kind. It is empty without one.
	Route       string `json:"route,omitempty"`
	Destination string `json:"destination,omitempty"`
	// Share is the part of the requests that a TrafficSplit or route sends there, such as "80%". It is empty for all.
	Share   string `json:"share,omitempty"`
	Outcome string `json:"outcome"`
	// Seen describes the response that the client gets.
	Seen     string   `json:"seen"`
	Policies []string `json:"policies,omitempty"`
	// Permissive is the owner of permissive mode, "the mesh" or "the namespace <name>". It is empty where policies apply.
	Permissive string `json:"permissive,omitempty"`
	Missing    string `json:"missing,omitempty"`
	// Hint describes why the application may not answer what is allowed. It is empty if nothing is known.
	Hint string `json:"hint,omitempty"`
	// LeftOut describes the TrafficSplits that select the request, and whose routes the sidecar of the client does not have.
	LeftOut []string `json:"leftOut,omitempty"`
	// Limits describes the rate limits for an allowed call.
	Limits []string `json:"limits,omitempty"`
	// Authorizer describes the authorization server that must allow an allowed request too. It is empty without one.
	Authorizer string `json:"authorizer,omitempty"`
	// Authorizers describes the servers of ExternalAuthorizations that must allow an allowed request too.
	Authorizers []string `json:"authorizers,omitempty"`
	// Logs describes the Telemetries of the sidecars of the destination.
	Logs []string `json:"logs,omitempty"`
	// Granted lists the requests that the caller may send there.
	Granted []Grant `json:"granted,omitempty"`
}

// Grant is an allowed kind of request with its policies.
type Grant struct {
	Request  string   `json:"request"`
	Policies []string `json:"policies,omitempty"`
}

// Ask answers a question. It returns an error if the question refers to an object that does not exist.
func Ask(ctx context.Context, m Mesh, q Question) (*Answer, error) {
	v := m.Catalog.View()
	from, err := m.resolve(ctx, v, q.From, true)
	if outside, found := m.clientOutside(v, q, from, err); found {
		return m.askFromOutside(ctx, v, q, outside)
	}
	if err != nil {
		return nil, err
	}
	if err := rejectGateway(v, from); err != nil {
		return nil, err
	}
	to, err := m.resolve(ctx, v, q.To, false)
	if q.Outside != nil && (err != nil || to.service != nil && !v.InMesh(to.service.Name.Namespace)) {
		return m.askOutside(v, q, from)
	}
	if err != nil {
		return nil, err
	}
	a := &Answer{From: from.what, To: to.what, Ways: []Way{}}
	if q.asksRequest() {
		a.Request = q.Method + " " + q.Path
	}
	a.Teardown = m.teardownNote(v.Settings())
	a.Missing = m.membership(v, from, to)
	toIsMember := len(m.membership(v, to, to)) == 0
	caller, err := from.caller(v)
	if err != nil {
		if len(a.Missing) > 0 {
			return a, nil
		}
		return nil, err
	}
	if from.pod == nil || from.identity.Name == "" {
		a.From += as(from, caller)
	}
	all, err := servicePorts(v, to, q.To.Port)
	if err != nil {
		return nil, err
	}
	e := evaluator{catalog: m.Catalog, v: v, caller: caller, question: q}
	e.leaveOutSplits(all)
	a.Parties = parties(e, all)
	if len(all) == 0 {
		if toIsMember {
			a.Missing = append(a.Missing, m.missingPort(v, to))
		}
		return a, nil
	}
	for _, p := range all {
		a.Ways = append(a.Ways, e.at(p)...)
	}
	answeredOnDemand(a.Ways, from.pod)
	a.Missing = append(a.Missing, m.deniedPorts(e, all)...)
	m.addHints(v, a.Ways)
	a.setVerdict()
	speaksHTTP := slices.ContainsFunc(all, func(p servicePort) bool { return p.port.Protocol.IsHTTP() })
	if !a.Allowed && !q.WithoutRemedy && (!speaksHTTP || !isRejected(q)) {
		a.Remedy, a.RemedySuffices = m.remedy(e, all)
	}
	return a, nil
}

// addHints adds hints to the ways that are allowed.
func (m Mesh) addHints(v *catalog.View, ways []Way) {
	if m.Undeclared == nil {
		return
	}
	for i := range ways {
		way := &ways[i]
		namespace, name, found := strings.Cut(cmp.Or(way.At, way.Service), "/")
		if found && way.Outcome == string(authz.Allowed) {
			way.Hint = m.Undeclared(v.Service(catalog.Name{Namespace: namespace, Name: name}), way.Port)
		}
	}
}

// as formats the service account of a caller, unless the caller is a service account itself.
func as(p party, caller identity.ServiceAccount) string {
	if strings.HasPrefix(p.what, "ServiceAccount ") {
		return ""
	}
	return " (ServiceAccount " + caller.Namespace + "/" + caller.Name + ")"
}

// teardownNote describes what sidecars allow beyond policies while the mesh is being removed.
func (m Mesh) teardownNote(settings catalog.Settings) string {
	switch settings.Teardown {
	case catalog.TeardownOpen:
		return fmt.Sprintf("The mesh %s is being removed: its sidecars accept all requests, including requests that are denied here.", m.Name)
	case catalog.TeardownPassthrough:
		return fmt.Sprintf("The mesh %s is being removed: its sidecars accept and forward all traffic, including requests that are denied here.", m.Name)
	}
	return ""
}

// membership returns the requirements for membership in the mesh that the two parties do not meet.
func (m Mesh) membership(v *catalog.View, from, to party) []diagnosis.Finding {
	var missing []diagnosis.Finding
	for _, p := range []party{from, to} {
		namespace := p.identity.Namespace
		if p.service != nil {
			namespace = p.service.Name.Namespace
		}
		switch {
		case v.IsGatewayAccount(p.identity, names.IngressGateway, names.EgressGateway):
		case namespace != "" && namespace == v.Settings().Namespace:
			missing = append(missing, diagnosis.Fail("", "namespace %s of %s has the control plane of mesh %s, so it cannot be part of the mesh", namespace, p.what, m.Name))
		case names.IsSystemNamespace(namespace):
			missing = append(missing, diagnosis.Fail("", "namespace %s of %s belongs to Kubernetes, so its pods never get a sidecar", namespace, p.what))
		case !v.InMesh(namespace):
			missing = append(missing, diagnosis.Fail(
				fmt.Sprintf("run osm namespace add %s --mesh-name %s and restart the pods", namespace, m.Name),
				"namespace %s of %s is not part of mesh %s", namespace, p.what, m.Name,
			))
		case p.pod != nil && !p.pod.Injected:
			missing = append(missing, diagnosis.Fail(
				"restart it; if it still has no sidecar, check the annotation openservicemesh.io/sidecar-injection of the pod and its namespace",
				"%s has no sidecar, so it has no identity in the mesh", p.what,
			))
		case p.pod != nil && p.pod.Finished:
			missing = append(missing, diagnosis.Fail("", "%s has terminated", p.what))
		}
	}
	return slices.CompactFunc(missing, diagnosis.Finding.Equal)
}

// missingPort describes why no port leads to a destination of the mesh.
func (m Mesh) missingPort(v *catalog.View, to party) diagnosis.Finding {
	services := v.ServicesOf(to.identity)
	switch {
	case to.service != nil:
		services = []catalog.Name{to.service.Name}
	case to.pod != nil:
		services = v.ServicesOfPod(to.pod)
	}
	if len(services) == 0 {
		return diagnosis.Fail("create a Service whose selector matches its pods", "no Service of the mesh selects %s, and sidecars can only reach pods through Services", to.what)
	}
	missing := diagnosis.Fail("add a TCP port whose appProtocol sidecars support, such as http, grpc or tcp", "no port of Service %s is part of the mesh", services[0])
	if m.Problems == nil {
		return missing
	}
	if problems := m.Problems(catalog.Ref{Kind: catalog.KindService, Name: services[0]}); len(problems) > 0 {
		missing.Message, missing.Remedy = missing.Message+": "+diagnosis.Messages(problems), ""
	}
	return missing
}

// setVerdict sets the verdict from the ways.
func (a *Answer) setVerdict() {
	allowed := 0
	for _, w := range a.Ways {
		if w.Outcome == string(authz.Allowed) {
			allowed++
		}
		a.Policies = append(a.Policies, w.Policies...)
	}
	slices.Sort(a.Policies)
	a.Policies = slices.Compact(a.Policies)
	a.Allowed = allowed == len(a.Ways) && len(a.Missing) == 0
	a.Partly = !a.Allowed && allowed > 0 && len(a.Missing) == 0
}

// evaluator evaluates a question for a caller.
type evaluator struct {
	catalog  *catalog.Catalog
	v        *catalog.View
	caller   identity.ServiceAccount
	question Question
}

// at evaluates the question for one port.
func (e evaluator) at(p servicePort) []Way {
	ways, leftOut := e.waysTo(p), e.leftOut(p)
	for i := range ways {
		ways[i].LeftOut = leftOut
	}
	return ways
}

func (e evaluator) waysTo(p servicePort) []Way {
	if p.port.Protocol.IsHTTP() && !e.question.asksRequest() {
		return e.anyRequest(p)
	}
	var ways []Way
	for _, name := range e.serverNames(p) {
		one := e
		one.question.ServerName = name
		ways = append(ways, one.waysOf(p)...)
	}
	return ways
}

// serverNames returns the server name of the question. If it is about all connections to a port with TLSRoutes, it returns a name of each of them.
func (e evaluator) serverNames(p servicePort) []string {
	if e.question.ServerName != "" {
		return []string{e.question.ServerName}
	}
	var names []string
	for _, rule := range authz.RouteRules(e.viewOf(p), e.caller.Namespace, p.service, p.port) {
		if rule.Routed != nil && len(rule.Routed.ServerNames) > 0 {
			names = append(names, rule.Routed.ServerNames[0])
		}
	}
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// waysOf evaluates one request or connection.
func (e evaluator) waysOf(p servicePort) []Way {
	verdict := e.decide(p)
	var ways []Way
	for _, answer := range verdict.Answers {
		if answer.Destination != (identity.ServiceAccount{}) && p.only != (identity.ServiceAccount{}) && answer.Destination != p.only {
			continue
		}
		w := e.way(p)
		w.Outcome, w.Seen = string(answer.Outcome), seenBy(answer, p.port.Protocol)
		w.Policies, w.Missing, w.Split, w.Match, w.Route = answer.Policies, answer.Missing, answer.Split, answer.Match, answer.Route
		if answer.Permissive {
			w.Permissive = e.permissive(answer.Destination.Namespace)
		}
		if answer.Service != p.service.Name && answer.Service != (catalog.Name{}) {
			w.At = answer.Service.String()
		}
		w.Share = e.share(p, answer)
		if answer.Destination != (identity.ServiceAccount{}) {
			w.Destination = answer.Destination.Namespace + "/" + answer.Destination.Name
			w.Logs = logs(e.v, answer.Destination)
			if answer.Outcome != authz.Allowed {
				w.Granted = e.granted(p, answer.Service, answer.Destination)
			} else {
				w.Limits = limits(e.v, cmp.Or(answer.Service, p.service.Name), p.port.Protocol)
				w.Authorizer, w.Authorizers = e.authorizer(p.port.Protocol), e.authorizers(answer.Destination, p.port.Protocol)
			}
		}
		ways = append(ways, w)
	}
	slices.SortFunc(ways, func(x, y Way) int { return strings.Compare(x.At+x.Destination, y.At+y.Destination) })
	return ways
}

// share returns the part of the requests that a TrafficSplit or route sends to the Service of an answer; empty for all.
func (e evaluator) share(p servicePort, answer authz.Answer) string {
	rule := authz.MatchRule(authz.RouteRules(e.viewOf(p), e.caller.Namespace, p.service, p.port), e.request(p))
	total, weight := uint64(0), uint64(0)
	if rule.Routed != nil {
		total = uint64(rule.Routed.Unusable)
	}
	for _, b := range rule.Backends {
		total += uint64(b.Weight)
		if b.Service.Name == answer.Service {
			weight += uint64(b.Weight)
		}
	}
	if answer.Split == "" && answer.Route == "" || answer.Service == (catalog.Name{}) || total == 0 || weight == total {
		return ""
	}
	return fmt.Sprintf("%d%%", 100*weight/total)
}

func (e evaluator) way(p servicePort) Way {
	return Way{Service: p.service.Name.String(), Port: p.port.Number, Protocol: string(p.port.Protocol)}
}

// permissive returns the owner of permissive mode for a namespace, or "" where policies apply.
func (e evaluator) permissive(namespace string) string {
	switch {
	case !e.v.Permissive(namespace):
		return ""
	case slices.Contains(e.v.PermissiveOverrides(), namespace):
		return "the namespace " + namespace
	}
	return "the mesh"
}

// decide evaluates the request with the policy engine.
func (e evaluator) decide(p servicePort) authz.Verdict {
	return authz.Decide(e.viewOf(p), e.request(p))
}

// request converts the question to a request to one port.
func (e evaluator) request(p servicePort) authz.Request {
	r := authz.Request{Source: e.caller, Service: p.service.Name, Port: p.port.Number, Pod: p.pod, ServerName: e.question.ServerName}
	// A sidecar may read the requests of a TCP port as HTTP, because another port of its pod has the same number.
	if p.port.Protocol.IsHTTP() || e.question.asksRequest() {
		r.Method, r.Path, r.Headers = e.question.Method, e.question.Path, withHost(e.question.Headers, p.host())
	}
	return r
}

// withHost adds the :authority header, with the value of a Host header in the question.
func withHost(headers []authz.Header, host string) []authz.Header {
	all := []authz.Header{{Name: ":authority", Value: host}}
	for _, h := range headers {
		if strings.EqualFold(h.Name, "host") || h.Name == ":authority" {
			all[0].Value = h.Value
			continue
		}
		all = append(all, h)
	}
	return all
}

// anyRequest evaluates, for each identity behind a port, whether the caller may send it any request.
func (e evaluator) anyRequest(p servicePort) []Way {
	var ways []Way
	for _, b := range p.destinations(e) {
		w := e.way(p)
		w.Split, w.Match, w.Route = b.split, b.matches, b.route
		w.Destination, w.Logs = b.identity.Namespace+"/"+b.identity.Name, logs(e.v, b.identity)
		if b.service != p.service.Name {
			w.At = b.service.String()
		}
		w.Granted = e.granted(p, b.service, b.identity)
		if w.Permissive = e.permissive(b.identity.Namespace); w.Permissive == "" {
			w.Policies = authz.GrantingTargets(e.v, e.caller, b.identity, b.port, b.protocol)
		}
		if len(w.Granted) > 0 {
			w.Outcome, w.Seen = string(authz.Allowed), "the requests listed here reach the application"
			w.Limits = limits(e.v, b.service, p.port.Protocol)
			w.Authorizer, w.Authorizers = e.authorizer(p.port.Protocol), e.authorizers(b.identity, p.port.Protocol)
		} else {
			w.Outcome, w.Seen = string(authz.Unavailable), "no request is allowed; add METHOD and PATH to see the response"
			w.Missing = fmt.Sprintf("a TrafficTarget in namespace %s from %s/%s to %s", b.identity.Namespace, e.caller.Namespace, e.caller.Name, w.Destination)
		}
		ways = append(ways, w)
	}
	if len(ways) == 0 {
		w := e.way(p)
		w.Outcome, w.Seen, w.Missing = string(authz.Unavailable), seen(authz.Unavailable, p.port.Protocol), "a pod with a sidecar behind "+p.service.Name.String()
		ways = append(ways, w)
	}
	return ways
}

// authorizer describes the authorization server that decides about requests in addition to policies.
func (e evaluator) authorizer(protocol catalog.Protocol) string {
	server := e.v.Settings().ExternalAuthorization
	if server == nil || !protocol.IsHTTP() {
		return ""
	}
	otherwise := withoutAnswer(server.FailureModeAllow)
	if server.Address == "" {
		return "there is no usable authorization server, so the request " + otherwise
	}
	return fmt.Sprintf("the authorization server %s:%d must allow the request too; without its answer within %s the request %s", server.Address, server.Port, server.Timeout, otherwise)
}

// withoutAnswer describes what happens to a request that an authorization server does not decide about.
func withoutAnswer(allow bool) string {
	if allow {
		return "is allowed"
	}
	return "gets status 503"
}

// granted lists the requests that the caller may send to an identity behind a Service.
func (e evaluator) granted(p servicePort, service catalog.Name, to identity.ServiceAccount) []Grant {
	if !p.port.Protocol.IsHTTP() {
		return nil
	}
	var grants []Grant
	all := p.destinations(e)
	for i, b := range all {
		same := func(o destination) bool {
			return o.service == b.service && o.identity == b.identity && o.port == b.port
		}
		if b.service != service || b.identity != to || slices.ContainsFunc(all[:i], same) {
			continue
		}
		for _, route := range authz.InboundRules(e.v, to, b.port, b.protocol).Routes {
			if route.AnySource || slices.Contains(route.Sources, e.caller) {
				grants = append(grants, Grant{Request: describe(route.Match), Policies: route.Policies})
			}
		}
	}
	return grants
}

// describe formats a match as text.
func describe(m catalog.HTTPMatch) string {
	parts := []string{cmp.Or(strings.Join(m.Methods, ", "), "any method"), cmp.Or(m.PathRegex, "any path")}
	for _, h := range m.Headers {
		parts = append(parts, fmt.Sprintf("-H '%s: %s'", h.Name, h.Regex))
	}
	return strings.Join(parts, " ")
}

// seenBy describes the response that the client gets. A route can answer in its sidecar.
func seenBy(answer authz.Answer, protocol catalog.Protocol) string {
	switch {
	case answer.Outcome == authz.Redirected:
		return fmt.Sprintf("status %d, a redirect by the route", answer.Status)
	case answer.Outcome == authz.NotFound && answer.Destination == (identity.ServiceAccount{}):
		return "status 404 of the client's sidecar: no rule of the Service's routes matches"
	}
	return seen(answer.Outcome, protocol)
}

// seen describes the response that the client gets.
func seen(outcome authz.Outcome, protocol catalog.Protocol) string {
	if outcome == authz.Unavailable && protocol.IsHTTP() {
		return "status 503"
	}
	return cmp.Or(responses[outcome], string(outcome))
}

// responses describe the response for each outcome. HTTP has another one for Unavailable.
var responses = map[authz.Outcome]string{
	authz.Allowed:       "it reaches the application",
	authz.Forbidden:     "status 403, RBAC: access denied (granted to others)",
	authz.NotFound:      "status 404 (granted to nobody)",
	authz.Misrouted:     "status 500 of the client's sidecar",
	authz.BadRequest:    "status 400",
	authz.Unavailable:   "the connection is closed without a response",
	authz.Reset:         "the connection is reset",
	authz.Refused:       "the connection is reset, like all connections of this client",
	authz.PassedThrough: "the connection is passed through like external traffic, and the server's sidecar closes it",
}
