package checks

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
)

// Subject is the mesh to check.
type Subject struct {
	Client client.Client
	// Mesh is the name of the mesh, Namespace the namespace of its control plane.
	Mesh, Namespace string
	// Meshes are all meshes of the cluster.
	Meshes remaining.Meshes
	// CanarySuffix is the name suffix of the canary's Deployments, or empty.
	CanarySuffix string
	// Kubernetes returns the version of the API server.
	Kubernetes func() (*version.Info, error)
	// Probe sends a request to an HTTP server in a pod. An error means that the pod is not healthy.
	Probe func(ctx context.Context, namespace, pod string, port int, path string) error
	Now   time.Time
}
