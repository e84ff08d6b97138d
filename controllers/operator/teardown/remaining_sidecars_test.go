package teardown

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

func TestRemainingMessage_CountsByWorkload(t *testing.T) {
	web, job := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "web"}, rollout.Ref{Kind: "Job", Namespace: "shop", Name: "batch"}
	var many []rollout.Ref
	for i := range 7 {
		many = append(many, rollout.Ref{Kind: "Pod", Namespace: "shop", Name: fmt.Sprint("p", i)})
	}
	for want, left := range map[string][]rollout.Ref{
		"1 pod has a sidecar of this mesh, of Job shop/batch: remove":                                                                {job},
		"3 pods have a sidecar of this mesh, of Deployment shop/web (2 pods), Job shop/batch: remove":                                {web, web, job},
		"7 pods have a sidecar of this mesh, of Pod shop/p0, Pod shop/p1, Pod shop/p2, Pod shop/p3, Pod shop/p4, and 2 more: remove": many,
	} {
		if got := remainingMessage(left); !strings.HasPrefix(got, want) {
			t.Errorf("message = %q, want it to begin with %q", got, want)
		}
	}
}
