package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// remedy finds policies that would allow the question by trying them. It restores the catalog afterwards.
func (m Mesh) remedy(e evaluator, ports []servicePort) (objects []*unstructured.Unstructured, suffices bool) {
	t := &trial{mesh: m, evaluator: e, made: map[entity.Ref]bool{}}
	defer t.undo()
	for _, p := range ports {
		for _, b := range t.now().destinations(p) {
			if !t.allows(p, b) {
				t.grant(p, b)
			}
		}
	}
	if len(t.objects) == 0 {
		return nil, false
	}
	suffices = true
	for _, p := range ports {
		for _, w := range t.now().at(p) {
			suffices = suffices && w.Outcome == string(authz.Allowed)
		}
	}
	return t.objects, suffices
}

// trial is a mesh with tentative policies.
type trial struct {
	mesh      Mesh
	evaluator evaluator
	objects   []*unstructured.Unstructured
	made      map[entity.Ref]bool
}

// now returns an evaluator for the current state of the mesh.
func (t *trial) now() evaluator {
	return evaluator{catalog: t.mesh.Catalog, v: t.mesh.Catalog.View(), caller: t.evaluator.caller, question: t.evaluator.question}
}

// allows returns true if policies allow the caller to reach an identity, whether or not its pods are ready.
func (t *trial) allows(p servicePort, b authz.Destination) bool {
	e := t.now()
	if !p.port.Protocol.IsHTTP() {
		return authz.MayConnect(e.v, e.caller, b.Identity, b.Port, b.Protocol)
	}
	verdict := authz.DecideAny(e.viewOf(p), e.request(p))
	if e.question.hasRequest() {
		verdict = authz.Decide(e.viewOf(p), e.request(p))
	}
	for _, answer := range verdict.Answers {
		if answer.Service == b.Service && answer.Destination == b.Identity && answer.Port == b.Port {
			return answer.Outcome == authz.Allowed
		}
	}
	return false
}

// grant adds a TrafficTarget for an identity, with the required routes.
func (t *trial) grant(p servicePort, b authz.Destination) {
	rule := t.existing(p, b)
	if rule == nil {
		rule = t.route(p, b)
	}
	t.add(t.target(b.Identity, rule))
}

// existing returns a rule for an existing match that allows the request, so that matches are not duplicated.
func (t *trial) existing(p servicePort, b authz.Destination) map[string]any {
	if !p.port.Protocol.IsHTTP() || !t.evaluator.question.hasRequest() {
		return nil
	}
	v := t.mesh.Catalog.View()
	for _, target := range v.TargetsTo(b.Identity) {
		for _, r := range target.Rules {
			group := v.HTTPRouteGroup(entity.Name{Namespace: target.Name.Namespace, Name: r.Name})
			if r.Kind != entity.KindHTTPRouteGroup || group == nil {
				continue
			}
			for _, match := range group.Matches {
				rule := map[string]any{"kind": "HTTPRouteGroup", "name": group.Name.Name, "matches": []any{match.Name}}
				if match.Name != "" && t.fits(p, b, rule) {
					return rule
				}
			}
		}
	}
	return nil
}

// fits returns true if a rule allows the request. It restores the catalog.
func (t *trial) fits(p servicePort, b authz.Destination, rule map[string]any) bool {
	entry, _ := ingest.TrafficTarget(t.target(b.Identity, rule))
	if entry == nil {
		return false
	}
	t.mesh.Catalog.Apply([]catalog.Change{catalog.Set(entry)})
	defer t.mesh.Catalog.Apply([]catalog.Change{{Ref: entry.Ref()}})
	return t.allows(p, b)
}

