package kubernetes

import (
	"os"
	"os/exec"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// TestOldestKubernetes runs what the local cluster promises and the user journeys on the oldest API server and kubelet.
func TestOldestKubernetes(t *testing.T) { testJourneys(t, versions(oldest(), oldest())) }

// TestOlderKubelet runs them with the newest API server and the oldest kubelet that it supports.
func TestOlderKubelet(t *testing.T) { testJourneys(t, versions(newest, oldestKubelet)) }

// TestEarlierKubernetes runs them on the minor version before the newest, which all other tests run on.
func TestEarlierKubernetes(t *testing.T) { testJourneys(t, versions(beforeNewest, beforeNewest)) }

// TestProxyWithIptables runs them with a kube-proxy that makes rules of iptables, where osm-init makes rules of nftables.
func TestProxyWithIptables(t *testing.T) {
	testJourneys(t, map[string]string{proxyVariable: "iptables"})
}

// TestIPv6Alone runs them on a cluster whose pods, Services and nodes have no IPv4.
func TestIPv6Alone(t *testing.T) { testJourneys(t, map[string]string{familyVariable: "IPv6"}) }

func testJourneys(t *testing.T, settings map[string]string) {
	cluster := start(t, settings)
	cluster.Record(t, "the journeys of users"+otherwise(settings))
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "check"))
	command := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-count=1", "-timeout=30m", "./e2e/journeys")
	command.Dir = cluster.Repository.Path()
	// The shorter journeys: the longest scenarios run on one cluster.
	command.Env = append(os.Environ(), "OSM_TEST_FULL=")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("the journeys failed on a cluster with %v: %v\n%s", settings, err, output)
	}
}

// otherwise describes settings that a record does not show.
func otherwise(settings map[string]string) string {
	if mode := settings[proxyVariable]; mode != "" {
		return ", kube-proxy with " + mode
	}
	return ""
}
