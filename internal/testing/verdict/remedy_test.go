package verdict

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
)

// TestRemediesAreAdmitted asks osm explain for remedies of random requests: admission must accept each object without a warning, and if the remedy
// is said to suffice, the request is allowed with it.
func TestRemediesAreAdmitted(t *testing.T) {
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		state := AnyState().Draw(t, "mesh")
		o := newOracle(state)
		addresses := o.serviceAddresses()
		for range 5 {
			for _, request := range []Request{drawRequest(t, addresses), drawEgressRequest(t), drawIngressRequest(t)} {
				q, asked := o.explainQuestion(request)
				if !asked || q.Outside != nil && strings.Contains(q.Outside.Host, ":") {
					continue // the host of a URL has no port
				}
				q.WithoutRemedy = false
				answer, err := explain.Evaluate(context.Background(), o.explainMesh(o.catalog), q)
				if err != nil {
					t.Fatalf("%+v: %v", request, err)
				}
				found += len(answer.Remedy)
				for _, object := range answer.Remedy {
					if rejections, warnings := validate.Split(validate.Object(object)); len(rejections)+len(warnings) > 0 {
						t.Fatalf("%+v: admission says %q %q about the remedy %v", request, rejections, warnings, object.Object)
					}
				}
				if answer.RemedySuffices && !o.isAllowedWith(t, q, answer.Remedy) {
					t.Fatalf("%+v is not allowed with its remedy %v\n%s", request, answer.Remedy[0].Object, state)
				}
			}
		}
	})
	if found == 0 {
		t.Error("no request has a remedy")
	}
}

// isAllowedWith reports whether a question is answered with yes once objects are created.
func (o *oracle) isAllowedWith(t *rapid.T, q explain.Question, objects []*unstructured.Unstructured) bool {
	c := catalog.New()
	c.Apply(changes(nil, o.state.entriesOf(o.reference)))
	for _, object := range objects {
		if entry := entryOf(object); entry != nil {
			c.Apply([]catalog.Change{catalog.Set(entry)})
		} else {
			t.Fatalf("the remedy %v has no entry", object.Object)
		}
	}
	answer, err := explain.Evaluate(context.Background(), o.explainMesh(c), q)
	return err == nil && answer.Allowed
}

// entryOf returns the entry of a policy of a remedy; nil without one.
func entryOf(object *unstructured.Unstructured) catalog.Entry {
	switch object.GroupVersionKind() {
	case kinds.TrafficTarget:
		if entry, _ := ingest.TrafficTarget(object); entry != nil {
			return entry
		}
	case kinds.HTTPRouteGroup:
		if entry, _ := ingest.HTTPRouteGroup(object); entry != nil {
			return entry
		}
	case kinds.TCPRoute:
		if entry, _ := ingest.TCPRoute(object); entry != nil {
			return entry
		}
	case kinds.Egress:
		if entry, _ := ingest.Egress(object); entry != nil {
			return entry
		}
	case kinds.IngressBackend:
		if entry, _ := ingressbackend.Read(object); entry != nil {
			return entry
		}
	}
	return nil
}
