package analyze

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/creation"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// readUncreated reads the workloads of the mesh whose pods cannot be created.
func (a *analysis) readUncreated(ctx context.Context, c client.Reader) {
	all, err := creation.Find(ctx, c, "", a.mesh.Now)
	if err != nil {
		a.gap("workloads whose pods cannot be created", err)
	}
	a.uncreated = slices.DeleteFunc(all, func(f creation.Failure) bool { return !a.view.InMesh(f.Namespace) && f.Namespace != a.mesh.Namespace })
}

// reportUncreated reports them.
func (a *analysis) reportUncreated() {
	for _, f := range a.uncreated {
		a.add(codeUncreated, subject{kind: f.Kind, namespace: f.Namespace, name: f.Name}, "%s: %s.", f.Message(), f.Remedy())
	}
}

// uncreatedBehind returns the workload whose pods a Service would select if they could be created.
func (a *analysis) uncreatedBehind(service *inventory.Service) (creation.Failure, bool) {
	at := slices.IndexFunc(a.uncreated, func(f creation.Failure) bool {
		return f.Namespace == service.Name.Namespace && f.Selects(service.Selector)
	})
	if at < 0 {
		return creation.Failure{}, false
	}
	return a.uncreated[at], true
}
