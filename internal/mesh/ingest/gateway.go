package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// GatewayClass returns a function that reads a GatewayClass. There is no entry if its controller is another one.
func GatewayClass(mesh string) func(*unstructured.Unstructured) (*catalog.GatewayClass, []Problem) {
	return func(u *unstructured.Unstructured) (*catalog.GatewayClass, []Problem) {
		if controller, _, _ := unstructured.NestedString(u.Object, "spec", "controllerName"); controller != names.GatewayController(mesh) {
			return nil, nil
		}
		class := &catalog.GatewayClass{Name: u.GetName()}
		if allowed := u.GetAnnotations()[names.AllowedNamespacesAnnotation]; allowed != "" {
			class.Namespaces = strings.Split(allowed, ",")
		}
		return class, nil
	}
}

// NamespaceLabels reads the labels of a namespace.
func NamespaceLabels(ns *corev1.Namespace) *catalog.NamespaceLabels {
	return &catalog.NamespaceLabels{Namespace: ns.Name, Labels: ns.Labels}
}

// Gateway reads a Gateway. What the ingress gateway does not support is part of the entry, because it has a status of its own.
func Gateway(u *unstructured.Unstructured) (*catalog.Gateway, []Problem) {
	object, found := convert[gatewayv1.Gateway](u)
	if found != nil {
		return nil, found
	}
	for i := range object.Spec.Listeners {
		if found := checkHostname("Gateway", string(ptr.Deref(object.Spec.Listeners[i].Hostname, ""))); found != nil {
			return nil, found
		}
	}
	gateway := &catalog.Gateway{Name: nameOf(u), Created: u.GetCreationTimestamp().UTC(), Class: string(object.Spec.GatewayClassName), Ignored: setFields(u, ignoredByGateways())}
	for i := range object.Spec.Listeners {
		listener := gatewayListener(u.GetNamespace(), &object.Spec.Listeners[i])
		listener.ClientCertificates = demandsClientCertificates(&object.Spec, &object.Spec.Listeners[i])
		listener.Claimed = claimedSince(object, listener)
		gateway.Listeners = append(gateway.Listeners, listener)
	}
	return gateway, nil
}

func gatewayListener(namespace string, l *gatewayv1.Listener) catalog.GatewayListener {
	listener := catalog.GatewayListener{
		Name: string(l.Name), Port: uint16(l.Port), Protocol: string(l.Protocol), Hostname: string(ptr.Deref(l.Hostname, "")), //nolint:gosec // the schema limits it
		Terminate: true, From: string(gatewayv1.NamespacesFromSame),
	}
	if l.TLS != nil {
		listener.Terminate = ptr.Deref(l.TLS.Mode, gatewayv1.TLSModeTerminate) == gatewayv1.TLSModeTerminate
		for _, ref := range l.TLS.CertificateRefs {
			group, kind := string(ptr.Deref(ref.Group, "")), string(ptr.Deref(ref.Kind, "Secret"))
			if group != "" || kind != "Secret" {
				listener.OtherCertificate = fmt.Sprintf("%s %s", kind, ref.Name)
				continue
			}
			listener.Certificates = append(listener.Certificates, catalog.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)})
		}
	}
	if l.AllowedRoutes == nil {
		return listener
	}
	if from := l.AllowedRoutes.Namespaces; from != nil {
		listener.From = string(ptr.Deref(from.From, gatewayv1.NamespacesFromSame))
		listener.Selector = labelSelector(from.Selector)
	}
	for _, kind := range l.AllowedRoutes.Kinds {
		listener.OtherKinds = true
		if kind.Kind == "HTTPRoute" && ptr.Deref(kind.Group, gatewayv1.GroupName) == gatewayv1.GroupName {
			listener.OtherKinds = false
			break
		}
	}
	return listener
}

func labelSelector(selector *metav1.LabelSelector) catalog.LabelSelector {
	if selector == nil {
		return catalog.LabelSelector{{}} // matches nothing
	}
	var requirements catalog.LabelSelector
	for _, key := range slices.Sorted(maps.Keys(selector.MatchLabels)) {
		requirements = append(requirements, catalog.LabelRequirement{Key: key, Operator: "In", Values: []string{selector.MatchLabels[key]}})
	}
	for _, e := range selector.MatchExpressions {
		requirements = append(requirements, catalog.LabelRequirement{Key: e.Key, Operator: string(e.Operator), Values: e.Values})
	}
	return requirements
}