// route returns a rule for a route object, which it adds unless this trial already has one.
func (t *trial) route(p servicePort, b authz.Destination) map[string]any {
	if !p.port.Protocol.IsHTTP() {
		name := fmt.Sprintf("port-%d", b.Port)
		object := t.object(entity.KindTCPRoute, b.Identity.Namespace, name, map[string]any{"matches": map[string]any{"ports": []any{int64(b.Port)}}})
		t.add(object)
		return map[string]any{"kind": "TCPRoute", "name": object.GetName()}
	}
	match := t.match()
	for _, made := range t.objects {
		if made.GetKind() == "HTTPRouteGroup" && made.GetNamespace() == b.Identity.Namespace {
			return map[string]any{"kind": "HTTPRouteGroup", "name": made.GetName(), "matches": []any{match["name"]}}
		}
	}
	object := t.object(entity.KindHTTPRouteGroup, b.Identity.Namespace, label(t.evaluator.caller.Name+"-to-"+p.service.Name.Name),
		map[string]any{"matches": []any{match}})
	t.add(object)
	return map[string]any{"kind": "HTTPRouteGroup", "name": object.GetName(), "matches": []any{match["name"]}}
}

// match returns a match for exactly the request of the question.
func (t *trial) match() map[string]any {
	q := t.evaluator.question
	if !q.hasRequest() {
		return map[string]any{"name": "everything", "pathRegex": ".*", "methods": []any{"*"}}
	}
	path, _, _ := strings.Cut(q.Path, "?")
	return map[string]any{"name": label(strings.ToLower(q.Method) + "-" + path), "pathRegex": regexp.QuoteMeta(path), "methods": []any{q.Method}}
}

// target returns a TrafficTarget from the caller with one rule.
func (t *trial) target(to identity.ServiceAccount, rule map[string]any) *unstructured.Unstructured {
	return t.object(entity.KindTrafficTarget, to.Namespace, label(t.evaluator.caller.Name+"-to-"+to.Name), map[string]any{
		"destination": account(to),
		"sources":     []any{account(t.evaluator.caller)},
		"rules":       []any{rule},
	})
}

func account(sa identity.ServiceAccount) map[string]any {
	return map[string]any{"kind": "ServiceAccount", "name": sa.Name, "namespace": sa.Namespace}
}

// object returns an object with an unused name.
func (t *trial) object(kind entity.Kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	u := kinds.Object(sourceOf(kind).Object.GetObjectKind().GroupVersionKind())
	free := name
	for i := 2; t.exists(kind, namespace, free); i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	u.SetNamespace(namespace)
	u.SetName(free)
	u.Object["spec"] = spec
	return u
}

func (t *trial) exists(kind entity.Kind, namespace, name string) bool {
	ref := entity.Ref{Kind: kind, Name: entity.Name{Namespace: namespace, Name: name}}
	return t.made[ref] || t.mesh.Exists(ref)
}

// add adds an object to the catalog, with the same conversion as in the control plane.
func (t *trial) add(u *unstructured.Unstructured) {
	entry, _ := sourceOf(entity.Kind(u.GetKind())).Ingest(u)
	if entry == nil {
		return
	}
	t.mesh.Catalog.Apply([]catalog.Change{catalog.Set(entry)})
	t.made[entry.Ref()] = true
	t.objects = append(t.objects, u)
}

// sourceOf returns how policies of a kind are read.
func sourceOf(kind entity.Kind) kinds.Source {
	sources := kinds.Policies()
	return sources[slices.IndexFunc(sources, func(s kinds.Source) bool { return s.Kind == kind })]
}

// undo removes the tentative policies.
func (t *trial) undo() {
	for ref := range t.made {
		t.mesh.Catalog.Apply([]catalog.Change{{Ref: ref}})
	}
}

// notInLabel matches characters that are invalid in names.
var notInLabel = regexp.MustCompile(`[^a-z0-9-]+`)

// label converts text to a valid name.
func label(text string) string {
	name := notInLabel.ReplaceAllString(strings.ToLower(text), "-")
	for strings.Contains(name, "--") {
		name = strings.ReplaceAll(name, "--", "-")
	}
	return strings.Trim(name[:min(len(name), 63)], "-")
}

// Order sorts routes before the targets that refer to them, then by namespace and name.
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
