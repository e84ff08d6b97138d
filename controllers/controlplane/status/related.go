package status

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/assess"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// passing are the causes of findings that the next object of the same author, or time, often resolves. Admission does not warn about them.
var passing = []finding.Cause{
	finding.NoUsableBackend, finding.TooManyServices, finding.NoEgressGateway, finding.IdleEgressGateway,
	finding.NoCredential, finding.OutsideLimits,
}

// CheckRelated returns a function that finds why a new object will have no effect, or only a part of it: policies with precedence, a switch of the
// MeshConfig in the namespace of the mesh that disables its kind, or references to what does not exist. It provides warnings for admission. It waits for
// no sidecar and no status.
func CheckRelated(mesh *mirror.Mirror, namespace string) func(context.Context, *unstructured.Unstructured) []ingest.Problem {
	return func(_ context.Context, object *unstructured.Unstructured) []ingest.Problem {
		kind, _ := kinds.Lookup(object.GroupVersionKind().GroupKind())
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