// ReferenceGrant reads a ReferenceGrant.
func ReferenceGrant(u *unstructured.Unstructured) (*catalog.ReferenceGrant, []Problem) {
	object, found := convert[gatewayv1.ReferenceGrant](u)
	if found != nil {
		return nil, found
	}
	grant := &catalog.ReferenceGrant{Name: nameOf(u)}
	for _, from := range object.Spec.From {
		grant.From = append(grant.From, catalog.GrantedReferrer{Group: string(from.Group), Kind: string(from.Kind), Namespace: string(from.Namespace)})
	}
	for _, to := range object.Spec.To {
		grant.To = append(grant.To, catalog.GrantedObject{Group: string(to.Group), Kind: string(to.Kind), Name: string(ptr.Deref(to.Name, ""))})
	}
	return grant, nil
}

// convert reads an object into its type.
func convert[T any](u *unstructured.Unstructured) (*T, []Problem) {
	object := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object); err != nil {
		return nil, []Problem{{Reason: ReasonMalformed, Message: fmt.Sprintf("This %s cannot be read, so it has no effect: %v.", cmp.Or(u.GetKind(), "object"), err)}}
	}
	return object, nil
}

// HTTPRoute reads an HTTPRoute. There is no entry if none of its parents is a Gateway or a Service.
func HTTPRoute(u *unstructured.Unstructured) (*catalog.HTTPRoute, []Problem) {
	object, found := convert[gatewayv1.HTTPRoute](u)
	if found != nil {
		return nil, found
	}
	route := &catalog.HTTPRoute{Kind: catalog.KindHTTPRoute, Name: nameOf(u), Created: u.GetCreationTimestamp().UTC(), Ignored: setFields(u, ignoredByRoutes())}
	for _, ref := range object.Spec.ParentRefs {
		if parent, ok := RouteParent(u.GetNamespace(), ref); ok {
			route.Parents = append(route.Parents, parent)
		}
	}
	if len(route.Parents) == 0 {
		return nil, nil
	}
	if found := checkHostnames("HTTPRoute", object.Spec.Hostnames); found != nil {
		return nil, found
	}
	for _, host := range object.Spec.Hostnames {
		route.Hostnames = append(route.Hostnames, string(host))
	}
	for i := range object.Spec.Rules {
		route.Rules = append(route.Rules, routeRule(u.GetNamespace(), &object.Spec.Rules[i]))
	}
	return route, nil
}

// RouteParent reads a parent of a route. It returns false unless the parent is a Gateway or a Service.
func RouteParent(namespace string, ref gatewayv1.ParentReference) (catalog.RouteParent, bool) {
	parent := catalog.RouteParent{Section: string(ptr.Deref(ref.SectionName, "")), Port: uint16(ptr.Deref(ref.Port, 0))} //nolint:gosec // the schema limits it
	name := catalog.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)}
	switch [2]string{string(ptr.Deref(ref.Group, gatewayv1.GroupName)), string(ptr.Deref(ref.Kind, "Gateway"))} {
	case [2]string{gatewayv1.GroupName, "Gateway"}:
		parent.Gateway = name
	case [2]string{"", "Service"}:
		parent.Service = name
	default:
		return catalog.RouteParent{}, false
	}
	return parent, true
}

func routeRule(namespace string, r *gatewayv1.HTTPRouteRule) catalog.HTTPRouteRule {
	rule := catalog.HTTPRouteRule{}
	rule.Filters, rule.Unsupported = routeFilters(r.Filters)
	for _, m := range r.Matches {
		match := routeMatch(m)
		if err := checkRouteMatch(match); err != nil {
			rule.Unsupported = err.Error()
		}
		rule.Matches = append(rule.Matches, match)
	}
	if len(rule.Matches) == 0 {
		rule.Matches = []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}
	}
	for _, ref := range r.BackendRefs {
		rule.Backends = append(rule.Backends, routeBackend(namespace, ref))
		if len(ref.Filters) > 0 {
			rule.Unsupported = "a backendRef has filters, which the gateway does not support: move them to the rule"
		}
	}
	if r.Timeouts != nil && r.Timeouts.Request != nil {
		// The schema admits only durations.
		rule.Timeout, _ = time.ParseDuration(string(*r.Timeouts.Request))
	}
	return rule
}

func routeBackend(namespace string, ref gatewayv1.HTTPBackendRef) catalog.RouteBackend {
	backend := catalog.RouteBackend{
		Service: catalog.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)},
		Port:    uint16(ptr.Deref(ref.Port, 0)), Weight: uint32(max(ptr.Deref(ref.Weight, 1), 0)), //nolint:gosec // the schema limits them
	}
	if group, kind := ptr.Deref(ref.Group, ""), ptr.Deref(ref.Kind, "Service"); group != "" || kind != "Service" {
		backend.Unsupported = fmt.Sprintf("%s %s", kind, ref.Name)
	}
	return backend
}

