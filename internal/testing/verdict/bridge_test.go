package verdict_test

import (
	"flag"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/verdict"
)

// TestVerdictsOfBridge is TestVerdicts with fewer pairs, where half of the pods have sidecars of Open Service Mesh.
func TestVerdictsOfBridge(t *testing.T) {
	network := verdict.NewBridgedNetwork(t, envoytest.Oldest(t))
	checks := max(1, *pairs/4/(editsOfMesh*requestsOfEdit))
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(checks), "rapid.shrinktime": "1ns"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		differ(t, 2*networks)
		network.Reset(t, verdict.AnyState().Draw(t, "mesh"))
		for range editsOfMesh {
			edit := verdict.AnyEdit().Draw(t, "edit")
			request := verdict.AnyRequest(network.State, edit).Filter(verdict.Request.FitsOSM)
			network.Step(t, edit, rapid.SliceOfN(request, requestsOfEdit, requestsOfEdit).Draw(t, "requests"))
		}
	})
	t.Log(&network.Report)
}
