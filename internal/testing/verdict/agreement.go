package verdict

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// outcomes are the outcomes of the policy engine as the reference names them.
var outcomes = map[authz.Outcome]reference.Outcome{
	authz.Allowed: reference.Allowed, authz.Forbidden: reference.Forbidden, authz.NotFound: reference.NotFound, authz.BadRequest: reference.BadRequest,
	authz.Unavailable: reference.Unavailable, authz.Reset: reference.Reset, authz.Refused: reference.Refused, authz.PassedThrough: reference.Passed,
}

// referenceRequest returns a request in the form of the reference.
func referenceRequest(r authz.Request) reference.Request {
	out := reference.Request{
		Source: types.NamespacedName(r.Source), Service: types.NamespacedName(r.Service), Port: int32(r.Port), Pod: r.Pod.String(), Method: r.Method, Path: r.Path,
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, [2]string{h.Name, h.Value})
	}
	return out
}

// disagreement describes how a verdict differs from the results of the reference; empty if they agree.
func disagreement(verdict authz.Verdict, results []reference.Result) string {
	engine, expected := map[string]bool{}, map[string]bool{}
	for _, a := range verdict.Answers {
		engine[fmt.Sprint(reference.Result{Outcome: outcomes[a.Outcome], Service: types.NamespacedName(a.Service), Account: types.NamespacedName(a.Destination)})] = true
	}
	for _, r := range results {
		expected[fmt.Sprint(r)] = true
	}
	if maps.Equal(engine, expected) {
		return ""
	}
	return fmt.Sprintf("the policy engine decides %v, the reference %v", slices.Sorted(maps.Keys(engine)), slices.Sorted(maps.Keys(expected)))
}
