package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// remedy finds the policies that would allow a question, by trying them. The mesh is afterwards as it was.
func (m Mesh) remedy(k asker, doors []door) (objects []*unstructured.Unstructured, suffices bool) {
	t := &trial{mesh: m, asker: k, made: map[catalog.Ref]bool{}}
	defer t.undo()
	for _, d := range doors {
		for _, b := range d.everybody(t.now()) {
			if !t.allows(d, b) {
				t.grant(d, b)
			}
		}
	}
	if len(t.objects) == 0 {
		return nil, false
	}
	suffices = true
	for _, d := range doors {
		for _, w := range t.now().at(d) {
			suffices = suffices && w.Outcome == string(authz.Allowed)
		}
	}
	return t.objects, suffices
}

// trial is a mesh with policies that are tried out.
type trial struct {
	mesh    Mesh
	asker   asker
	objects []*unstructured.Unstructured
	made    map[catalog.Ref]bool
}

func (t *trial) view() *catalog.View { return t.mesh.Catalog.View() }

// now asks the mesh as it is at the moment.
func (t *trial) now() asker {
	return asker{v: t.view(), caller: t.asker.caller, question: t.asker.question}
}

// allows says whether policies let the caller through to an identity; whether pods are ready there does not matter.
func (t *trial) allows(d door, b behind) bool {
	k := t.now()
	if !d.port.Protocol.IsHTTP() {
		return authz.Connects(k.v, k.caller, b.identity, b.port, b.protocol)
	}
	if !k.question.asksRequest() {
		return len(k.granted(d, b.service, b.identity)) > 0
	}
	for _, answer := range k.decide(d).Answers {
		if answer.Service == b.service && answer.Destination == b.identity {
			return answer.Outcome == authz.Allowed
		}
	}
	return false
}

// grant adds a TrafficTarget for an identity, with the routes it needs.
func (t *trial) grant(d door, b behind) {
	rule := t.existing(d, b)
	if rule == nil {
		rule = t.route(d, b)
	}
	t.add(t.target(b.identity, rule))
}

// existing is a rule with a match that somebody has written already and that fits, so that a request has one name.
func (t *trial) existing(d door, b behind) map[string]any {
	if !d.port.Protocol.IsHTTP() || !t.asker.question.asksRequest() {
		return nil
	}
	v := t.view()
	for _, target := range v.TargetsTo(b.identity) {
		for _, r := range target.Rules {
			group := v.HTTPRouteGroup(catalog.Name{Namespace: target.Name.Namespace, Name: r.Name})
			if r.Kind != catalog.KindHTTPRouteGroup || group == nil {
				continue
			}
			for _, match := range group.Matches {
				rule := map[string]any{"kind": "HTTPRouteGroup", "name": group.Name.Name, "matches": []any{match.Name}}
				if match.Name != "" && t.fits(d, b, rule) {
					return rule
				}
			}
		}
	}
	return nil
}

// fits tries a rule and takes it back.
func (t *trial) fits(d door, b behind, rule map[string]any) bool {
	entry, _ := ingest.TrafficTarget(t.target(b.identity, rule))
	if entry == nil {
		return false
	}
	t.mesh.Catalog.Apply([]catalog.Change{catalog.Set(entry)})
	defer t.mesh.Catalog.Apply([]catalog.Change{{Ref: entry.Ref()}})
	return t.allows(d, b)
}

// route adds a route object for the question, unless this trial has one, and returns the rule that refers to it.
func (t *trial) route(d door, b behind) map[string]any {
	if !d.port.Protocol.IsHTTP() {
		name := fmt.Sprintf("port-%d", b.port)
		object := t.object(catalog.KindTCPRoute, b.identity.Namespace, name, map[string]any{"matches": map[string]any{"ports": []any{int64(b.port)}}})
		t.add(object)
		return map[string]any{"kind": "TCPRoute", "name": object.GetName()}
	}
	match := t.match()
	for _, made := range t.objects {
		if made.GetKind() == "HTTPRouteGroup" && made.GetNamespace() == b.identity.Namespace {
			return map[string]any{"kind": "HTTPRouteGroup", "name": made.GetName(), "matches": []any{match["name"]}}
		}
	}
	object := t.object(catalog.KindHTTPRouteGroup, b.identity.Namespace, label(t.asker.caller.Name+"-to-"+d.service.Name.Name), map[string]any{"matches": []any{match}})
	t.add(object)
	return map[string]any{"kind": "HTTPRouteGroup", "name": object.GetName(), "matches": []any{match["name"]}}
}

