package reference

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
)

// EgressCall is one call of an application to a destination outside the mesh.
type EgressCall struct {
	Source account
	// Address is empty if it is unknown.
	Address string
	Port    int32
	// Sends is http, https or tcp: what the application sends first.
	Sends string
	// Host is the host of the request, or the server name.
	Host         string
	Method, Path string
	// Headers are those of an HTTP request without the host.
	Headers [][2]string
}

// EgressResult is the result of an EgressCall. ByName is true if the sidecar looks up the host, and Encrypted if it encrypts the request.
type EgressResult struct {
	Outcome           Outcome
	ByName, Encrypted bool
}

// DecideEgress returns the result of a call.
func (c *Cluster) DecideEgress(r EgressCall) EgressResult {
	var policies []policyv1alpha1.Egress
	if c.MeshConfig.Spec.FeatureFlags.EnableEgressPolicy {
		policies = c.egressesOf(r.Source, r.Port)
	}
	speaksFirst := serverSpeaksFirst(policies, r.Port)
	var byName *EgressResult
	routesHTTP, byRange := false, false
	for _, policy := range policies {
		for _, port := range policy.Spec.Ports {
			if port.Number != r.Port || speaksFirst != (port.Protocol == "tcp-server-first") && port.Protocol != "tcp" {
				continue
			}
			if byAddress(policy.Spec, port.Protocol, r) {
				if port.Protocol != "https" {
					return EgressResult{Outcome: Allowed}
				}
				byRange = true
			}
			routesHTTP = routesHTTP || port.Protocol == "http"
			if result := c.byHost(policy, port.Protocol, r); result != nil && (byName == nil || result.Outcome == Allowed) {
				byName = result
			}
		}
	}
	switch {
	case byRange && byName == nil: // a host precedes the ranges of TLS connections
		return EgressResult{Outcome: Allowed}
	case r.Sends == "http" && routesHTTP && strings.Contains(r.Path, "#"):
		return EgressResult{Outcome: BadRequest}
	case byName != nil && byName.Outcome == Allowed:
		policy := c.encrypting(policies, r)
		if policy != nil && !c.isUsable(policy) {
			return EgressResult{Outcome: Unavailable}
		}
		byName.Encrypted = policy != nil
		return *byName
	case byName != nil:
		return *byName
	case c.MeshConfig.Spec.Traffic.EnableEgress:
		return EgressResult{Outcome: Passed}
	case r.Sends == "http" && routesHTTP:
		return EgressResult{Outcome: NotFound}
	}
	return EgressResult{Outcome: c.unknown(r.Source)}
}

// egressesOf returns the policies of a client about a port, the oldest first. A port of 0 means any.
func (c *Cluster) egressesOf(source account, port int32) []policyv1alpha1.Egress {
	var list []policyv1alpha1.Egress
	for _, policy := range c.Egresses {
		if policy.Namespace != source.Namespace || !slices.ContainsFunc(policy.Spec.Sources,
			func(s policyv1alpha1.EgressSourceSpec) bool { return s.Name == source.Name }) {
			continue
		}
		if port == 0 || slices.ContainsFunc(policy.Spec.Ports, func(p policyv1alpha1.EgressPortSpec) bool { return p.Number == port }) {
			list = append(list, policy)
		}
	}
	slices.SortFunc(list, func(a, b policyv1alpha1.Egress) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// serverSpeaksFirst reports whether the oldest policy that is not only about tcp is about tcp-server-first.
func serverSpeaksFirst(policies []policyv1alpha1.Egress, number int32) bool {
	for _, policy := range policies {
		protocols := ""
		for _, port := range policy.Spec.Ports {
			if port.Number == number {
				protocols += " " + port.Protocol
			}
		}
		if strings.Contains(protocols, "tcp-server-first") {
			return true
		}
		if strings.Contains(protocols, "http") {
			return false
		}
	}
	return false
}

// byAddress reports whether a policy allows the address that the client chose.
func byAddress(spec policyv1alpha1.EgressSpec, protocol string, r EgressCall) bool {
	if protocol == "http" || r.Address == "" && len(spec.IPAddresses) > 0 ||
		protocol == "https" && (r.Sends != "https" || len(spec.IPAddresses) == 0 || len(spec.Hosts) > 0 && !namesServer(spec.Hosts, r.Host)) {
		return false
	}
	if len(spec.IPAddresses) == 0 {
		return true
	}
	address := netip.MustParseAddr(r.Address)
	return slices.ContainsFunc(spec.IPAddresses, func(text string) bool { return netip.MustParsePrefix(text).Contains(address) })
}

func namesServer(hosts []string, name string) bool {
	return slices.ContainsFunc(hosts, func(host string) bool {
		_, noName := netip.ParseAddr(host)
		return noName != nil && (host == name || strings.HasPrefix(host, "*.") && strings.HasSuffix(name, host[1:]))
	})
}

// ambiguousPaths are paths that servers read in different ways.
var ambiguousPaths = regexp.MustCompile(`//|\\|%2[eEfF]|%5[cC]|/\.\.?(/|;|$)`)

// byHost returns the result of a policy for the host of a call; nil if the policy is not about it.
func (c *Cluster) byHost(policy policyv1alpha1.Egress, protocol string, r EgressCall) *EgressResult {
	spec := policy.Spec
	if protocol != r.Sends || protocol == "tcp" || protocol == "https" && len(spec.IPAddresses) > 0 {
		return nil
	}
	host := strings.TrimSuffix(r.Host, fmt.Sprintf(":%d", r.Port))
	if _, err := netip.ParseAddr(host); protocol == "https" && err == nil || !slices.Contains(spec.Hosts, host) {
		return nil
	}
	matches := false
	sent := asSent(Request{Method: r.Method, Path: r.Path, Headers: append([][2]string{{":authority", r.Host}}, r.Headers...)})
	for _, name := range groupsOf(policy) {
		matches = matches || slices.ContainsFunc(c.group(policy.Namespace, name), sent.matches)
	}
	switch {
	case protocol == "https" || len(groupsOf(policy)) == 0 || matches && !ambiguousPaths.MatchString(strings.SplitN(r.Path, "?", 2)[0]):
		return &EgressResult{Outcome: Allowed, ByName: true}
	case ambiguousPaths.MatchString(strings.SplitN(r.Path, "?", 2)[0]):
		return &EgressResult{Outcome: BadRequest}
	}
	return &EgressResult{Outcome: NotFound}
}

func groupsOf(policy policyv1alpha1.Egress) []string {
	var names []string
	for _, match := range policy.Spec.Matches {
		if match.Kind == "HTTPRouteGroup" {
			names = append(names, match.Name)
		}
	}
	return names
}
