package reference

import (
	"slices"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// targetsTo returns the TrafficTargets that grant access to a destination.
func (c *Cluster) targetsTo(destination account) []accessv1alpha3.TrafficTarget {
	return slices.DeleteFunc(slices.Clone(c.TrafficTargets), func(t accessv1alpha3.TrafficTarget) bool {
		d := t.Spec.Destination
		return t.Namespace != destination.Namespace || d.Namespace != destination.Namespace || d.Name != destination.Name
	})
}

// from reports whether a source is among those of a TrafficTarget.
func from(t accessv1alpha3.TrafficTarget, source account) bool {
	return slices.ContainsFunc(t.Spec.Sources, func(s accessv1alpha3.IdentityBindingSubject) bool {
		return s.Kind == "ServiceAccount" && s.Namespace == source.Namespace && s.Name == source.Name
	})
}

// mayConnect reports whether a source may open a connection to a container port of a destination.
func (c *Cluster) mayConnect(source, destination account, port int32, http bool) bool {
	return c.permissive(destination.Namespace) || slices.ContainsFunc(c.targetsTo(destination), func(t accessv1alpha3.TrafficTarget) bool {
		return from(t, source) && c.opens(t, port, http)
	})
}

// opens reports whether a TrafficTarget opens a port. TCPRoutes open their ports, and those without ports open all. Without any
// TCPRoute rule, requests that match an HTTPRouteGroup are granted on all HTTP ports.
func (c *Cluster) opens(t accessv1alpha3.TrafficTarget, port int32, http bool) bool {
	byRoute := false
	for _, rule := range t.Spec.Rules {
		if rule.Kind != "TCPRoute" {
			continue
		}
		byRoute = true
		for _, route := range c.TCPRoutes {
			if route.Namespace != t.Namespace || route.Name != rule.Name {
				continue
			}
			if ports := route.Spec.Matches.Ports; len(ports) == 0 || slices.Contains(ports, int(port)) {
				return true
			}
		}
	}
	return !byRoute && http && len(c.matchesOf(t)) > 0
}

// matchesOf returns the HTTP matches that a TrafficTarget grants.
func (c *Cluster) matchesOf(t accessv1alpha3.TrafficTarget) []specsv1alpha4.HTTPMatch {
	var list []specsv1alpha4.HTTPMatch
	emptyGrantsAll := c.MeshConfig.Spec.Traffic.RulesWithoutMatches != configv1alpha2.RulesWithoutMatchesNone
	for _, rule := range t.Spec.Rules {
		if rule.Kind != "HTTPRouteGroup" {
			continue
		}
		for _, match := range c.group(t.Namespace, rule.Name) {
			if slices.Contains(rule.Matches, match.Name) || len(rule.Matches) == 0 && emptyGrantsAll {
				list = append(list, match)
			}
		}
	}
	return list
}

// group returns the matches of an HTTPRouteGroup; none if it does not exist.
func (c *Cluster) group(namespace, name string) []specsv1alpha4.HTTPMatch {
	for _, group := range c.HTTPRouteGroups {
		if group.Namespace == namespace && group.Name == name {
			return group.Spec.Matches
		}
	}
	return nil
}

// authorize returns the outcome of a request that has arrived at a server.
func (c *Cluster) authorize(source, destination account, port int32, r request) Outcome {
	switch {
	case !r.valid:
		return BadRequest
	case c.permissive(destination.Namespace):
		return Allowed
	}
	outcome := NotFound
	for _, t := range c.targetsTo(destination) {
		if !c.opens(t, port, true) || !slices.ContainsFunc(c.matchesOf(t), r.matches) || len(t.Spec.Sources) == 0 {
			continue
		}
		if from(t, source) {
			return Allowed
		}
		outcome = Forbidden
	}
	return outcome
}
