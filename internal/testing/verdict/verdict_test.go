package verdict_test

import (
	"flag"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/testing/verdict"
)

// pairs is the number of pairs of an edit and a request that is sent before, during and after it.
var pairs = flag.Int("verdict.pairs", 2000, "how many pairs of an edit and a request to try")

const (
	editsOfMesh    = 4
	requestsOfEdit = 20
)

// TestVerdicts applies random edits under load and checks every response.
func TestVerdicts(t *testing.T) {
	tryPairs(t, verdict.NewNetwork(t), *pairs)
}

// TestVerdictsBetweenMinors is TestVerdicts with fewer pairs and sidecars of two minor versions of Envoy, as clients and servers of
// each other.
func TestVerdictsBetweenMinors(t *testing.T) {
	network := verdict.NewMixedNetwork(t)
	if minors := network.Minors(t); !slices.Equal(minors, compatibility.Current().Envoys) {
		t.Fatalf("the sidecars run Envoy %v, want %v", minors, compatibility.Current().Envoys)
	}
	tryPairs(t, network, *pairs/2)
}

func tryPairs(t *testing.T, network *verdict.Network, pairs int) {
	t.Helper()
	checks := max(1, pairs/(editsOfMesh*requestsOfEdit))
	// The network reduces failures itself.
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(checks), "rapid.shrinktime": "1ns"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		network.Reset(t, verdict.AnyState().Draw(t, "mesh"))
		for range editsOfMesh {
			edit := verdict.AnyEdit().Draw(t, "edit")
			request := verdict.AnyRequest(network.State, edit)
			network.Step(t, edit, rapid.SliceOfN(request, requestsOfEdit, requestsOfEdit).Draw(t, "requests"))
		}
	})
	t.Log(&network.Report)
	// With fewer pairs a rare answer can be missing by chance.
	if never := network.Report.Unobserved(); !t.Failed() && len(never) > 0 && pairs >= 2000 {
		t.Errorf("no answer was ever %v: the meshes and requests that are drawn do not test it", never)
	}
}
