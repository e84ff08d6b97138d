package reference

import (
	"cmp"
	"slices"

	splitv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha4"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
)

// Request is one call of an application.
type Request struct {
	// Source is the client's service account.
	Source types.NamespacedName
	// Service and Port are the called Service. Pod is the address that the client of a headless Service chose.
	Service types.NamespacedName
	Port    int32
	Pod     string
	// ServerName is the one that a client with TLS asks for.
	ServerName string
	// Method, Path and Headers (name and value) apply to HTTP ports. The Host header is ":authority".
	Method, Path string
	Headers      [][2]string
}

// Outcome is what the application observes.
type Outcome string

// Outcomes of a request.
const (
	Allowed    Outcome = "allowed"
	Forbidden  Outcome = "403"
	NotFound   Outcome = "404"
	BadRequest Outcome = "400"
	// Redirected is a redirect by a route, and Broken a 500, because a route has no usable backend.
	Redirected Outcome = "redirected"
	Broken     Outcome = "500"
	// Unavailable is a 503, or a closed connection.
	Unavailable Outcome = "unavailable"
	// Reset and Refused are the outcomes for a destination that the client's sidecar does not have.
	Reset   Outcome = "reset"
	Refused Outcome = "refused"
	// Passed is the outcome for such a destination when the mesh allows egress.
	Passed Outcome = "passed"
)

// Result is an outcome at a destination; Service and Account are empty if the request has no destination.
type Result struct {
	Outcome          Outcome
	Service, Account types.NamespacedName
}

// share is a Service port that receives a part of the traffic.
type share struct {
	service *corev1.Service
	port    corev1.ServicePort
	weight  int
	// filters are those of the backend of a route.
	filters []gatewayv1.HTTPRouteFilter
}

// rule distributes the requests that a TrafficSplit, or none, selects.
type rule struct {
	split  *splitv1alpha4.TrafficSplit
	shares []share
}

// Decide returns the distinct possible results of a request.
func (c *Cluster) Decide(r Request) []Result {
	service := c.service(r.Service)
	if service == nil || portOf(service, r.Port) == nil || !c.knows(r.Source, service, *portOf(service, r.Port), r.Pod) {
		return []Result{{Outcome: c.unknown(r.Source)}}
	}
	port := *portOf(service, r.Port)
	if isHTTP(port) && slices.Contains([]byte(r.Path), '#') {
		return []Result{{Outcome: BadRequest}}
	}
	if routes := c.routesFor(r.Source.Namespace, service, port); len(routes) > 0 {
		return c.decideRouted(r, service, port, routes)
	}
	if routes := c.connectionRoutesFor(r.Source.Namespace, service, port); len(routes) > 0 {
		return c.decideConnection(r, service, port, routes)
	}
	applied := c.applies(c.rules(service, port), asSent(r))
	direct := headless(service) && len(applied.shares) == 1 && applied.shares[0].service.Name == service.Name && applied.shares[0].weight > 0
	var results []Result
	for _, s := range applied.shares {
		if s.weight == 0 {
			continue
		}
		for _, result := range c.at(r, s, direct) {
			if !slices.Contains(results, result) {
				results = append(results, result)
			}
		}
	}
	if len(results) == 0 {
		return []Result{{Outcome: Unavailable}}
	}
	return results
}

// unknown returns the outcome for a destination that the client's sidecar does not have.
func (c *Cluster) unknown(source account) Outcome {
	if c.MeshConfig.Spec.Traffic.EnableEgress {
		return Passed
	}
	if c.MeshConfig.Spec.FeatureFlags.EnableEgressPolicy && len(c.egressesOf(source, 0)) > 0 {
		return Reset
	}
	for i := range c.Services {
		service := &c.Services[i]
		for _, port := range service.Spec.Ports {
			if c.knows(source, service, port, "") {
				return Reset
			}
		}
	}
	return Refused
}

// knows reports whether a client's sidecar has a destination: the client may connect to a pod behind one of its shares. pod is the
// chosen address behind a headless Service, or empty for any.
func (c *Cluster) knows(source account, service *corev1.Service, port corev1.ServicePort, pod string) bool {
	if headless(service) && !slices.ContainsFunc(c.endpoints(service, port), func(e endpoint) bool {
		return c.containerPort(service, port) != 0 && (pod == "" || e.address == pod)
	}) {
		return false
	}
	for _, s := range c.destinationsOf(source, service, port) {
		if len(c.reachable(source, s)) > 0 {
			return true
		}
	}
	return false
}

