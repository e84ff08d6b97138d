package checks

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Subject is what is checked.
type Subject struct {
	Client client.Client
	// Mesh and Namespace are the name of the mesh and where it runs, or is to run.
	Mesh, Namespace string
	// Beside is the suffix of the names of a control plane that runs beside the mesh's own; empty for none.
	Beside string
	// Kubernetes asks the API server for its version.
	Kubernetes func() (*version.Info, error)
	// Ask asks an HTTP server in a pod; any error means that it does not say yes.
	Ask func(ctx context.Context, namespace, pod string, port int, path string) error
	Now time.Time
}
