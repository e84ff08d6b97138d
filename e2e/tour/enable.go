package tour

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// serversLimit is the time limit for the servers to become ready.
	serversLimit = 3 * time.Minute
	// images has the images of the servers that are built for the local cluster.
	images = `{"spec":{"observability":{
		"prometheus":{"mode":"Managed","managed":{"image":"osm-local.invalid/prometheus:local"}},
		"jaeger":{"mode":"Managed","managed":{"image":"osm-local.invalid/jaeger:local"}},
		"tracing":{"enable":true}}}}`
	// published uses the default images, for clusters that pull images from registries.
	published = `{"spec":{"observability":{"prometheus":{"mode":"Managed"},"jaeger":{"mode":"Managed"},"tracing":{"enable":true}}}}`
)

// EnableMetrics is the command that makes Prometheus scrape the sidecars of the bookstore.
const EnableMetrics = "go run ./cmd/osm metrics enable --namespace bookbuyer,bookthief,bookstore,bookwarehouse"

// Enable runs Prometheus and Jaeger for the sample mesh, and enables metrics and traces of the bookstore.
func Enable(ctx context.Context, cluster *lab.Cluster, out io.Writer) error {
	patch := published
	if !lab.IsCurrent() {
		patch = images
		if err := cluster.Repository.Tool(ctx, out, "./cluster", "load-servers", "jaeger", "prometheus"); err != nil {
			return err
		}
	}
	if err := cluster.Patch(ctx, sampleMesh(), patch); err != nil {
		return err
	}
	if err := cluster.Shell(ctx, EnableMetrics); err != nil {
		return err
	}
	return AwaitComponents(ctx, cluster, "prometheus", "jaeger")
}

// Disable removes what Enable has added to the mesh.
func Disable(ctx context.Context, cluster *lab.Cluster) error {
	return cluster.Patch(ctx, sampleMesh(), `{"spec":{"observability":null}}`)
}

func sampleMesh() *v1alpha1.Mesh {
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
}

// AwaitComponents waits until components of the sample mesh are ready.
func AwaitComponents(ctx context.Context, cluster *lab.Cluster, desired ...string) error {
	return lab.Until(ctx, serversLimit, "components "+strings.Join(desired, ", ")+" are ready", func(ctx context.Context) (bool, string, error) {
		live := &v1alpha1.Mesh{}
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, live); err != nil {
			return false, "", err
		}
		ready, observed := 0, ""
		for _, c := range live.Status.Components {
			if slices.Contains(desired, c.Name) {
				observed += fmt.Sprintf("%s: %t %s; ", c.Name, c.Ready, c.Message)
				if c.Ready {
					ready++
				}
			}
		}
		return ready == len(desired), observed, nil
	})
}