// match grants what the question asks for, and not more.
func (t *trial) match() map[string]any {
	q := t.asker.question
	if !q.asksRequest() {
		return map[string]any{"name": "everything", "pathRegex": ".*", "methods": []any{"*"}}
	}
	path, _, _ := strings.Cut(q.Path, "?")
	return map[string]any{"name": label(strings.ToLower(q.Method) + "-" + path), "pathRegex": regexp.QuoteMeta(path), "methods": []any{q.Method}}
}

// target is a TrafficTarget from the caller with one rule.
func (t *trial) target(to identity.ServiceAccount, rule map[string]any) *unstructured.Unstructured {
	return t.object(catalog.KindTrafficTarget, to.Namespace, label(t.asker.caller.Name+"-to-"+to.Name), map[string]any{
		"destination": account(to),
		"sources":     []any{account(t.asker.caller)},
		"rules":       []any{rule},
	})
}

func account(sa identity.ServiceAccount) map[string]any {
	return map[string]any{"kind": "ServiceAccount", "name": sa.Name, "namespace": sa.Namespace}
}

// object makes an object with a name that nothing else has.
func (t *trial) object(kind catalog.Kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	u := traffic.Object(traffic.TrafficTarget)
	switch kind {
	case catalog.KindHTTPRouteGroup:
		u = traffic.Object(traffic.HTTPRouteGroup)
	case catalog.KindTCPRoute:
		u = traffic.Object(traffic.TCPRoute)
	}
	free := name
	for i := 2; t.taken(kind, namespace, free); i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	u.SetNamespace(namespace)
	u.SetName(free)
	u.Object["spec"] = spec
	return u
}

func (t *trial) taken(kind catalog.Kind, namespace, name string) bool {
	ref := catalog.Ref{Kind: kind, Name: catalog.Name{Namespace: namespace, Name: name}}
	return t.made[ref] || t.mesh.Taken(ref)
}

// add brings an object into the mesh, by the code that reads it from a cluster.
func (t *trial) add(u *unstructured.Unstructured) {
	var entry catalog.Entry
	switch u.GetKind() {
	case "HTTPRouteGroup":
		if group, _ := ingest.HTTPRouteGroup(u); group != nil {
			entry = group
		}
	case "TCPRoute":
		if route, _ := ingest.TCPRoute(u); route != nil {
			entry = route
		}
	default:
		if target, _ := ingest.TrafficTarget(u); target != nil {
			entry = target
		}
	}
	if entry == nil {
		return
	}
	t.mesh.Catalog.Apply([]catalog.Change{catalog.Set(entry)})
	t.made[entry.Ref()] = true
	t.objects = append(t.objects, u)
}

// undo takes away what was tried.
func (t *trial) undo() {
	for ref := range t.made {
		t.mesh.Catalog.Apply([]catalog.Change{{Ref: ref}})
	}
}

// notInLabel are the characters that a name cannot have.
var notInLabel = regexp.MustCompile(`[^a-z0-9-]+`)

// label makes a name of any text.
func label(text string) string {
	name := notInLabel.ReplaceAllString(strings.ToLower(text), "-")
	for strings.Contains(name, "--") {
		name = strings.ReplaceAll(name, "--", "-")
	}
	return strings.Trim(name[:min(len(name), 63)], "-")
}

// Order puts routes before the targets that refer to them, by namespace and name.
func Order(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	sorted := slices.Clone(objects)
	slices.SortStableFunc(sorted, func(a, b *unstructured.Unstructured) int {
		return strings.Compare(rank(a)+a.GetNamespace()+"/"+a.GetName(), rank(b)+b.GetNamespace()+"/"+b.GetName())
	})
	return sorted
}

func rank(u *unstructured.Unstructured) string {
	if u.GetKind() == "TrafficTarget" {
		return "1"
	}
	return "0"
}
