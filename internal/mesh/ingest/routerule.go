package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

func routeRule(namespace string, r *gatewayv1.HTTPRouteRule) catalog.HTTPRouteRule {
	rule := catalog.HTTPRouteRule{}
	rule.Filters, rule.Unsupported = routeFilters(namespace, r.Filters)
	for _, m := range r.Matches {
		match := routeMatch(m)
		if err := checkRouteMatch(match); err != nil {
			// Sidecars reject all routes of a port for one such match. It matches nothing.
			rule.Unsupported = err.Error()
			continue
		}
		rule.Matches = append(rule.Matches, match)
	}
	if len(r.Matches) == 0 {
		rule.Matches = []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}
	}
	for _, ref := range r.BackendRefs {
		backend := routeBackend(namespace, ref.BackendObjectReference)
		backend.Weight = uint32(max(ptr.Deref(ref.Weight, 1), 0))
		var unsupported string
		backend.Filters, unsupported = backendFilters(namespace, ref.Filters)
		rule.Unsupported = cmp.Or(rule.Unsupported, unsupported)
		rule.Backends = append(rule.Backends, backend)
	}
	if r.Timeouts != nil {
		rule.Timeout, rule.TryTimeout = durationOf(r.Timeouts.Request), durationOf(r.Timeouts.BackendRequest)
	}
	rule.Repeat = routeRetry(r.Retry)
	return rule
}

// durationOf reads a duration. The schema admits only valid ones; 0 means no limit.
func durationOf(d *gatewayv1.Duration) time.Duration {
	value, _ := time.ParseDuration(string(ptr.Deref(d, "")))
	return max(value, 0)
}

// routeRetry reads which requests are repeated.
func routeRetry(r *gatewayv1.HTTPRouteRetry) *catalog.RouteRetry {
	if r == nil {
		return nil
	}
	retry := &catalog.RouteRetry{Attempts: uint32(max(ptr.Deref(r.Attempts, 0), 0)), Backoff: durationOf(r.Backoff)} //nolint:gosec // nobody waits for so many
	retry.Never = r.Attempts != nil && retry.Attempts == 0
	for _, code := range r.Codes {
		retry.Codes = append(retry.Codes, uint32(code)) //nolint:gosec // the schema limits it
	}
	return retry
}

// routeBackend reads a reference to a Service, without a weight.
func routeBackend(namespace string, ref gatewayv1.BackendObjectReference) catalog.RouteBackend {
	backend := catalog.RouteBackend{
		Service: entity.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)},
		Port:    uint16(ptr.Deref(ref.Port, 0)), //nolint:gosec // the schema limits it
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
		match.Headers = append(match.Headers, catalog.ValueMatch{
			Name: string(h.Name), Value: h.Value,
			Regex: ptr.Deref(h.Type, gatewayv1.HeaderMatchExact) == gatewayv1.HeaderMatchRegularExpression,
		})
	}
	for _, q := range m.QueryParams {
		match.Query = append(match.Query, catalog.ValueMatch{
			Name: string(q.Name), Value: q.Value, Regex: ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact) == gatewayv1.QueryParamMatchRegularExpression,
		})
	}
	return match
}

// checkRouteMatch returns why a match cannot be used.
func checkRouteMatch(m catalog.RouteMatch) error {
	for _, header := range m.Headers {
		value := header.Value
		if header.Regex {
			value = ""
		}
		if err := checkHeader(HeaderMatched, header.Name, value); err != nil {
			return err
		}
	}
	for _, value := range append(slices.Clone(m.Headers), m.Query...) {
		if !value.Regex {
			continue
		}
		if err := CheckRegex(value.Value); err != nil {
			return fmt.Errorf("the expression %.60q of %s cannot be used: %w", value.Value, value.Name, err)
		}
	}
	if m.PathType != string(gatewayv1.PathMatchRegularExpression) {
		return checkPath(m.Path)
	}
	if err := CheckRegex(m.Path); err != nil {
		return fmt.Errorf("the path %.60q cannot be used: %w", m.Path, err)
	}
	return nil
}