// destinationsOf returns all shares of the requests of a client to a port. A route can answer requests itself, so the Service counts too.
func (c *Cluster) destinationsOf(source account, service *corev1.Service, port corev1.ServicePort) []share {
	routes := c.routesFor(source.Namespace, service, port)
	var list []share
	for i := range routes {
		for k := range routes[i].Spec.Rules {
			usable, _ := c.backends(originOf(&routes[i]), service, routes[i].Spec.Rules[k].BackendRefs)
			list = append(list, usable...)
		}
	}
	ofConnections := c.connectionRoutesFor(source.Namespace, service, port)
	for _, route := range ofConnections {
		usable, _ := c.backends(route.origin, service, route.refs)
		list = append(list, usable...)
	}
	if len(routes)+len(ofConnections) > 0 {
		if c.containerPort(service, port) != 0 {
			list = append(list, share{service: service, port: port, weight: 1})
		}
		return list
	}
	for _, rule := range c.rules(service, port) {
		list = append(list, rule.shares...)
	}
	return list
}

// reachable returns the service accounts behind a share to which a client may connect.
func (c *Cluster) reachable(source account, s share) []account {
	return slices.DeleteFunc(c.accounts(s.service), func(sa account) bool {
		return !c.mayConnect(source, sa, c.containerPort(s.service, s.port), c.servesHTTP(s))
	})
}

// servesHTTP reports whether the server authorizes requests on the container port: one port of a Service that shares pods with this
// one declares HTTP.
func (c *Cluster) servesHTTP(s share) bool {
	target := c.containerPort(s.service, s.port)
	for i := range c.Services {
		other := &c.Services[i]
		shared := other.Name == s.service.Name && other.Namespace == s.service.Namespace
		for _, pod := range c.selected(other) {
			shared = shared || slices.Contains(c.selected(s.service), pod)
		}
		for _, port := range other.Spec.Ports {
			if shared && isHTTP(port) && c.containerPort(other, port) == target {
				return true
			}
		}
	}
	return isHTTP(s.port)
}

