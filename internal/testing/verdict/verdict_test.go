package verdict_test

import (
	"flag"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/contract"
	"github.com/openservicemesh/osm-operator/internal/testing/verdict"
)

// A pair is one edit and one request that is sent before, while and after it.
var pairs = flag.Int("verdict.pairs", 2000, "how many pairs of an edit and a request to try")

const (
	editsOfMesh    = 4
	requestsOfEdit = 20
)

// TestVerdicts changes meshes under load and believes no answer.
func TestVerdicts(t *testing.T) {
	tryPairs(t, verdict.NewNetwork(t), *pairs)
}

// TestVerdictsBetweenMinors does the same, with fewer pairs, where sidecars of two minor versions of Envoy are clients and servers of
// each other.
func TestVerdictsBetweenMinors(t *testing.T) {
	network := verdict.NewMixedNetwork(t)
	if minors := network.Minors(t); !slices.Equal(minors, contract.Current().Envoys) {
		t.Fatalf("the sidecars run Envoy %v, want %v", minors, contract.Current().Envoys)
	}
	tryPairs(t, network, *pairs/2)
}

func tryPairs(t *testing.T, network *verdict.Network, pairs int) {
	t.Helper()
	checks := max(1, pairs/(editsOfMesh*requestsOfEdit))
	// The network makes failures small by itself.
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(checks), "rapid.shrinktime": "1ns"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		network.Reset(t, verdict.AnyWorld().Draw(t, "mesh"))
		for range editsOfMesh {
			edit := verdict.AnyEdit().Draw(t, "edit")
			request := verdict.AnyRequest(network.World, edit)
			network.Step(t, edit, rapid.SliceOfN(request, requestsOfEdit, requestsOfEdit).Draw(t, "requests"))
		}
	})
	t.Log(&network.Report)
	if never := network.Report.Never(); !t.Failed() && len(never) > 0 && pairs >= 1000 {
		t.Errorf("no answer was ever %v: the meshes and requests that are drawn do not test it", never)
	}
}
