package describe

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Description is what the mesh allows a pod and its clients.
type Description struct {
	Pod     string `json:"pod"`
	Account string `json:"account"`
	// Sidecar is the revision of the sidecar; empty without one. Policies apply to pods with a sidecar only.
	Sidecar string `json:"sidecar,omitempty"`
	// Destinations is OnDemand if the sidecar loads the configuration of what it may call at the first call; empty if it has all of it.
	Destinations string `json:"destinations,omitempty"`
	// Inbound has the ports of Services that select the pod.
	Inbound []Inbound `json:"inbound"`
	// Outbound has the ports of Services that the pod may call.
	Outbound []Outbound `json:"outbound"`
	// Policies affect the sidecar, or would if they had no problem.
	Policies []Policy `json:"policies"`
}

// Inbound is a port of a Service that selects the pod.
type Inbound struct {
	Service  string `json:"service"`
	Port     uint16 `json:"port"`
	Protocol string `json:"protocol"`
	// Permissive is true if every workload of the mesh may call the port.
	Permissive bool `json:"permissive,omitempty"`
	// Grants are sorted by policy. Nobody may call a port without grants that is not permissive.
	Grants []Grant `json:"grants,omitempty"`
}

// Grant is what one TrafficTarget allows.
type Grant struct {
	Policy string `json:"policy"`
	// Clients are service accounts, "<namespace>/<name>", or those of a peer, "<peer>/<namespace>/<name>".
	Clients []string `json:"clients"`
	// Requests are methods with path expressions. It is empty on TCP ports, and for a policy that grants no requests.
	Requests []string `json:"requests,omitempty"`
}

// Outbound is a port of a Service that the pod may call.
type Outbound struct {
	Service  string `json:"service"`
	Port     uint16 `json:"port"`
	Protocol string `json:"protocol"`
	// Backends receive the traffic, with their weights if a TrafficSplit divides it.
	Backends []string `json:"backends"`
}

// Policy is a policy that affects the sidecar.
type Policy struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Problems are those of its status.
	Problems []diagnosis.Finding `json:"problems,omitempty"`
}

// Problems returns the problems of a policy.
type Problems func(entity.Ref) []diagnosis.Finding

// Pod describes a pod. It is an error if no namespace of the mesh has it.
func Pod(c *catalog.Catalog, name entity.Name, problems Problems) (*Description, error) {
	v := c.View()
	pod := v.Pod(name)
	switch {
	case pod != nil && (v.IsGateway(pod) || v.IsEgressGateway(pod) || v.IsPeerGateway(pod)):
	case name.Namespace == v.Settings().Namespace && name.Namespace != "":
		return nil, fmt.Errorf("namespace %s has the control plane: only pods of the gateways of the mesh can be described there", name.Namespace)
	case !v.InMesh(name.Namespace):
		return nil, fmt.Errorf("namespace %s is not in the mesh, so its policies do not apply to pod %s: add it with `osm namespace add %s`", name.Namespace, name.Name, name.Namespace)
	case pod == nil:
		return nil, fmt.Errorf("no pod %s found in namespace %s: specify it as NAMESPACE/POD, or with -n", name.Name, name.Namespace)
	}
	key := scope.KeyFor(v, pod)
	key.Class.OnDemand = false // what the pod may call does not depend on what its sidecar has loaded
	s := scope.Build(v, names.DefaultTrustDomain, key)
	out := &Description{Pod: name.String(), Account: pod.Identity().String(), Inbound: []Inbound{}, Outbound: []Outbound{}, Policies: []Policy{}}
	if pod.Injected {
		out.Sidecar = pod.Revision
	}
	if pod.OnDemand {
		out.Destinations = names.DestinationsOnDemand
	}
	for _, in := range s.Inbound {
		out.Inbound = append(out.Inbound, inbound(in))
	}
	for _, o := range s.Outbound {
		out.Outbound = append(out.Outbound, Outbound{Service: o.Service.String(), Port: o.Port, Protocol: string(o.Protocol), Backends: backends(o)})
	}
	if s.IngressGateway != nil {
		out.Outbound = append(out.Outbound, routed(s.IngressGateway)...)
	}
	if s.PeerGateway != nil {
		out.Outbound = append(out.Outbound, forwarded(s.PeerGateway)...)
	}
	for _, ref := range c.Policies(v.Deps()) {
		out.Policies = append(out.Policies, Policy{Kind: string(ref.Kind), Name: ref.Name.String(), Problems: problems(ref)})
	}
	return out, nil
}

// routed returns the hosts that the ingress gateway serves, with the Services that their routes lead to.
func routed(g *scope.IngressGateway) []Outbound {
	var all []Outbound
	for _, l := range g.Listeners {
		scheme := "http"
		if len(l.Certificates) > 0 {
			scheme = "https"
		}
		for _, h := range l.Hosts {
			out := Outbound{Service: fmt.Sprintf("%s://%s:%d", scheme, h.Domain, l.Port), Port: l.Port, Protocol: scheme, Backends: []string{}}
			for _, r := range h.Routes {
				for _, b := range r.Backends {
					if b.Cluster != "" && !r.Denied && !slices.Contains(out.Backends, b.Cluster) {
						out.Backends = append(out.Backends, b.Cluster)
					}
				}
			}
			all = append(all, out)
		}
	}
	return all
}

