package plan

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Access is how much of a flow comes through.
type Access string

// How much of a flow comes through.
const (
	// Denied: nothing.
	Denied Access = "denied"
	// Partly: it depends on which server it is sent to.
	Partly Access = "partly allowed"
	// Allowed: everything.
	Allowed Access = "allowed"
)

// Everybody is the source of flows that no policy decides.
const Everybody = "*"

// Flow is what somebody may send to a port of a Service, where an edit changes it.
type Flow struct {
	// From is a service account, "<namespace>/<name>", or Everybody.
	From string `json:"from"`
	// To is "<namespace>/<service>:<port>", or a sentence about several.
	To string `json:"to"`
	// Request are the requests, as matches say them; "connections" on a TCP port.
	Request string `json:"request"`
	// Example is one request of these that was asked about.
	Example string `json:"example,omitempty"`
	Before  Access `json:"before"`
	After   Access `json:"after"`
	// By are the policies and rules that let it through, afterwards or before.
	By []string `json:"by,omitempty"`
	// Seen is how it is denied afterwards.
	Seen string `json:"seen,omitempty"`
	// Unused is true when no pod of the mesh runs as From, so nobody sends it now.
	Unused bool `json:"unused,omitempty"`
}

// Denies says whether the edit takes something away.
func (f Flow) Denies() bool { return rank(f.After) < rank(f.Before) }

func rank(a Access) int { return slices.Index([]Access{Denied, Partly, Allowed}, a) }

// flows compares what may be sent before and after an edit.
type flows struct {
	before, after flowSide
	// running are the identities of pods on either side.
	running map[identity.ServiceAccount]bool
	list    []Flow
	gaps    map[string]bool
}

// flowSide is the mesh on one side of the edit.
type flowSide struct {
	view  *catalog.View
	doors map[doorID]*door
}

func newFlows(before, after Mesh) *flows {
	f := &flows{before: newFlowSide(before), after: newFlowSide(after), running: map[identity.ServiceAccount]bool{}, gaps: map[string]bool{}}
	for _, l := range []Mesh{before, after} {
		view := l.Catalog.View()
		for _, entry := range l.Entries {
			if pod, ok := entry.(*catalog.Pod); ok && pod.Injected && !pod.Finished && view.InMesh(pod.Name.Namespace) {
				f.running[pod.Identity()] = true
			}
		}
	}
	return f
}

func newFlowSide(l Mesh) flowSide {
	view := l.Catalog.View()
	d := &doors{view: view, rules: map[ruleKey]authz.Rules{}}
	return flowSide{view: view, doors: d.all()}
}

// compare finds the flows that are other than before.
func (f *flows) compare() []Flow {
	f.outside()
	ids := map[doorID]bool{}
	for id := range f.before.doors {
		ids[id] = true
	}
	for id := range f.after.doors {
		ids[id] = true
	}
	opened := map[string][]doorID{}
	for _, id := range slices.SortedFunc(maps.Keys(ids), doorID.compare) {
		was, is := f.before.doors[id], f.after.doors[id]
		if was.same(is) {
			continue
		}
		if was != nil && is != nil && was.permissive() != is.permissive() {
			opened[id.service.Namespace] = append(opened[id.service.Namespace], id)
			continue
		}
		f.at(id, was, is)
	}
	for _, namespace := range slices.Sorted(maps.Keys(opened)) {
		f.opened(namespace, opened[namespace])
	}
	return f.list
}

// unknown are the parts that were not computed.
func (f *flows) unknown() []string { return slices.Sorted(maps.Keys(f.gaps)) }

// outside is about destinations that are not in the mesh.
func (f *flows) outside() {
	was, is := f.before.view.Settings().Egress, f.after.view.Settings().Egress
	if was == is {
		return
	}
	access := map[bool]Access{true: Allowed, false: Denied}
	f.list = append(f.list, Flow{
		From: Everybody, To: "destinations outside the mesh", Request: "connections",
		Before: access[was], After: access[is], By: []string{"MeshConfig, spec.traffic.enableEgress"},
	})
}

// opened is about the Services of a namespace that turns permissive, or ceases to be.
func (f *flows) opened(namespace string, ids []doorID) {
	is := f.after.view.Permissive(namespace)
	to := fmt.Sprintf("%d ports of Services in namespace %s", len(ids), namespace)
	if len(ids) == 1 {
		to = ids[0].String()
	}
	flow := Flow{From: Everybody, To: to, Request: "everything that no policy grants", Before: Denied, After: Allowed, By: []string{"permissive mode"}}
	if !is {
		flow.Before, flow.After = Allowed, Denied
	}
	f.list = append(f.list, flow)
}

// at compares one door for everybody who may have something to do with it.
func (f *flows) at(id doorID, was, is *door) {
	if was.permissive() || is.permissive() {
		f.from(id, was, is, identity.ServiceAccount{})
		return
	}
	sources := append(was.sources(), is.sources()...)
	slices.SortFunc(sources, identity.ServiceAccount.Compare)
	for _, source := range slices.Compact(sources) {
		f.from(id, was, is, source)
	}
}

// from compares one door for one source; the empty one stands for everybody.
func (f *flows) from(id doorID, was, is *door, source identity.ServiceAccount) {
	sameKind := was != nil && is != nil && was.http == is.http
	if sameKind && reflect.DeepEqual(was.facts(source), is.facts(source)) && reflect.DeepEqual(was.steering, is.steering) {
		return
	}
	q := question{flows: f, id: id, was: was, is: is, source: source}
	if was != nil && was.http || is != nil && is.http {
		q.requests(sameKind)
	} else {
		q.connections()
	}
}

// add notes a flow.
func (f *flows) add(source identity.ServiceAccount, flow Flow) {
	flow.From = Everybody
	if source != (identity.ServiceAccount{}) {
		flow.From = source.Namespace + "/" + source.Name
		flow.Unused = !f.running[source]
	}
	f.list = append(f.list, flow)
}

// gap notes that something is not computed.
func (f *flows) gap(format string, args ...any) { f.gaps[fmt.Sprintf(format, args...)] = true }

// describe writes a match as people say it, for some methods.
func describe(m catalog.HTTPMatch, methods string) string {
	parts := []string{methods, m.PathRegex}
	if m.PathRegex == "" {
		parts[1] = "any path"
	}
	for _, h := range m.Headers {
		parts = append(parts, fmt.Sprintf("-H '%s: %s'", h.Name, h.Regex))
	}
	return strings.Join(parts, " ")
}
