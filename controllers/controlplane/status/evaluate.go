package status

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/assess"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
)

// Evaluator computes the conditions of policies, and the servers that decide for sidecars because of a policy.
type Evaluator struct {
	Mirror *mirror.Mirror
	// Namespace is that of the MeshConfig.
	Namespace string
	// LookupHost resolves hosts outside the mesh.
	LookupHost HostLookup
}

// evaluation is what is known about a policy.
type evaluation struct {
	conditions []metav1.Condition
	// servers decide for sidecars because of the policy.
	servers []decisionServer
}

// evaluate evaluates an object. It only reads.
func (e Evaluator) evaluate(ctx context.Context, object *unstructured.Unstructured) evaluation {
	kind, _ := kinds.Lookup(object.GroupVersionKind().GroupKind())
	entry, problems := kind.Read(object)
	if !kind.AffectsTraffic() {
		return evaluation{conditions: []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)}}
	}
	if entry == nil {
		return evaluation{conditions: []metav1.Condition{unusedCondition(problems)}}
	}
	var result evaluation
	var findings []finding.Finding
	var isUsed bool
	e.Mirror.Read(entry.Ref(), func(v *catalog.View) {
		mesh := assess.Mesh{View: v, Namespace: e.Namespace}
		v.IsMember(object.GetNamespace())
		findings, isUsed = mesh.Policy(entry), mesh.Uses(entry)
		result.servers = e.serversOf(mesh, entry)
		if policy, isEgress := entry.(*catalog.Egress); isEgress {
			entry = v.InForce(policy)
		}
	})
	if !isUsed {
		return evaluation{conditions: []metav1.Condition{unusedCondition(problems)}}
	}
	result.conditions = e.conditions(ctx, entry, problems, findings)
	return result
}

// conditions returns the conditions for the problems of an object and the findings about it.
func (e Evaluator) conditions(ctx context.Context, entry catalog.Entry, problems []ingest.Problem, findings []finding.Finding) []metav1.Condition {
	if setting, ok := entry.(*upstream.Policy); ok && setting.Service == (entity.Name{}) {
		problems = slices.DeleteFunc(problems, func(p ingest.Problem) bool { return p.Reason == ingest.ReasonNotUsed }) // an Egress uses it
	}
	var missing []ingest.Problem
	for _, f := range findings {
		if f.Cause.IsReference() {
			missing = append(missing, f.Problem)
		} else {
			problems = append(problems, f.Problem)
		}
	}
	if policy, isEgress := entry.(*catalog.Egress); isEgress {
		missing = append(missing, unresolvedHosts(ctx, e.LookupHost, policy)...)
	}
	conditions := []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)}
	if assess.HasReferences(entry) {
		conditions = append(conditions, condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing))
	}
	return conditions
}

// unusedCondition returns the condition of an object that is not part of the mesh, either invalid or without effect.
func unusedCondition(problems []ingest.Problem) metav1.Condition {
	result := condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)
	result.Status = metav1.ConditionFalse
	return result
}

// passing are the causes of findings that the next object of the same author, or time, often resolves. Admission does not warn about them.
var passing = []finding.Cause{
	finding.NoUsableBackend, finding.TooManyServices, finding.NoEgressGateway, finding.IdleEgressGateway,
	finding.NoCredential, finding.OutsideLimits, finding.NotExported,
}

// CheckRelated returns a function that finds why a new object will have no effect, or only a part of it: policies with precedence, a switch of the
// MeshConfig in the namespace of the mesh that disables its kind, or references to what does not exist. It provides warnings for admission. It waits for
// no sidecar and no status.
func CheckRelated(mesh *mirror.Mirror, namespace string) func(context.Context, *unstructured.Unstructured) []ingest.Problem {
	return func(_ context.Context, object *unstructured.Unstructured) []ingest.Problem {
		kind, found := kinds.Lookup(object.GroupVersionKind().GroupKind())
		if !found {
			return nil
		}
		entry, _ := kind.Read(object)
		var problems []ingest.Problem
		mesh.ReadWith(entry, func(v *catalog.View) {
			for _, f := range (assess.Mesh{View: v, Namespace: namespace}).Object(entity.Kind(kind.Kind), entry) {
				if !slices.Contains(passing, f.Cause) {
					// What people apply together exists a moment later.
					f.Message = strings.Replace(f.Message, " does not exist, ", " does not exist yet, ", 1)
					problems = append(problems, f.Problem)
				}
			}
		})
		return problems
	}
}