// forwarded returns the peers to which the peer gateway forwards connections, and the Services to which it forwards those of peers.
func forwarded(g *scope.PeerGateway) []Outbound {
	all := lists.Map(g.Peers, func(way scope.PeerWay) Outbound {
		servers := lists.Map(way.Gateways, func(s catalog.Server) string { return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))) })
		return Outbound{Service: "the peer " + way.Peer, Port: names.PeerLeavingPort, Protocol: "tls", Backends: servers}
	})
	return append(all, lists.Map(g.Exports, func(e scope.PeerExport) Outbound {
		return Outbound{Service: e.Service.String() + " for the peer " + e.Peer, Port: e.Port, Protocol: "tls", Backends: []string{e.Cluster}}
	})...)
}

func inbound(in scope.Inbound) Inbound {
	out := Inbound{Service: in.Service.String(), Port: in.Port, Protocol: string(in.Protocol), Permissive: in.Rules.Permissive}
	for _, rule := range in.Rules.Network {
		out.Grants = append(out.Grants, Grant{Policy: rule.Policy, Clients: accounts(rule.Sources), Requests: requests(in.Rules, rule.Policy)})
	}
	for _, peer := range in.Peers {
		for _, rule := range peer.Rules.Network {
			out.Grants = append(out.Grants, Grant{Policy: rule.Policy, Clients: accounts(rule.Sources), Requests: requests(peer.Rules, rule.Policy)})
		}
	}
	return out
}

// requests returns what a policy allows on an HTTP port.
func requests[A authz.Account[A]](rules authz.RulesOf[A], policy string) []string {
	var all []string
	for _, route := range rules.Routes {
		if slices.Contains(route.Policies, policy) {
			all = append(all, request(route.Match))
		}
	}
	return all
}

// request formats a match.
func request(m catalog.HTTPMatch) string {
	text := cmp.Or(strings.Join(m.Methods, ","), "any method") + " " + cmp.Or(m.PathRegex, "any path")
	for _, header := range m.Headers {
		text += fmt.Sprintf(" with %s: %s", header.Name, header.Regex)
	}
	return text
}

func accounts[A fmt.Stringer](list []A) []string { return lists.Map(list, A.String) }

// backends names the destinations of a port. A single one has no weight.
func backends(o scope.Outbound) []string {
	out := []string{}
	for _, b := range o.Backends {
		if len(o.Backends) == 1 {
			return []string{b.Cluster}
		}
		out = append(out, fmt.Sprintf("%s (weight %d)", b.Cluster, b.Weight))
	}
	return out
}

// Print writes a description as text.
func (d *Description) Print(w io.Writer) error {
	fmt.Fprintf(w, "%-9s %s\n%-9s %s\n", "Pod", d.Pod, "Account", d.Account)
	if d.Sidecar == "" {
		fmt.Fprintf(w, "%-9s none: no policy applies to this pod. Restart it to add a sidecar\n", "Sidecar")
	} else {
		fmt.Fprintf(w, "%-9s revision %s%s\n", "Sidecar", d.Sidecar, d.loading())
	}
	for _, part := range []struct {
		title, none string
		table       output.Table
	}{
		{"Clients", "no Service selects the pod, so nobody calls it through the mesh", d.clients()},
		{"May call", "no policy allows the pod to call another workload", d.destinations()},
		{"Policies", "none", d.policies()},
	} {
		if len(part.table.Rows) == 0 {
			fmt.Fprintf(w, "\n%s: %s\n", part.title, part.none)
			continue
		}
		fmt.Fprintf(w, "\n%s\n", part.title)
		if err := new(output.Flag).Print(w, output.Result{Table: part.table}); err != nil {
			return err
		}
	}
	return nil
}

// loading describes when the sidecar loads what the pod may call.
func (d *Description) loading() string {
	if d.Destinations == "" {
		return ""
	}
	return ", which loads destinations at the first call"
}

func (d *Description) clients() output.Table {
	table := output.Table{Columns: output.Columns("SERVICE", "PORT", "CLIENT", "REQUESTS", "BY TRAFFICTARGET")}
	for _, in := range d.Inbound {
		port := strconv.Itoa(int(in.Port)) + "/" + in.Protocol
		switch {
		case in.Permissive:
			table.Rows = append(table.Rows, []string{in.Service, port, "every workload of the mesh", "all", "none: permissive mode"})
		case len(in.Grants) == 0:
			table.Rows = append(table.Rows, []string{in.Service, port, "nobody", "-", "-"})
		}
		for _, g := range in.Grants {
			table.Rows = append(table.Rows, []string{in.Service, port, strings.Join(g.Clients, ", "), cmp.Or(strings.Join(g.Requests, "; "), "-"), g.Policy})
		}
	}
	return table
}

func (d *Description) destinations() output.Table {
	table := output.Table{Columns: output.Columns("SERVICE", "PORT", "BACKENDS")}
	for _, o := range d.Outbound {
		table.Rows = append(table.Rows, []string{o.Service, strconv.Itoa(int(o.Port)) + "/" + o.Protocol, cmp.Or(strings.Join(o.Backends, ", "), "none")})
	}
	return table
}

func (d *Description) policies() output.Table {
	table := output.Table{Columns: output.Columns("KIND", "NAME", "PROBLEMS")}
	for _, p := range d.Policies {
		table.Rows = append(table.Rows, []string{p.Kind, p.Name, cmp.Or(diagnosis.Messages(p.Problems), "none")})
	}
	return table
}
