package compare

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Access is the access of a flow.
type Access string

// Access levels of a flow.
const (
	// Denied means that all requests are denied.
	Denied Access = "denied"
	// Partly means that the result depends on the selected server.
	Partly Access = "partly allowed"
	// Allowed means that all requests are allowed.
	Allowed Access = "allowed"
)

// AnySource is the source of flows that do not depend on policies.
const AnySource = "*"

// OutsideSource begins the sources of flows from outside the mesh.
const OutsideSource = "outside the mesh"

// Flow is traffic from a source to a port of a Service whose access changes.
type Flow struct {
	// From is a service account, "<namespace>/<name>", one of a peer, "<peer>/<namespace>/<name>", AnySource, or a client outside the mesh, which begins with
	// OutsideSource.
	From string `json:"from"`
	// To is "<namespace>/<service>:<port>", a description of several ports, a destination outside the mesh, or a URL of the ingress gateway.
	To string `json:"to"`
	// Request describes the requests by their match. It is "connections" for a TCP port.
	Request string `json:"request"`
	// Example is an evaluated request.
	Example string `json:"example,omitempty"`
	Before  Access `json:"before"`
	After   Access `json:"after"`
	// By lists the policies and rules that allow the flow, after or before the edit.
	By []string `json:"by,omitempty"`
	// Seen describes the denial after the edit.
	Seen string `json:"seen,omitempty"`
	// Unused is true if no pod of the mesh uses the service account From.
	Unused bool `json:"unused,omitempty"`
}

// Denies returns true if the edit reduces the access.
func (f Flow) Denies() bool { return rank(f.After) < rank(f.Before) }

// accessIf is the access to what a setting allows, by whether it does.
var accessIf = map[bool]Access{true: Allowed, false: Denied}

func rank(a Access) int { return slices.Index([]Access{Denied, Partly, Allowed}, a) }

// flows compares flows before and after an edit.
type flows struct {
	before, after flowSide
	// running are the identities of pods in either mesh.
	running     map[identity.ServiceAccount]bool
	list        []Flow
	encryptions []Encryption
	uncompared  map[string]bool
}

// flowSide is the mesh before or after the edit.
type flowSide struct {
	view  *catalog.View
	ports map[portID]*servicePort
}

func newFlows(before, after Mesh) *flows {
	f := &flows{before: newFlowSide(before), after: newFlowSide(after), running: map[identity.ServiceAccount]bool{}, uncompared: map[string]bool{}}
	for _, l := range []Mesh{before, after} {
		view := l.Catalog.View()
		for _, entry := range l.Entries {
			if pod, ok := entry.(*inventory.Instance); ok && !pod.Finished && view.IsServed(pod) {
				f.running[pod.Identity()] = true
			}
		}
	}
	return f
}

func newFlowSide(l Mesh) flowSide {
	view := l.Catalog.View()
	b := &portBuilder{view: view, rules: map[ruleKey]authz.Rules{}}
	return flowSide{view: view, ports: b.buildAll()}
}

// compare returns the flows whose access changes.
func (f *flows) compare() []Flow {
	f.compareEgressSetting()
	f.compareEgressPolicies()
	ids := maps.Clone(f.before.ports)
	maps.Copy(ids, f.after.ports)
	opened := map[string][]portID{}
	for _, id := range slices.SortedFunc(maps.Keys(ids), portID.compare) {
		before, after := f.before.ports[id], f.after.ports[id]
		f.compareIngress(id)
		f.comparePeers(id)
		f.compareEscapedSlashes(id, before, after)
		if before != nil && after != nil && reflect.DeepEqual(before, after) {
			continue
		}
		if before != nil && after != nil && before.isPermissive() != after.isPermissive() {
			opened[id.service.Namespace] = append(opened[id.service.Namespace], id)
			continue
		}
		f.comparePort(id, before, after)
	}
	for _, namespace := range slices.Sorted(maps.Keys(opened)) {
		f.addPermissiveChange(namespace, opened[namespace])
	}
	f.compareGateways()
	return f.list
}

// unavailable returns descriptions of flows that were not compared.
func (f *flows) unavailable() []string { return slices.Sorted(maps.Keys(f.uncompared)) }

