package reference

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// routesFor returns the HTTPRoutes for requests from a namespace to a port of a Service: those of the namespace, if it is not that of the Service, or
// else those of the Service's namespace.
func (c *Cluster) routesFor(clients string, service *corev1.Service, port corev1.ServicePort) []gatewayv1.HTTPRoute {
	in := func(namespace string) []gatewayv1.HTTPRoute {
		var list []gatewayv1.HTTPRoute
		for _, route := range c.HTTPRoutes {
			if route.Namespace == namespace && slices.ContainsFunc(route.Spec.ParentRefs, func(ref gatewayv1.ParentReference) bool {
				return ref.Kind != nil && *ref.Kind == "Service" && string(ref.Name) == service.Name && string(*ref.Namespace) == service.Namespace &&
					(ref.Port == nil || *ref.Port == port.Port)
			}) {
				list = append(list, route)
			}
		}
		return list
	}
	if !isHTTP(port) {
		return nil
	}
	if own := in(clients); len(own) > 0 {
		return own
	}
	return in(service.Namespace)
}

// candidate is a match of a rule.
type candidate struct {
	route *gatewayv1.HTTPRoute
	rule  *gatewayv1.HTTPRouteRule
	match gatewayv1.HTTPRouteMatch
}

// decideRouted returns the results of a request to which routes apply.
func (c *Cluster) decideRouted(r Request, service *corev1.Service, port corev1.ServicePort, routes []gatewayv1.HTTPRoute) []Result {
	applied, ok := selectRule(r, routes)
	if !ok {
		return []Result{{Outcome: NotFound}}
	}
	return c.follow(r, service, port, applied)
}

