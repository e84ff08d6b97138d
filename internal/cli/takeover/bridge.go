package takeover

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// BridgeReasons returns why the control plane should serve the sidecars of the Open Service Mesh in namespace from during the restarts; none if it need not.
func BridgeReasons(ctx context.Context, subject checks.Subject, from string) ([]string, error) {
	pods, err := subject.OSMSidecars(ctx)
	if err != nil {
		return nil, err
	}
	return bridgeReasons(ctx, subject.Client, from, summarize(workloadsOf(pods))), nil
}

// bridgeReasons returns why the new control plane should serve the sidecars of an Open Service Mesh during the restarts: which callers have such a sidecar
// while what they call restarts. A MeshConfig that cannot be read is a finding elsewhere.
func bridgeReasons(ctx context.Context, c client.Reader, from string, w Workloads) []string {
	reasons := []string{}
	if n := len(w.Yours); n > 0 {
		reasons = append(reasons, fmt.Sprintf("%s that the operator does not restart may call workloads that it restarts", output.Count(n, "workload")))
	}
	config := &configv1alpha2.MeshConfig{}
	err := c.Get(ctx, client.ObjectKey{Namespace: from, Name: names.MeshConfig}, config)
	if err == nil && config.Spec.Traffic.EnablePermissiveTrafficPolicyMode {
		reasons = append(reasons, "permissive mode is on, so no TrafficTarget says which callers must restart before what they call")
	}
	return reasons
}
