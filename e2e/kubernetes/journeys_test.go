package kubernetes

import (
	"os"
	"os/exec"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// TestOldestKubernetes runs what the local cluster promises and the user journeys on the oldest API server and kubelet.
func TestOldestKubernetes(t *testing.T) { testJourneys(t, oldest(), oldest()) }

// TestOlderKubelet runs them with the newest API server and the oldest kubelet that it supports.
func TestOlderKubelet(t *testing.T) { testJourneys(t, newest, oldestKubelet) }

// TestEarlierKubernetes runs them on the minor version before the newest, which all other tests run on.
func TestEarlierKubernetes(t *testing.T) { testJourneys(t, beforeNewest, beforeNewest) }

func testJourneys(t *testing.T, kubernetes, kubelet string) {
	cluster := start(t, kubernetes, kubelet)
	cluster.Record(t, "the journeys of users")
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "check"))
	command := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-count=1", "-timeout=30m", "./e2e/journeys")
	command.Dir = cluster.Repository.Path()
	// The shorter journeys: the longest scenarios run on one version.
	command.Env = append(os.Environ(), "OSM_TEST_FULL=")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("the journeys failed on Kubernetes %s with a kubelet %s: %v\n%s", kubernetes, kubelet, err, output)
	}
}