// rules returns the rules of a Service port in order of precedence: TrafficSplits with matches by age, then the oldest one without, or the
// Service itself.
func (c *Cluster) rules(service *corev1.Service, port corev1.ServicePort) []rule {
	var splits []splitv1alpha4.TrafficSplit
	for _, split := range c.TrafficSplits {
		if split.Namespace == service.Namespace && split.Spec.Service == service.Name {
			splits = append(splits, split)
		}
	}
	slices.SortFunc(splits, func(a, b splitv1alpha4.TrafficSplit) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	var list, last []rule
	for i := range splits {
		r := rule{split: &splits[i], shares: c.shares(&splits[i], port)}
		switch {
		case len(splits[i].Spec.Matches) == 0:
			last = append(last, r)
		case isHTTP(port) && c.hasMatches(&splits[i]):
			list = append(list, r)
		}
	}
	if len(last) > 0 {
		return append(list, last[0])
	}
	own := rule{}
	if c.containerPort(service, port) != 0 {
		own.shares = []share{{service: service, port: port, weight: 1}}
	}
	return append(list, own)
}

// shares returns the backends of a TrafficSplit that exist and have the port.
func (c *Cluster) shares(split *splitv1alpha4.TrafficSplit, root corev1.ServicePort) []share {
	var list []share
	for _, backend := range split.Spec.Backends {
		service := c.service(types.NamespacedName{Namespace: split.Namespace, Name: backend.Service})
		if service == nil || portOf(service, root.Port) == nil || c.containerPort(service, *portOf(service, root.Port)) == 0 {
			continue
		}
		list = append(list, share{service: service, port: *portOf(service, root.Port), weight: backend.Weight})
	}
	return list
}

func (c *Cluster) hasMatches(split *splitv1alpha4.TrafficSplit) bool {
	return slices.ContainsFunc(split.Spec.Matches, func(ref corev1.TypedLocalObjectReference) bool { return len(c.group(split.Namespace, ref.Name)) > 0 })
}

// applies returns the first rule that selects a request.
func (c *Cluster) applies(rules []rule, r request) rule {
	for _, candidate := range rules[:len(rules)-1] {
		for _, ref := range candidate.split.Spec.Matches {
			if slices.ContainsFunc(c.group(candidate.split.Namespace, ref.Name), r.matches) {
				return candidate
			}
		}
	}
	return rules[len(rules)-1]
}

// at returns the results at a share: one for each service account whose pods may receive the request.
func (c *Cluster) at(r Request, s share, direct bool) []Result {
	name := types.NamespacedName{Namespace: s.service.Namespace, Name: s.service.Name}
	endpoints, reachable := c.endpoints(s.service, s.port), c.reachable(r.Source, s)
	if direct {
		endpoints = slices.DeleteFunc(endpoints, func(e endpoint) bool { return e.address != r.Pod })
	} else {
		endpoints = balanced(endpoints, reachable)
	}
	if len(endpoints) == 0 {
		return []Result{{Outcome: Unavailable, Service: name}}
	}
	var results []Result
	for _, e := range endpoints {
		result := Result{Outcome: Unavailable, Service: name, Account: e.account}
		switch {
		case !slices.Contains(reachable, e.account):
		case c.servesHTTP(s):
			result.Outcome = c.authorize(r.Source, e.account, c.containerPort(s.service, s.port), asReceived(r, c.decodes(s.service)))
		default:
			result.Outcome = Allowed
		}
		results = append(results, result)
	}
	return results
}

// balanced returns the endpoints among which the client's sidecar chooses: those that the client may call, ready ones if there are any.
// A client that may call none of them gets all, and is denied by each.
func balanced(endpoints []endpoint, reachable []account) []endpoint {
	if len(reachable) > 0 {
		endpoints = slices.DeleteFunc(endpoints, func(e endpoint) bool { return !slices.Contains(reachable, e.account) })
	}
	if slices.ContainsFunc(endpoints, func(e endpoint) bool { return e.ready }) {
		return slices.DeleteFunc(endpoints, func(e endpoint) bool { return !e.ready })
	}
	return slices.DeleteFunc(endpoints, func(e endpoint) bool { return !e.serving })
}

// Authorizer is a server that must allow requests to a pod. Without a Port, there is no usable server.
type Authorizer struct {
	Host string
	Port int32
	// FailOpen allows requests without a decision.
	FailOpen bool
	// Encrypted is true if connections to the server are encrypted.
	Encrypted bool
}

// Authorizers returns the servers that must allow HTTP requests to a pod, in order: that of the MeshConfig, that of the namespace of the mesh,
// and that of the pod's namespace.
func (c *Cluster) Authorizers(pod types.NamespacedName) []Authorizer {
	var list []Authorizer
	if config := c.MeshConfig.Spec.Traffic.InboundExternalAuthorization; config.Enable {
		a := Authorizer{FailOpen: config.FailureModeAllow}
		policy := c.encryptingHost(config.Address, int32(config.Port))
		if a.Encrypted = policy != nil; policy == nil || c.isUsable(policy) {
			a.Host, a.Port = config.Address, int32(config.Port)
		}
		list = append(list, a)
	}
	for _, namespace := range []string{c.MeshConfig.Namespace, pod.Namespace} {
		if policy := c.authorizationIn(namespace, c.labels(pod)); policy != nil {
			list = append(list, c.authorizerOf(policy))
		}
	}
	return list
}

func (c *Cluster) labels(pod types.NamespacedName) map[string]string {
	for i := range c.Pods {
		if c.Pods[i].Namespace == pod.Namespace && c.Pods[i].Name == pod.Name {
			return c.Pods[i].Labels
		}
	}
	return nil
}

// authorizationIn returns the policy of a namespace for a pod: one with a selector, then the oldest, then the first by name; nil without any.
func (c *Cluster) authorizationIn(namespace string, labels map[string]string) *policyv1alpha1.ExternalAuthorization {
	var found *policyv1alpha1.ExternalAuthorization
	for i := range c.ExternalAuthorizations {
		candidate := &c.ExternalAuthorizations[i]
		if candidate.Namespace != namespace || !hasAll(labels, candidate.Spec.Selector) {
			continue
		}
		if found == nil || cmp.Or(cmp.Compare(rank(found), rank(candidate)), candidate.CreationTimestamp.Compare(found.CreationTimestamp.Time),
			cmp.Compare(candidate.Name, found.Name)) < 0 {
			found = candidate
		}
	}
	return found
}

// rank is higher for a policy with a selector.
func rank(policy *policyv1alpha1.ExternalAuthorization) int { return min(len(policy.Spec.Selector), 1) }

func hasAll(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// authorizerOf returns the server of a policy. It must be in the namespace of the policy or of the mesh.
func (c *Cluster) authorizerOf(policy *policyv1alpha1.ExternalAuthorization) Authorizer {
	a := Authorizer{FailOpen: policy.Spec.FailureModeAllow}
	ref := policy.Spec.ExtensionService
	namespace := cmp.Or(ref.Namespace, policy.Namespace)
	for _, service := range c.ExtensionServices {
		if service.Namespace == namespace && service.Name == ref.Name && (namespace == policy.Namespace || namespace == c.MeshConfig.Namespace) {
			policy := c.encryptingServer(service)
			if a.Encrypted = policy != nil; policy == nil || c.isUsable(policy) {
				a.Host, a.Port = service.Spec.Host, service.Spec.Port
			}
		}
	}
	return a
}
