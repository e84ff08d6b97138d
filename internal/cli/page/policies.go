package page

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// States of a policy.
const (
	inForce      = "in force"
	notInForce   = "not in force"
	unknownState = "unknown"
)

// policies returns the policies in the namespaces of a mesh, and a problem for each kind that cannot be read.
func policies(ctx context.Context, c client.Client, members []string) (all []Policy, objects []*unstructured.Unstructured, problems []string) {
	inMesh := map[string]bool{}
	for _, m := range members {
		inMesh[m] = true
	}
	all = []Policy{}
	for _, source := range kinds.Policies() {
		kind := source.Object.GetObjectKind().GroupVersionKind()
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := c.List(ctx, list); err != nil {
			if !meta.IsNoMatchError(err) {
				problems = append(problems, fmt.Sprintf("Objects of kind %s cannot be read: %v", kind.Kind, err))
			}
			continue
		}
		for i := range list.Items {
			if object := &list.Items[i]; inMesh[object.GetNamespace()] {
				all, objects = append(all, policyOf(object)), append(objects, object)
			}
		}
	}
	return all, objects, problems
}

// policyOf summarizes the conditions of a policy. The control plane writes them, so a policy without conditions is not known yet.
func policyOf(object *unstructured.Unstructured) Policy {
	p := Policy{Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(), State: unknownState}
	conditions, err := kinds.ConditionsOf(object)
	if err != nil || len(conditions) == 0 {
		p.Message = "the control plane has not reported about it yet"
		return p
	}
	p.State = inForce
	var problems []string
	for _, c := range conditions {
		// Ready repeats one of the others.
		if c.Status == metav1.ConditionFalse && c.Type != kinds.ConditionReady {
			p.State = notInForce
			problems = append(problems, c.Reason+": "+c.Message)
		}
	}
	p.Message = strings.Join(problems, "; ")
	return p
}