func routeMatch(m gatewayv1.HTTPRouteMatch) catalog.RouteMatch {
	match := catalog.RouteMatch{PathType: "PathPrefix", Path: "/", Method: string(ptr.Deref(m.Method, ""))}
	if m.Path != nil {
		match.PathType = string(ptr.Deref(m.Path.Type, gatewayv1.PathMatchPathPrefix))
		match.Path = ptr.Deref(m.Path.Value, "/")
	}
	for _, h := range m.Headers {
		match.Headers = append(match.Headers, catalog.ValueMatch{Name: string(h.Name), Value: h.Value, Regex: ptr.Deref(h.Type, gatewayv1.HeaderMatchExact) == gatewayv1.HeaderMatchRegularExpression})
	}
	for _, q := range m.QueryParams {
		match.Query = append(match.Query, catalog.ValueMatch{
			Name: string(q.Name), Value: q.Value, Regex: ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact) == gatewayv1.QueryParamMatchRegularExpression,
		})
	}
	return match
}

// checkRouteMatch returns why the gateway cannot use a match.
func checkRouteMatch(m catalog.RouteMatch) error {
	for _, header := range m.Headers {
		value := header.Value
		if header.Regex {
			value = ""
		}
		if err := checkHeader(header.Name, value); err != nil {
			return err
		}
	}
	for _, value := range append(slices.Clone(m.Headers), m.Query...) {
		if !value.Regex {
			continue
		}
		if err := checkRegex(value.Value); err != nil {
			return fmt.Errorf("the expression %.60q of %s cannot be used: %w", value.Value, value.Name, err)
		}
	}
	if m.PathType != string(gatewayv1.PathMatchRegularExpression) {
		return checkPath(m.Path)
	}
	if err := checkRegex(m.Path); err != nil {
		return fmt.Errorf("the path %.60q cannot be used: %w", m.Path, err)
	}
	return nil
}

func routeFilters(list []gatewayv1.HTTPRouteFilter) (filters catalog.RouteFilters, unsupported string) {
	for _, f := range list {
		switch {
		case f.RequestHeaderModifier != nil:
			filters.Request = headerEdits(f.RequestHeaderModifier)
		case f.ResponseHeaderModifier != nil:
			filters.Response = headerEdits(f.ResponseHeaderModifier)
		case f.RequestRedirect != nil:
			r := f.RequestRedirect
			filters.Redirect = &catalog.RouteRedirect{
				Scheme: ptr.Deref(r.Scheme, ""), Hostname: string(ptr.Deref(r.Hostname, "")),
				Port: uint16(ptr.Deref(r.Port, 0)), Status: uint32(ptr.Deref(r.StatusCode, 302)), Path: pathEdit(r.Path), //nolint:gosec // the schema limits them
			}
		case f.URLRewrite != nil:
			filters.Rewrite = &catalog.RouteRewrite{Hostname: string(ptr.Deref(f.URLRewrite.Hostname, "")), Path: pathEdit(f.URLRewrite.Path)}
		default:
			unsupported = fmt.Sprintf("the gateway does not support the filter %s", f.Type)
		}
	}
	if err := checkFilters(filters); err != nil {
		unsupported = err.Error()
	}
	for _, edits := range []catalog.HeaderEdits{filters.Request, filters.Response} {
		if name := edits.Protected(); name != "" {
			unsupported = "filters cannot change the header " + name + ": use URLRewrite for the host, and another name for a header of your own"
		}
	}
	return filters, unsupported
}

func headerEdits(f *gatewayv1.HTTPHeaderFilter) catalog.HeaderEdits {
	values := func(list []gatewayv1.HTTPHeader) []catalog.HeaderValue {
		var all []catalog.HeaderValue
		for _, h := range list {
			all = append(all, catalog.HeaderValue{Name: string(h.Name), Value: h.Value})
		}
		return all
	}
	return catalog.HeaderEdits{Set: values(f.Set), Add: values(f.Add), Remove: f.Remove}
}

func pathEdit(m *gatewayv1.HTTPPathModifier) *catalog.PathEdit {
	switch {
	case m == nil:
		return nil
	case m.Type == gatewayv1.PrefixMatchHTTPPathModifier:
		return &catalog.PathEdit{Prefix: true, Value: ptr.Deref(m.ReplacePrefixMatch, "/")}
	default:
		return &catalog.PathEdit{Value: ptr.Deref(m.ReplaceFullPath, "/")}
	}
}