// selectRule returns the most specific match of a request, of the oldest route.
func selectRule(r Request, routes []gatewayv1.HTTPRoute) (candidate, bool) {
	slices.SortFunc(routes, func(a, b gatewayv1.HTTPRoute) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	var fitting []candidate
	for i := range routes {
		for k := range routes[i].Spec.Rules {
			rule := &routes[i].Spec.Rules[k]
			for _, match := range rule.Matches {
				if fits(r, match) {
					fitting = append(fitting, candidate{&routes[i], rule, match})
				}
			}
		}
	}
	if len(fitting) == 0 {
		return candidate{}, false
	}
	slices.SortStableFunc(fitting, func(a, b candidate) int { return slices.Compare(specificity(b.match), specificity(a.match)) })
	return fitting[0], true
}

// specificity orders matches: greater is more specific. Expressions are between exact paths and prefixes.
func specificity(m gatewayv1.HTTPRouteMatch) []int {
	kind := map[gatewayv1.PathMatchType]int{gatewayv1.PathMatchExact: 2, gatewayv1.PathMatchRegularExpression: 1}[*m.Path.Type]
	method := 0
	if m.Method != nil {
		method = 1
	}
	return []int{kind, len(*m.Path.Value), method, len(m.Headers), len(m.QueryParams)}
}

// fits reports whether a request, as the client sends it, fits a match.
func fits(r Request, m gatewayv1.HTTPRouteMatch) bool {
	sent := asSent(r)
	_, query, _ := strings.Cut(r.Path, "?")
	pathFits := map[gatewayv1.PathMatchType]func(string) bool{
		gatewayv1.PathMatchExact:             func(value string) bool { return sent.path == value },
		gatewayv1.PathMatchRegularExpression: func(value string) bool { return whole(value, sent.path) },
		gatewayv1.PathMatchPathPrefix: func(value string) bool {
			return value == "/" || strings.HasPrefix(strings.TrimSuffix(sent.path, "/")+"/", strings.TrimSuffix(value, "/")+"/")
		},
	}[*m.Path.Type](*m.Path.Value)
	if !pathFits || m.Method != nil && string(*m.Method) != r.Method {
		return false
	}
	for _, h := range m.Headers {
		name := strings.ToLower(string(h.Name))
		if name == "host" {
			name = ":authority"
		}
		value, exists := sent.headers[name]
		if !exists || *h.Type == gatewayv1.HeaderMatchExact && value != h.Value || *h.Type == gatewayv1.HeaderMatchRegularExpression && !whole(h.Value, value) {
			return false
		}
	}
	for _, q := range m.QueryParams {
		if !slices.Contains(strings.Split(query, "&"), string(q.Name)+"="+q.Value) {
			return false
		}
	}
	return true
}

// follow returns the results of a request that a rule selects.
func (c *Cluster) follow(r Request, service *corev1.Service, port corev1.ServicePort, selected candidate) []Result {
	for _, filter := range selected.rule.Filters {
		if filter.RequestRedirect != nil {
			return []Result{{Outcome: Redirected}}
		}
	}
	usable, broken := c.backends(originOf(selected.route), service, selected.rule.BackendRefs)
	return c.distribute(r, service, port, usable, broken, Broken, func(s share) Request { return filtered(r, selected, s.filters) })
}

// distribute returns the results of a request at the shares of a route. Its outcome is unusable without a backend, and for the share of a broken one.
func (c *Cluster) distribute(r Request, service *corev1.Service, port corev1.ServicePort, usable []share, broken bool, unusable Outcome,
	edited func(share) Request,
) []Result {
	var results []Result
	total := 0
	for _, s := range usable {
		total += s.weight
	}
	if broken || total == 0 {
		results = append(results, Result{Outcome: unusable})
	}
	direct := headless(service) && len(usable) == 1 && !broken && usable[0].service.Name == service.Name &&
		usable[0].service.Namespace == service.Namespace && usable[0].weight > 0 &&
		c.containerPort(service, usable[0].port) == c.containerPort(service, port)
	for _, s := range usable {
		if s.weight == 0 {
			continue
		}
		for _, result := range c.at(edited(s), s, direct) {
			if !slices.Contains(results, result) {
				results = append(results, result)
			}
		}
	}
	return results
}

// origin is what decides which Services a route may use.
type origin struct{ kind, namespace string }

func originOf(route *gatewayv1.HTTPRoute) origin { return origin{"HTTPRoute", route.Namespace} }

// backends returns the backends of a rule that exist and that the route may use for requests to a Service, and whether a share of the requests has another one.
func (c *Cluster) backends(route origin, called *corev1.Service, refs []gatewayv1.HTTPBackendRef) (usable []share, broken bool) {
	for _, ref := range refs {
		name := types.NamespacedName{Namespace: string(*ref.Namespace), Name: string(ref.Name)}
		service := c.service(name)
		switch {
		case service == nil, portOf(service, *ref.Port) == nil,
			name.Namespace != route.namespace && name != (types.NamespacedName{Namespace: called.Namespace, Name: called.Name}) && !c.isGranted(route, name):
			broken = broken || *ref.Weight > 0
		case c.containerPort(service, *portOf(service, *ref.Port)) != 0:
			usable = append(usable, share{service, *portOf(service, *ref.Port), int(*ref.Weight), ref.Filters})
		}
	}
	return usable, broken
}

// isParent reports whether a Service is among the parents of a route.
func isParent(parents []gatewayv1.ParentReference, service types.NamespacedName) bool {
	return slices.ContainsFunc(parents, func(ref gatewayv1.ParentReference) bool {
		return ref.Kind != nil && *ref.Kind == "Service" && string(ref.Name) == service.Name && string(*ref.Namespace) == service.Namespace
	})
}

// isGranted reports whether a route may use a Service of another namespace.
func (c *Cluster) isGranted(route origin, service types.NamespacedName) bool {
	for _, grant := range c.ReferenceGrants {
		for _, from := range grant.Spec.From {
			for _, to := range grant.Spec.To {
				if grant.Namespace == service.Namespace && string(from.Kind) == route.kind &&
					string(from.Namespace) == route.namespace && to.Kind == "Service" &&
					(to.Name == nil || string(*to.Name) == service.Name) {
					return true
				}
			}
		}
	}
	return false
}

// filtered returns a request after the filters of a rule, and of the backend.
func filtered(r Request, selected candidate, backend []gatewayv1.HTTPRouteFilter) Request {
	for _, filter := range append(slices.Clone(selected.rule.Filters), backend...) {
		switch {
		case filter.RequestHeaderModifier != nil:
			r.Headers = modified(r.Headers, filter.RequestHeaderModifier)
		case filter.URLRewrite != nil && filter.URLRewrite.Path != nil:
			r.Path = rewritten(r.Path, *selected.match.Path.Value, filter.URLRewrite.Path)
		}
	}
	return r
}

func modified(headers [][2]string, edits *gatewayv1.HTTPHeaderFilter) [][2]string {
	var list [][2]string
	for _, h := range headers {
		isReplaced := slices.ContainsFunc(edits.Set, func(set gatewayv1.HTTPHeader) bool { return strings.EqualFold(string(set.Name), h[0]) })
		isRemoved := slices.ContainsFunc(edits.Remove, func(name string) bool { return strings.EqualFold(name, h[0]) })
		if !isReplaced && !isRemoved {
			list = append(list, h)
		}
	}
	for _, h := range append(slices.Clone(edits.Set), edits.Add...) {
		list = append(list, [2]string{string(h.Name), h.Value})
	}
	return list
}

// rewritten returns a path with another beginning, or another path, and the same query.
func rewritten(path, prefix string, edit *gatewayv1.HTTPPathModifier) string {
	path, query, hasQuery := strings.Cut(path, "?")
	if edit.Type == gatewayv1.FullPathHTTPPathModifier {
		path = *edit.ReplaceFullPath
	} else {
		rest := strings.TrimPrefix(path, strings.TrimSuffix(prefix, "/"))
		begin := strings.TrimSuffix(*edit.ReplacePrefixMatch, "/")
		if begin == "" || prefix == "/" {
			rest = "/" + strings.TrimLeft(rest, "/")
		}
		path = begin + rest
	}
	if hasQuery {
		path += "?" + query
	}
	return path
}