// addPermissiveChange adds a flow for a namespace whose permissive mode changes.
func (f *flows) addPermissiveChange(namespace string, ids []portID) {
	permissive := f.after.view.Permissive(namespace)
	to := fmt.Sprintf("%d ports of Services in namespace %s", len(ids), namespace)
	if len(ids) == 1 {
		to = ids[0].String()
	}
	f.list = append(f.list, Flow{
		From: AnySource, To: to, Request: "everything that no policy grants", Before: accessIf[!permissive], After: accessIf[permissive], By: []string{"permissive mode"},
	})
}

// comparePort compares one port for all relevant sources.
func (f *flows) comparePort(id portID, before, after *servicePort) {
	if before.isPermissive() || after.isPermissive() {
		f.compareSource(id, before, after, identity.ServiceAccount{})
		return
	}
	for _, source := range lists.UniqueFunc(append(before.sources(), after.sources()...), identity.ServiceAccount.Compare) {
		f.compareSource(id, before, after, source)
	}
}

// compareSource compares one port for one source. The empty source stands for all identities.
func (f *flows) compareSource(id portID, before, after *servicePort, source identity.ServiceAccount) {
	sameKind := before != nil && after != nil && before.http == after.http
	if sameKind && reflect.DeepEqual(before.destinationsFor(source), after.destinationsFor(source)) &&
		reflect.DeepEqual(before.routeMatches, after.routeMatches) && reflect.DeepEqual(before.routes, after.routes) &&
		slices.Equal(before.importsFor(source), after.importsFor(source)) {
		return
	}
	c := portComparison{flows: f, id: id, before: before, after: after, source: source}
	if before != nil && before.http || after != nil && after.http {
		c.requests(sameKind)
	} else {
		c.connections()
	}
}

// add adds a flow.
func (f *flows) add(source identity.ServiceAccount, flow Flow) {
	flow.From = AnySource
	if source != (identity.ServiceAccount{}) {
		flow.From = source.Namespace + "/" + source.Name
		flow.Unused = !f.running[source]
	}
	f.list = append(f.list, flow)
}

// recordUncompared records that something was not compared.
func (f *flows) recordUncompared(format string, args ...any) {
	f.uncompared[fmt.Sprintf(format, args...)] = true
}

// outsideFlow is a flow from or to a destination outside the mesh whose access changes.
func outsideFlow(from, to, request, example string, before, after reply) Flow {
	flow := Flow{From: from, To: to, Request: request, Example: example, Before: before.access, After: after.access, By: after.policies}
	if flow.Denies() {
		flow.By, flow.Seen = before.policies, after.seen
	}
	return flow
}

// denials describe the outcomes that deny a request without a server.
var denials = map[authz.Outcome]string{authz.NotFound: "status 404", authz.BadRequest: "status 400", authz.Unavailable: "status 503"}

// denial returns the reply of a sidecar that denies a request.
func denial(outcome authz.Outcome) reply {
	if text := denials[outcome]; text != "" {
		return reply{access: Denied, seen: text}
	}
	return reply{access: Denied, seen: "the connection is closed"}
}

// withoutDuplicates returns each match once, without its name, sorted.
func withoutDuplicates(lists ...[]catalog.HTTPMatch) []catalog.HTTPMatch {
	var all []catalog.HTTPMatch
	seen := map[string]bool{}
	for _, m := range slices.Concat(lists...) {
		m.Name = ""
		if id := matchKey(m); !seen[id] {
			seen[id] = true
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b catalog.HTTPMatch) int { return strings.Compare(matchKey(a), matchKey(b)) })
	return all
}

// prefixed puts a word before each name.
func prefixed(word string, names []string) []string {
	return lists.Map(names, func(name string) string { return word + " " + name })
}

// compareEscapedSlashes adds a flow for a port with HTTP whose Service begins or ceases to decode escaped slashes in paths. Policies decide about
// such requests as about others then.
func (f *flows) compareEscapedSlashes(id portID, before, after *servicePort) {
	if before == nil || after == nil || !before.http || !after.http {
		return
	}
	decoded := f.after.view.DecodesSlashes(id.service)
	if decoded == f.before.view.DecodesSlashes(id.service) {
		return
	}
	f.list = append(f.list, Flow{
		From: AnySource, To: id.String(), Request: "requests with %2F or %5C in their paths, where policies grant the decoded path",
		Before: accessIf[!decoded], After: accessIf[decoded], By: []string{"the annotation " + names.EscapedSlashesAnnotation},
	})
}
